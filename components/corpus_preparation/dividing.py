"""Makes a corpus with splits: of data that was read, or of a corpus that was prepared before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from content_arena.components.corpus_preparation.cleaning import REASONS, clean
from content_arena.components.corpus_preparation.dropped_rows import DroppedRows
from content_arena.components.corpus_preparation.ingest import Ingested
from content_arena.components.corpus_preparation.quality.rules import MIN_TEXTS_PER_CLASS
from content_arena.components.corpus_preparation.quality.rules import dropped as dropped_line
from content_arena.components.corpus_preparation.splits import assign_splits, name_texts, sample_texts
from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.stage import Progress, log, note

#: Of the stage, for its log.
NAME = "prepare_corpus"
#: Steps that take less than this log nothing.
_SILENT_SECONDS = 2.0


@dataclass(frozen=True)
class Drawing:
    """How texts are drawn and divided.

    Attributes:
        max_texts: Largest number of texts; None for all.
        split_seed: Seed of the drawing and of the splits.
        rare_share: Least share of the rarer label, see :func:`splits.sample_texts`.
    """

    max_texts: int | None
    split_seed: int
    rare_share: float


@dataclass(frozen=True)
class Divided:
    """A corpus with splits.

    Attributes:
        read: What was read.
        whole: Rows left after cleaning.
        table: Rows drawn, with column split.
        dropped: Rows dropped so far, by reason.
    """

    read: Ingested
    whole: pd.DataFrame
    table: pd.DataFrame
    dropped: Mapping[str, int]


def divide(read: Ingested, seen: DroppedRows, drawing: Drawing) -> Divided:
    """Cleans data, draws from it and divides it.

    Args:
        read: The data.
        seen: Keeps examples of what is dropped.
        drawing: How to draw and to divide.

    Raises:
        InputError: Nothing is left of it.
    """
    log(NAME, f"read {read.n_read:,} rows of {read.origin}")
    for sentence in read.notes:
        note(NAME, f"{read.source}: {sentence}")
    cleaned, dropped = clean(read.table, seen, _Progress())
    dropped = {reason: read.dropped.get(reason, 0) + dropped.get(reason, 0) for reason in REASONS}
    say = note if any(dropped.values()) else log
    say(NAME, f"kept {len(cleaned):,} of {read.n_read:,} rows; {dropped_line(dropped, rows=read.first_rows)}")
    if cleaned.empty:
        raise InputError(f"no text is left of {read.n_read:,} rows ({dropped_line(dropped, 3)}); give labelled texts")
    whole = name_texts(cleaned)
    table = whole
    if drawing.max_texts is not None:
        table = _draw(whole, drawing.max_texts, drawing.split_seed, drawing.rare_share)
    dropped["over_max_texts"] = len(whole) - len(table)
    return Divided(read, whole, assign_splits(table, drawing.split_seed), dropped)


def as_it_stands(kept: pd.DataFrame, data: str, max_texts: int | None) -> Divided:
    """A corpus that was prepared before: nothing is cleaned, drawn or divided again.

    Args:
        kept: From :func:`kept_corpus.read_kept`.
        data: What it was read from.
        max_texts: The limit that other data would have.
    """
    name = data.rstrip("/").rsplit("/", 1)[-1]
    note(NAME, f"{name} was prepared before: its {len(kept):,} texts are taken as they stand, with their splits")
    if max_texts is not None and len(kept) > max_texts:
        note(NAME, f"{name} is not drawn from again: {named('max_texts')} {max_texts:,} does not hold for it")
    nothing = dict.fromkeys(REASONS, 0)
    return Divided(Ingested(kept, len(kept), nothing, origin=name, source=name), kept, kept, nothing)


class _Progress:
    """Logs how many rows each step of cleaning has done, where that takes more than seconds."""

    def __init__(self) -> None:
        self._step = ""
        self._progress: Progress | None = None

    def __call__(self, step: str, done: int, total: int) -> None:
        if self._progress is None or step != self._step:
            self._step, self._progress = step, Progress(NAME, total, "rows", silent=_SILENT_SECONDS)
        self._progress.at(done, step)


def _draw(whole: pd.DataFrame, max_texts: int, seed: int, rare_share: float) -> pd.DataFrame:
    """At most max_texts of the texts; the log says what was drawn."""
    if len(whole) <= max_texts:
        return whole
    table = sample_texts(whole, max_texts, seed, MIN_TEXTS_PER_CLASS, rare_share)
    note(
        NAME,
        f"drew {len(table):,} of {len(whole):,} texts, the limit of {named('max_texts')}: {_share_toxic(table)} "
        f"toxic, {_share_toxic(whole)} in the data (the rarer label gets up to {rare_share:.0%})",
    )
    return table


def _share_toxic(table: pd.DataFrame) -> str:
    return f"{(table['label'] == 'toxic').mean():.0%}"
