"""The stage prepare_corpus: reads and cleans a corpus, gives its texts ids and assigns splits."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from content_arena.components.corpus_preparation.cleaning import REASONS, clean
from content_arena.components.corpus_preparation.guard import apart_from, read_guard
from content_arena.components.corpus_preparation.ingest import EMBEDDED, ingest
from content_arena.components.corpus_preparation.parameters import named
from content_arena.components.corpus_preparation.reading_options import ReadingOptions
from content_arena.components.corpus_preparation.splits import RARE_SHARE, assign_splits, name_texts, sample_texts
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.stage import log, note, stage

NAME = "prepare_corpus"
MIN_TEXTS_PER_CLASS = 50
#: Numbers of dropped rows that a message shows for each reason.
_ROWS_SHOWN = 3


@stage(NAME)
def prepare(
    data: str,
    lang: str,
    corpus_path: str | Path,
    *,
    given: Mapping[str, str] | None = None,
    max_texts: int | None = None,
    split_seed: int = 0,
    guard: str = EMBEDDED,
) -> dict[str, float | int]:
    """Turns labelled texts into a Sample table with splits.

    Args:
        data: "embedded", the path of a CSV, TSV, JSON, XLSX or Parquet file, or ``hf://owner/name[:config][/split]``.
        lang: ISO 639-1 code of the texts.
        corpus_path: Where the Parquet file goes.
        given: How to read the data, by parameter: see ReadingOptions.of. What is not given is found from the data.
        max_texts: Largest number of texts, at least 100; of more a sample is drawn, in which the rarer label has up to
            40 % (see splits.sample_texts). None keeps all.
        split_seed: Seed of the splits. It is not the run's seed: see splits.assign_splits.
        guard: The guard set, which is added to the table with a split of its own: "embedded" for the one of the
            language, if there is one; otherwise as ``data``.

    Returns:
        Counts: read, kept, toxic, benign, train, validation, test, {split}_{label}, dropped_{reason}; guard,
        guard_toxic and guard_benign, 0 without a guard set, which the other counts do not include; and seconds.

    Raises:
        SystemExit: The data cannot be used; code 2, after one line with the error.
    """
    started = time.perf_counter()
    if max_texts is not None and max_texts < 2 * MIN_TEXTS_PER_CLASS:
        raise InputError(
            f"{named('max_texts')} is {max_texts}; at least {2 * MIN_TEXTS_PER_CLASS} are needed, half of each class"
        )
    reading = ReadingOptions.of(given or {})
    ingested = ingest(data, lang, reading)
    log(NAME, f"read {ingested.n_read:,} rows of {ingested.origin}")
    for sentence in ingested.notes:
        note(NAME, f"{ingested.source}: {sentence}")

    table, dropped = clean(ingested.table)
    dropped = {reason: ingested.dropped.get(reason, 0) + dropped.get(reason, 0) for reason in REASONS}
    say = note if any(dropped.values()) else log
    say(NAME, f"kept {len(table):,} of {ingested.n_read:,} rows; {_dropped(dropped, rows=ingested.first_rows)}")
    _require_both_classes(table, dropped)

    table = name_texts(table)
    if max_texts is not None and len(table) > max_texts:
        whole, table = table, sample_texts(table, max_texts, split_seed, MIN_TEXTS_PER_CLASS)
        dropped["over_max_texts"] = len(whole) - len(table)
        note(
            NAME,
            f"drew {len(table):,} of {len(whole):,} texts, the limit of {named('max_texts')}: {_share_toxic(table)} "
            f"toxic, {_share_toxic(whole)} in the data (the rarer label gets up to {RARE_SHARE:.0%})",
        )
    table = assign_splits(table, split_seed)
    guard_set = read_guard(guard, lang, reading, tell=functools.partial(note, NAME))
    if guard_set is not None:
        table, dropped["near_guard"] = _apart(table, guard_set)
    records.write(records.Sample, pd.concat([table, guard_set]).drop(columns="key"), corpus_path)

    counts = _count(table, ingested.n_read, dropped) | _count_guard(guard_set)
    log(NAME, ", ".join(f"{split} {counts[split]:,} ({counts[f'{split}_toxic']:,} toxic)" for split in records.SPLITS))
    log(NAME, _guard_line(guard_set, dropped))
    return counts | {"seconds": round(time.perf_counter() - started, 3)}


def _share_toxic(table: pd.DataFrame) -> str:
    return f"{(table['label'] == 'toxic').mean():.0%}"


def _count(table: pd.DataFrame, n_read: int, dropped: Mapping[str, int]) -> dict[str, float | int]:
    def n(column: str, value: str, rows: pd.DataFrame = table) -> int:
        return int((rows[column] == value).sum())

    counts: dict[str, float | int] = {"read": n_read, "kept": len(table)}
    counts |= {label: n("label", label) for label in records.LABELS}
    for split in records.SPLITS:
        counts[split] = n("split", split)
        rows = table[table["split"] == split]
        counts |= {f"{split}_{label}": n("label", label, rows) for label in records.LABELS}
    return counts | {f"dropped_{reason}": number for reason, number in dropped.items()}


def _apart(table: pd.DataFrame, guard: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The corpus without the texts of train and validation that are near-duplicates of a guard text, and their number.

    They are taken from the corpus and not from the guard set, so that a guard set is the same in every run. It is done
    after the division into splits, so that no guard set changes the test split; a text of it may be in both.

    Raises:
        InputError: More than half of the texts would go: the guard set does not come from elsewhere.
    """
    learnt_from = table[table["split"] != "test"]
    apart = apart_from(learnt_from["text"], guard["text"])
    n_near = int((~apart).sum())
    if n_near > len(apart) / 2:
        raise InputError(
            f"{n_near:,} of {len(apart):,} texts to train on are near-duplicates of guard texts: name a guard set from "
            f"elsewhere with {named('guard')}"
        )
    return table.drop(index=learnt_from.index[~apart]), n_near


def _count_guard(guard: pd.DataFrame | None) -> dict[str, float | int]:
    labels = [] if guard is None else guard["label"].tolist()
    counts: dict[str, float | int] = {records.GUARD: len(labels)}
    return counts | {f"{records.GUARD}_{label}": labels.count(label) for label in records.LABELS}


def _guard_line(guard: pd.DataFrame | None, dropped: Mapping[str, int]) -> str:
    if guard is None:
        return f"no guard set: the gate on it is not judged; {named('guard')} names one"
    name, n_near = guard["source"].iloc[0], dropped["near_guard"]
    left_out = f"; {n_near:,} near-duplicates left train and validation" if n_near else ""
    return f"guard set {name}: {len(guard):,} texts ({int((guard['label'] == 'toxic').sum()):,} toxic){left_out}"


def _dropped(
    dropped: Mapping[str, int], n: int | None = None, rows: Mapping[str, tuple[int, ...]] | None = None
) -> str:
    """The number of texts dropped for each reason, the largest first, with the first rows where they are known."""
    by_size = sorted((item for item in dropped.items() if item[1]), key=lambda item: -item[1])
    if not by_size:
        return "nothing was dropped"
    places = {reason: _places(numbers, dropped[reason]) for reason, numbers in (rows or {}).items()}
    return "dropped: " + ", ".join(f"{reason} {number:,}{places.get(reason, '')}" for reason, number in by_size[:n])


def _places(rows: tuple[int, ...], n_dropped: int) -> str:
    """The numbers of the first rows that were dropped, such as " (rows 3, 8 and more)"."""
    shown = ", ".join(f"{row:,}" for row in rows[:_ROWS_SHOWN])
    more = " and more" if n_dropped > _ROWS_SHOWN else ""
    return f" (row{'s' * (n_dropped > 1)} {shown}{more})"


def _require_both_classes(table: pd.DataFrame, dropped: Mapping[str, int]) -> None:
    number_of = {label: int((table["label"] == label).sum()) for label in records.LABELS}
    if min(number_of.values()) < MIN_TEXTS_PER_CLASS:
        found = " and ".join(f"{number:,} {label}" for label, number in number_of.items())
        raise InputError(
            f"{found} texts are left, at least {MIN_TEXTS_PER_CLASS} of each are needed "
            f"({_dropped(dropped, 3)}); give more labelled texts"
        )
