"""Measures the quality of labelled texts: what was read, what was dropped, and what is wrong with the rest.

Cleaning, drawing and splitting have been done; nothing here changes a text. What a look at every text costs is measured
on the texts that were drawn, the rest on all of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from content_arena.components.corpus_preparation.dropped_rows import DroppedRows
from content_arena.components.corpus_preparation.duplicates.near_duplicates import near_to
from content_arena.components.corpus_preparation.ingest import Ingested
from content_arena.components.corpus_preparation.scripts import main_script
from content_arena.components.shared.records import LABELS, SPLITS
from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.text.canonical import canonicalise
from content_arena.components.shared.text.masking import EMAIL_MASK, HANDLE_MASK, PHONE_MASK

#: Texts further than this many interquartile ranges outside the quartiles are outliers (Tukey 1977).
FENCE = 1.5
#: Pairs of a text and what it became that are kept as examples.
N_CHANGES = 5
_MASKS = {"e-mail address": EMAIL_MASK, "phone number": PHONE_MASK, "handle": HANDLE_MASK}
_SPACES = re.compile(r"\s+")

#: Restores the words of a canonical text, as a Reader does.
Restore = Callable[[str], str]


@dataclass(frozen=True)
class Lengths:
    """Lengths of texts in characters.

    Attributes:
        smallest: Of any text.
        quartiles: 25 %, 50 %, 75 %.
        largest: Of any text.
        n_short: Texts below the lower quartile by more than :data:`FENCE` interquartile ranges of the logarithm of the
            length. Lengths are skewed: on their own scale one text in twenty would count as long.
        n_long: Texts above the upper quartile by more than that.
    """

    smallest: int
    quartiles: tuple[float, float, float]
    largest: int
    n_short: int
    n_long: int

    @classmethod
    def of(cls, lengths: pd.Series) -> Lengths | None:
        """The lengths of some texts; None if there are none."""
        if lengths.empty:
            return None
        low, median, high = (float(value) for value in lengths.quantile([0.25, 0.5, 0.75]))
        reach = (max(high, 1) / max(low, 1)) ** FENCE
        return cls(
            smallest=int(lengths.min()),
            quartiles=(low, median, high),
            largest=int(lengths.max()),
            n_short=int((lengths < low / reach).sum()),
            n_long=int((lengths > high * reach).sum()),
        )


@dataclass(frozen=True)
class Repeated:
    """Texts that stand in several rows, and whether these rows agree.

    Attributes:
        n_texts: Different texts that occur more than once.
        n_agreeing: Those with one label in all of their rows.
    """

    n_texts: int
    n_agreeing: int

    @property
    def agreement(self) -> float | None:
        """The share that agrees; None if no text occurs twice."""
        return self.n_agreeing / self.n_texts if self.n_texts else None


@dataclass(frozen=True)
class Changes:
    """What a step of reading changes.

    Attributes:
        n_changed: Texts that it changes beyond white space and the composition of characters.
        n_texts: Texts that were looked at.
        examples: Some of them, each before and after.
    """

    n_changed: int
    n_texts: int
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def share(self) -> float:
        """The share that is changed; 0 of no texts."""
        return self.n_changed / self.n_texts if self.n_texts else 0.0


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What is known about labelled texts before anything is trained on them.

    Attributes:
        origin: Name of the data and of the columns that were read.
        lang: ISO 639 code.
        rows_read: Rows of the data.
        rows_dropped: By reason; see :data:`cleaning.REASONS`.
        dropped_examples: A few texts by reason, masked and shortened.
        missing: Rows without a value, by column; only columns that some row has.
        labels: Texts kept by label, before any are drawn.
        drawn: Texts drawn by label; the same as labels where all of them are taken.
        splits: Drawn texts by split, each by label.
        repeated: Texts that stand in several rows of the data.
        n_leaked: Texts of validation and test that are near-duplicates of a training text. Its label is the other one:
            those with the same label are dropped.
        lengths: Of the texts kept, by label and over all of them ("all").
        length_auroc: AUROC of the length as a score of toxic, on the texts kept; None without both labels.
        scripts: Drawn texts by the script of most of their letters.
        masked: Drawn texts that hold a mask, by what was masked.
        canonicaliser: What it changes in the drawn texts.
        reader: What the Reader changes in them after that; None where it was not tried.
    """

    origin: str
    lang: str
    rows_read: int
    rows_dropped: Mapping[str, int]
    dropped_examples: Mapping[str, Sequence[str]]
    missing: Mapping[str, int]
    labels: Mapping[str, int]
    drawn: Mapping[str, int]
    splits: Mapping[str, Mapping[str, int]]
    repeated: Repeated
    n_leaked: int
    lengths: Mapping[str, Lengths]
    length_auroc: float | None
    scripts: Mapping[str, int]
    masked: Mapping[str, int]
    canonicaliser: Changes
    reader: Changes | None = None

    @property
    def n_kept(self) -> int:
        """Texts left after cleaning."""
        return sum(self.labels.values())

    @property
    def n_drawn(self) -> int:
        """Texts of the corpus."""
        return sum(self.drawn.values())

    def as_json(self) -> dict[str, object]:
        """The figures as a document; no text of the data is in it."""
        document = asdict(self)
        del document["dropped_examples"]
        for name in ("canonicaliser", "reader"):
            if document[name]:
                document[name] = {key: value for key, value in document[name].items() if key != "examples"}
        document["repeated"]["agreement"] = self.repeated.agreement
        return document


@dataclass(frozen=True)
class Steps:
    """The data after each step of preparing it.

    Attributes:
        read: What was read.
        kept: Rows left after cleaning.
        corpus: Rows drawn, with column split; near-duplicates of guard texts have left it.
        dropped: Rows dropped by reason, those while reading included.
        seen: What was kept of the rows that cleaning dropped.
    """

    read: Ingested
    kept: pd.DataFrame
    corpus: pd.DataFrame
    dropped: Mapping[str, int]
    seen: DroppedRows


def measure(steps: Steps, lang: str, restore: Restore | None = None) -> Quality:
    """Measures the quality of data.

    Args:
        steps: The data after each step; kept and corpus have columns text, key and label.
        lang: ISO 639 code.
        restore: Restores the words of a canonical text; None leaves the Reader out.
    """
    kept, corpus = steps.kept, steps.corpus
    lengths = kept["text"].str.len()
    by_label = {label: Lengths.of(lengths[kept["label"] == label]) for label in LABELS}
    read = corpus["text"].map(Reading()).tolist()
    return Quality(
        origin=steps.read.origin,
        lang=lang,
        rows_read=steps.read.n_read,
        rows_dropped=dict(steps.dropped),
        dropped_examples=dict(steps.seen.examples),
        missing=_missing(steps.read.table),
        labels=_by_label(kept),
        drawn=_by_label(corpus),
        splits={split: _by_label(corpus[corpus["split"] == split]) for split in SPLITS},
        repeated=_repeated(steps.seen),
        n_leaked=_leaked(corpus),
        lengths={name: found for name, found in {"all": Lengths.of(lengths), **by_label}.items() if found},
        length_auroc=_auroc(lengths, kept["label"]),
        scripts=dict(Counter(map(main_script, corpus["text"])).most_common()),
        masked={name: int(corpus["text"].str.contains(mask, regex=False).sum()) for name, mask in _MASKS.items()},
        canonicaliser=_changes([_plain(text) for text in corpus["text"]], corpus["text"].map(canonicalise).tolist()),
        reader=None if restore is None else _changes(read, list(map(restore, read))),
    )


def _missing(table: pd.DataFrame) -> dict[str, int]:
    missing = {"text": int((table["text"].str.strip() == "").sum())}
    # What is empty in all rows, the data does not have.
    is_empty = {"categories": ~table["categories"].map(bool), "target_ident": table["target_ident"].isna()}
    for name, cells in is_empty.items():
        if not cells.all():
            missing[name] = int(cells.sum())
    return missing


def _by_label(table: pd.DataFrame) -> dict[str, int]:
    return {label: int((table["label"] == label).sum()) for label in LABELS}


def _repeated(seen: DroppedRows) -> Repeated:
    agreeing, contradictory = (seen.n_texts.get(name, 0) for name in ("exact_duplicate", "contradictory_label"))
    return Repeated(n_texts=agreeing + contradictory, n_agreeing=agreeing)


def _leaked(corpus: pd.DataFrame) -> int:
    is_train = corpus["split"] == "train"
    return int(near_to(corpus.loc[~is_train, "key"].tolist(), corpus.loc[is_train, "key"].tolist()).sum())


def _auroc(lengths: pd.Series, labels: pd.Series) -> float | None:
    toxic, benign = (labels == label for label in LABELS)
    n_toxic, n_benign = int(toxic.sum()), int(benign.sum())
    if not n_toxic or not n_benign:
        return None
    # Mann-Whitney's U of the toxic texts. scipy.stats has it too, and takes most of a second to import.
    u = float(lengths.rank()[toxic].sum()) - n_toxic * (n_toxic + 1) / 2
    return u / (n_toxic * n_benign)


def _changes(before: Sequence[str], after: Sequence[str]) -> Changes:
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    return Changes(len(changed), len(before), tuple(changed[:N_CHANGES]))


def _plain(text: str) -> str:
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()
