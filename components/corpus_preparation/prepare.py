"""The stage prepare_corpus: reads and cleans a corpus, gives its texts ids and assigns splits."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from content_arena.components.corpus_preparation.cleaning import imported_key
from content_arena.components.corpus_preparation.dividing import NAME, Drawing, as_it_stands, divide
from content_arena.components.corpus_preparation.dropped_rows import DroppedRows
from content_arena.components.corpus_preparation.guard import apart_from, read_guard
from content_arena.components.corpus_preparation.ingest import EMBEDDED, ingest
from content_arena.components.corpus_preparation.kept_corpus import read_kept
from content_arena.components.corpus_preparation.quality import page as quality_page
from content_arena.components.corpus_preparation.quality.measures import Quality, Restore, Steps, measure
from content_arena.components.corpus_preparation.quality.rules import MIN_TEXTS_PER_CLASS, stops, warnings
from content_arena.components.corpus_preparation.settings import CorpusSettings
from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.corpus_preparation.tables.reading_options import ReadingOptions
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking import forgotten as lists
from content_arena.components.shared.mlflow_tracking.forgotten import ForgottenTexts
from content_arena.components.shared.stage import log, note, stage

#: Makes, from the divided corpus, what restores the words of a text; None where there is no Reader for it.
MakeReader = Callable[[pd.DataFrame], Restore | None]


@dataclass(frozen=True)
class Prepared:
    """A corpus, and what was found out about it.

    Attributes:
        table: Rows of Sample, the guard set included.
        counts: See :func:`prepare`.
        quality: What was measured.
        stops: Why nothing may be trained on it; empty if it is usable.
        warnings: What a person should look at.
    """

    table: pd.DataFrame
    counts: Mapping[str, float | int]
    quality: Quality
    stops: list[str]
    warnings: list[str]

    def page(self) -> str:
        """The quality page."""
        return quality_page.render(self.quality, self.stops, self.warnings)


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
    page_path: str | Path | None = None,
    settings: CorpusSettings = CorpusSettings(),  # noqa: B008 - frozen
    tracking_uri: str | None = None,
) -> dict[str, float | int]:
    """Turns labelled texts into a Sample table with splits, and writes the quality page.

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
        page_path: Where the quality page goes, also if the data is refused for its quality; None for no page.
        settings: How texts are drawn, and how bad the data may be.
        tracking_uri: MLflow, which keeps the list of texts that were forgotten; the environment's if None. Where there
            is none, nothing was forgotten.

    Returns:
        Counts: read, kept, toxic, benign, train, validation, test, {split}_{label}, dropped_{reason}; guard,
        guard_toxic and guard_benign, 0 without a guard set, which the other counts do not include; and seconds.

    Raises:
        SystemExit: The data cannot be used; code 2, after one line with the error.
    """
    prepared = examine(
        data,
        lang,
        given=given,
        max_texts=max_texts,
        split_seed=split_seed,
        guard=guard,
        settings=settings,
        forgotten=lists.read(tracking_uri),
    )
    if page_path is not None:
        Path(page_path).parent.mkdir(parents=True, exist_ok=True)
        Path(page_path).write_text(prepared.page(), encoding="utf-8")
    if prepared.stops:
        raise InputError("; ".join(prepared.stops))
    for warning in prepared.warnings:
        note(NAME, warning)
    records.write(records.Sample, prepared.table, corpus_path)
    return dict(prepared.counts)


def examine(
    data: str,
    lang: str,
    *,
    given: Mapping[str, str] | None = None,
    max_texts: int | None = None,
    split_seed: int = 0,
    guard: str = EMBEDDED,
    settings: CorpusSettings = CorpusSettings(),  # noqa: B008 - frozen
    make_reader: MakeReader | None = None,
    forgotten: ForgottenTexts = ForgottenTexts(),  # noqa: B008 - frozen
) -> Prepared:
    """Prepares a corpus and judges it, and writes nothing but log lines.

    Args:
        data: See :func:`prepare`, as the others that are not named here.
        lang: ISO 639-1 code of the texts.
        given: How to read the data, by parameter.
        max_texts: Largest number of texts.
        split_seed: Seed of the splits.
        guard: The guard set.
        settings: How texts are drawn, and how bad the data may be.
        make_reader: Gives the Reader whose changes are measured; None leaves it out.
        forgotten: Texts that are left out, after the rest was drawn and divided as if they were there.

    Raises:
        InputError: The data cannot be read. That its texts are too few or too bad is no error here: see
            :attr:`Prepared.stops`.
    """
    started = time.perf_counter()
    if max_texts is not None and max_texts < 2 * MIN_TEXTS_PER_CLASS:
        raise InputError(
            f"{named('max_texts')} is {max_texts}; at least {2 * MIN_TEXTS_PER_CLASS} are needed, half of each class"
        )
    reading = ReadingOptions.of(given or {})
    seen = DroppedRows(lambda text: not len(forgotten) or not forgotten.holds(imported_key(text)))
    kept = read_kept(data, lang, reading)
    if kept is None:
        log(NAME, "reading")
        read = ingest(data, lang, reading, tell=functools.partial(log, NAME))
        divided = divide(read, seen, Drawing(max_texts, split_seed, settings.rare_share))
    else:
        divided = as_it_stands(kept, data, max_texts)
    table, dropped = _without(divided.table, forgotten), dict(divided.dropped)
    dropped["forgotten"] = len(divided.table) - len(table)
    if dropped["forgotten"]:
        note(NAME, f"left out {dropped['forgotten']:,} texts that were forgotten (`arena data forget`)")
    guard_set = read_guard(guard, lang, reading, tell=functools.partial(note, NAME))
    if guard_set is not None:
        table, dropped["near_guard"] = _apart(table, guard_set)
        guard_set = _without(guard_set, forgotten)

    counts = _count(table, divided.read.n_read, dropped) | _count_guard(guard_set)
    log(NAME, ", ".join(f"{split} {counts[split]:,} ({counts[f'{split}_toxic']:,} toxic)" for split in records.SPLITS))
    log(NAME, _guard_line(guard_set, dropped))
    quality = measure(
        Steps(divided.read, _without(divided.whole, forgotten), table, dropped, seen),
        lang,
        make_reader(table) if make_reader is not None else None,
    )
    return Prepared(
        table=pd.concat([table, guard_set]).drop(columns="key"),
        counts=counts | {"seconds": round(time.perf_counter() - started, 3)},
        quality=quality,
        stops=stops(quality, settings),
        warnings=warnings(quality, settings),
    )


def _without(table: pd.DataFrame, forgotten: ForgottenTexts) -> pd.DataFrame:
    """The texts that were not forgotten.

    They leave after the corpus was drawn and divided: if they were left out before, the limits between the splits would
    move, and others would change their split.
    """
    return table[[not forgotten.holds(key) for key in table["key"]]] if len(forgotten) else table


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
