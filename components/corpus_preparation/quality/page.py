"""The quality of labelled texts as one HTML page that needs no other file and no network.

The texts in it come from strangers: the template escapes everything, and characters that are invisible or change the
reading direction are shown by their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from content_arena.components.corpus_preparation.quality.measures import Changes, Lengths, Quality
from content_arena.components.shared.figures import NOT_MEASURED
from content_arena.components.shared.pages import display
from content_arena.components.shared.pages.templates import template

Row = Mapping[str, str | Markup]
#: What a reason to drop a row means.
MEANINGS = {
    "undecodable": "bytes that are not UTF-8",
    "nul_character": "holds a NUL character",
    "unlabelled": "has no label",
    "other_language": "marked as another language",
    "too_long": "over 5,000 characters",
    "empty": "no text, or none that can be seen",
    "contradictory_label": "the same text has both labels",
    "exact_duplicate": "repeats an earlier text",
    "near_duplicate": "differs from an earlier text of its label in a few characters",
    "over_max_texts": "not drawn: the data has more texts than the limit",
    "forgotten": "was to be forgotten, at somebody's request",
    "near_guard": "nearly a text of the guard set",
}


def render(quality: Quality, stops: Sequence[str], warnings: Sequence[str]) -> str:
    """Returns the page; the same arguments give the same page.

    Args:
        quality: What was measured.
        stops: Why nothing may be trained on this data.
        warnings: What a person should look at.
    """
    n_read, n_drawn = quality.rows_read, quality.n_drawn
    return template(Path(__file__).parent, "quality.html").render(
        origin=display.printable(quality.origin),
        lang=display.printable(quality.lang),
        n_read=f"{n_read:,}",
        n_kept=f"{quality.n_kept:,}",
        n_drawn=f"{n_drawn:,}",
        stops=list(map(display.printable, stops)),
        warnings=list(map(display.printable, warnings)),
        dropped=[_reason(quality, reason, n) for reason, n in quality.rows_dropped.items() if n],
        missing=[_share(name, n, n_read) for name, n in quality.missing.items()],
        labels=_labels(quality),
        lengths=[_lengths(name, found) for name, found in quality.lengths.items()],
        length_auroc=display.figure(quality.length_auroc, "score"),
        repeated={
            "n": f"{quality.repeated.n_texts:,}",
            "agreement": display.figure(quality.repeated.agreement, "share"),
            "n_leaked": f"{quality.n_leaked:,}",
        },
        scripts=[_share(name, n, n_drawn) for name, n in quality.scripts.items()],
        masked=[_share(name, n, n_drawn) for name, n in quality.masked.items()],
        changes=[
            _changes("The canonicaliser", quality.canonicaliser),
            *([_changes("The Reader, after that,", quality.reader)] if quality.reader else []),
        ],
        has_reader=quality.reader is not None,
    )


def _reason(quality: Quality, reason: str, n: int) -> dict[str, object]:
    """A row about the rows that were dropped for a reason."""
    examples = [display.visible(text) for text in quality.dropped_examples.get(reason, ())]
    return {**_share(reason, n, quality.rows_read), "meaning": MEANINGS.get(reason, ""), "examples": examples}


def _share(name: str, n: int, of: int) -> Row:
    share = n / of if of else None
    width = f"{100 * (share or 0):.1f}%"
    return {
        "name": display.printable(name),
        "n": f"{n:,}",
        "share": NOT_MEASURED if share is None else width,
        "width": width,
    }


def _labels(quality: Quality) -> list[Row]:
    """Rows about the labels: of all texts kept, of those drawn, and of each split."""
    counted: Iterable[tuple[str, Mapping[str, int]]] = (
        ("texts kept", quality.labels),
        ("texts drawn", quality.drawn),
        *quality.splits.items(),
    )
    rows: list[Row] = []
    for name, number_of in counted:
        n = sum(number_of.values())
        counts = {"benign": f"{number_of['benign']:,}", "all": f"{n:,}"}
        rows.append({**_share(name, number_of["toxic"], n), **counts})
    return rows


def _lengths(name: str, lengths: Lengths) -> Row:
    low, median, high = (f"{value:,.0f}" for value in lengths.quartiles)
    return {
        "name": name,
        "smallest": f"{lengths.smallest:,}",
        "low": low,
        "median": median,
        "high": high,
        "largest": f"{lengths.largest:,}",
        "n_short": f"{lengths.n_short:,}",
        "n_long": f"{lengths.n_long:,}",
    }


def _changes(name: str, changes: Changes) -> dict[str, object]:
    return {
        "name": name,
        "n": f"{changes.n_changed:,}",
        "of": f"{changes.n_texts:,}",
        "share": display.figure(changes.share, "share"),
        "examples": [(display.visible(old), display.changes(old, new)) for old, new in changes.examples],
    }
