"""Judges the quality of labelled texts: what stops a run, and what a person should look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from content_arena.components.corpus_preparation.quality.measures import Quality
from content_arena.components.corpus_preparation.scripts import NO_LETTERS
from content_arena.components.corpus_preparation.settings import CorpusSettings
from content_arena.components.corpus_preparation.tables.parameters import named

MIN_TEXTS_PER_CLASS = 50
#: Numbers of dropped rows that a message shows for each reason.
_ROWS_SHOWN = 3
#: Dropped by a choice of the user's, not by a fault of the data.
CHOSEN = ("over_max_texts", "forgotten", "near_guard", "other_language")
#: From these shares on a person is told. The settings state when a run stops.
WARN_DROPPED, WARN_EMPTY, WARN_OUTLIERS, WARN_SCRIPT, WARN_CHANGED = 0.2, 0.01, 0.05, 0.05, 0.05
#: Below this share of the texts drawn, one label is rare.
WARN_RARE = 0.2
#: Below this share of repeated texts with one label, the labels contradict each other often.
WARN_AGREEMENT = 0.9
#: AUROC of the length alone, and the difference between the labels' texts is then mostly their length.
WARN_LENGTH = 0.75


def stops(quality: Quality, settings: CorpusSettings) -> list[str]:
    """Why no run can start with this data; empty if one can.

    Args:
        quality: Of the data.
        settings: The limits.
    """
    return [*_too_few(quality), *_over_limits(quality, settings)]


def warnings(quality: Quality, settings: CorpusSettings) -> list[str]:
    """What a person should look at, each with what to do about it; empty if nothing stands out.

    Args:
        quality: Of the data.
        settings: The limits; what stops a run is no warning as well.
    """
    return [*_about_rows(quality, settings), *_about_labels(quality, settings), *_about_texts(quality)]


def dropped(
    number_of: Mapping[str, int], n: int | None = None, rows: Mapping[str, tuple[int, ...]] | None = None
) -> str:
    """The number of rows dropped for each reason, the largest first, with the first rows where they are known."""
    by_size = sorted((item for item in number_of.items() if item[1]), key=lambda item: -item[1])
    if not by_size:
        return "nothing was dropped"
    places = {reason: _places(numbers, number_of[reason]) for reason, numbers in (rows or {}).items()}
    return "dropped: " + ", ".join(f"{reason} {number:,}{places.get(reason, '')}" for reason, number in by_size[:n])


def _places(rows: tuple[int, ...], n_dropped: int) -> str:
    """The numbers of the first rows that were dropped, such as " (rows 3, 8 and more)"."""
    shown = ", ".join(f"{row:,}" for row in rows[:_ROWS_SHOWN])
    more = " and more" if n_dropped > _ROWS_SHOWN else ""
    return f" (row{'s' * (n_dropped > 1)} {shown}{more})"


def _too_few(quality: Quality) -> Iterator[str]:
    if min(quality.labels.values()) < MIN_TEXTS_PER_CLASS:
        found = " and ".join(f"{number:,} {label}" for label, number in quality.labels.items())
        yield (
            f"{found} texts are left, at least {MIN_TEXTS_PER_CLASS} of each are needed "
            f"({dropped(quality.rows_dropped, 3)}); give more labelled texts"
        )


def _over_limits(quality: Quality, settings: CorpusSettings) -> Iterator[str]:
    rows = quality.rows_dropped
    faults = {
        "max_undecodable": (rows.get("undecodable", 0), "hold bytes that are not UTF-8; save the file as UTF-8"),
        "max_empty": (rows.get("empty", 0), "have no text; is this the column of the texts?"),
        "max_contradictory": (rows.get("contradictory_label", 0), "hold a text that has both labels; settle them"),
        "max_dropped": (_n_faulty(quality), f"are not usable ({dropped(rows, 3)}); clean the data"),
    }
    for limit, (n, fault) in faults.items():
        share = n / quality.rows_read if quality.rows_read else 0.0
        if share > getattr(settings, limit):
            yield f"{n:,} of {quality.rows_read:,} rows ({share:.0%}) {fault}, or raise {_limit(limit, settings)}"
    n_judged = _n_judged(quality)
    if n_judged and quality.n_leaked / n_judged > settings.max_leaked:
        yield (
            f"{quality.n_leaked:,} of {n_judged:,} texts of validation and test ({quality.n_leaked / n_judged:.0%}) "
            f"are near-duplicates of training texts with the other label; settle these labels, or raise "
            f"{_limit('max_leaked', settings)}"
        )


def _limit(name: str, settings: CorpusSettings) -> str:
    return f"{name} ({getattr(settings, name):g}) in [{CorpusSettings.SECTION}] of the settings file"


def _about_rows(quality: Quality, settings: CorpusSettings) -> Iterator[str]:
    read, rows = quality.rows_read, quality.rows_dropped
    undecodable, n_empty = rows.get("undecodable", 0), rows.get("empty", 0)
    if 0 < undecodable <= settings.max_undecodable * read:
        yield f"{undecodable:,} of {read:,} rows hold bytes that are not UTF-8 and are left out: save the file as UTF-8"
    if WARN_EMPTY * read < n_empty <= settings.max_empty * read:
        yield f"{n_empty:,} of {read:,} rows have no text"
    if WARN_DROPPED * read < _n_faulty(quality) <= settings.max_dropped * read:
        yield f"{_n_faulty(quality):,} of {read:,} rows are not used: {dropped(rows, 3)}"


def _about_labels(quality: Quality, settings: CorpusSettings) -> Iterator[str]:
    rare = min(quality.drawn, key=lambda label: quality.drawn[label])
    share = quality.drawn[rare] / quality.n_drawn if quality.n_drawn else 1.0
    if share < WARN_RARE:
        yield f"{share:.0%} of the texts are {rare}: a filter sees few of them; add {rare} texts"
    agreement, repeated = quality.repeated.agreement, quality.repeated
    if agreement is not None and agreement < WARN_AGREEMENT:
        yield (
            f"{repeated.n_texts - repeated.n_agreeing:,} of {repeated.n_texts:,} texts that stand in several rows have "
            "both labels: other labels of this data may be wrong as often"
        )
    if 0 < quality.n_leaked <= settings.max_leaked * _n_judged(quality):
        yield (
            f"{quality.n_leaked:,} of {_n_judged(quality):,} texts of validation and test are near-duplicates of a "
            "training text with the other label: look whether these labels are meant"
        )
    auroc = quality.length_auroc
    if auroc is not None and max(auroc, 1 - auroc) > WARN_LENGTH:
        longer = "toxic" if auroc > 0.5 else "benign"
        yield (
            f"the length alone tells the labels apart (AUROC {max(auroc, 1 - auroc):.2f}; {longer} texts are longer): "
            "a filter may learn the length; add texts of all lengths to both labels"
        )


def _about_texts(quality: Quality) -> Iterator[str]:
    lengths = quality.lengths.get("all")
    if lengths is not None and lengths.n_short + lengths.n_long > WARN_OUTLIERS * quality.n_kept:
        yield (
            f"{lengths.n_short + lengths.n_long:,} of {quality.n_kept:,} texts are much shorter or longer than the "
            f"others (half of which have {lengths.quartiles[0]:,.0f} to {lengths.quartiles[2]:,.0f} characters)"
        )
    written = {script: n for script, n in quality.scripts.items() if script != NO_LETTERS}
    n_written = sum(written.values())
    others = {script: n for script, n in list(written.items())[1:] if n > WARN_SCRIPT * n_written}
    if others:
        main = next(iter(written))
        listed = ", ".join(f"{n / n_written:.0%} {script}" for script, n in others.items())
        yield (
            f"most texts are written in {main}, but {listed}: a home keeps one language; "
            f"{named('lang')} is {quality.lang}"
        )
    for name, changes in (("canonicaliser", quality.canonicaliser), ("Reader", quality.reader)):
        if changes is not None and changes.share > WARN_CHANGED:
            yield f"the {name} changes {changes.share:.0%} of the texts before a model reads them: look at the examples"


def _n_faulty(quality: Quality) -> int:
    return sum(n for reason, n in quality.rows_dropped.items() if reason not in CHOSEN)


def _n_judged(quality: Quality) -> int:
    return sum(sum(labels.values()) for split, labels in quality.splits.items() if split != "train")
