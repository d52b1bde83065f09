"""``arena migrate``: moves what was tuned to another service's scores to the filter's own."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from content_arena.pipelines.cli.console import out, status
from content_arena.pipelines.cli.options import AsJson
from content_arena.pipelines.execution.home import registry_here

if TYPE_CHECKING:
    from content_arena.components.evaluation.old_scores import OldScores
    from content_arena.components.evaluation.score_map import Comparison, Moved, ScoreMap
    from content_arena.components.shared.scoring.bundle import Bundle

#: The one attribute that a bundle has a score for.
TOXICITY = "TOXICITY"
_N_FURTHEST = 20

migrate = typer.Typer(
    name="migrate", help="Move what was tuned to another service's scores to this filter's.", no_args_is_help=True
)


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    migrate.command()(perspective)
    app.add_typer(migrate)


@migrate.callback()
def _group() -> None:
    """Makes a group of it, although it has one command."""


def perspective(
    scores: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Table with a text, an attribute and Perspective's score in each row (CSV, ...).",
        ),
    ],
    cutoff: Annotated[
        list[float] | None,
        typer.Option(min=0, max=1, show_default="0.7", help="Score from which on you flag a comment; may be repeated."),
    ] = None,
    comments_per_day: Annotated[
        int | None, typer.Option(min=1, help="Comments that you get in a day: shares are shown as comments too.")
    ] = None,
    alias: Annotated[
        str, typer.Option(help="Which version to compare: champion, challenger, previous or a version's number.")
    ] = "champion",
    text_column: Annotated[str | None, typer.Option(help="Column of the texts; usual names are found.")] = None,
    attribute_column: Annotated[
        str | None, typer.Option(help="Column of the attributes; without one all scores are of TOXICITY.")
    ] = None,
    score_column: Annotated[str | None, typer.Option(help="Column of the scores; usual names are found.")] = None,
    as_json: AsJson = False,
) -> None:
    """Move cut-offs from Perspective's TOXICITY to the score of a version, and show where the two disagree.

    Scores your texts, fits a map that never falls (isotonic regression), and moves the cut-offs by it. Give a random
    sample of your comments: the shares are those of the file. Nothing is changed in the registry.
    """
    from content_arena.components.evaluation.old_scores import read_old_scores
    from content_arena.components.evaluation.score_map import check_enough
    from content_arena.components.shared.scoring import bundle as bundles

    registry = registry_here()
    version = registry.resolve(alias)
    bundle = bundles.load(registry.download(version))
    named = {"text": text_column, "attribute": attribute_column, "score": score_column}
    old = read_old_scores(scores, bundle.spec.lang, TOXICITY, named)
    check_enough(len(old.texts))
    status(f"scoring {len(old.texts):,} texts with version {version}")
    found = _migrated(bundle, old, cutoff or [0.7])
    if as_json:
        print(json.dumps({"version": str(version), **_document(found, old, comments_per_day)}))
    else:
        _print(found, old, comments_per_day)


@dataclass(frozen=True)
class _Migration:
    """What is said of the scores.

    Attributes:
        moved: Of each cut-off.
        map: From new scores to old ones.
        furthest: Row, old and new score of the texts that are furthest from the map.
        rank_correlation: Spearman's, of old and new scores; None if all of one side are equal.
        threshold: The filter's own.
    """

    moved: list[Moved]
    map: ScoreMap
    furthest: list[tuple[int, float, float]]
    rank_correlation: float | None
    threshold: float


def _migrated(bundle: Bundle, old: OldScores, cutoffs: list[float]) -> _Migration:
    import numpy as np
    from scipy.stats import spearmanr

    from content_arena.components.evaluation import score_map
    from content_arena.components.shared.scoring.filter import ContentFilter

    content_filter = ContentFilter(bundle)
    try:
        new = content_filter.score(old.texts).astype(float)
    finally:
        content_filter.close()
    before = np.asarray(old.scores)
    return _Migration(
        moved=score_map.move(new, before, cutoffs, bundle.spec.threshold),
        map=score_map.fit(new, before),
        furthest=[
            (old.rows[index], float(before[index]), float(new[index]))
            for index in score_map.furthest(new, before, _N_FURTHEST)
        ],
        rank_correlation=float(spearmanr(new, before).statistic) if np.ptp(new) and np.ptp(before) else None,
        threshold=bundle.spec.threshold,
    )


def _document(found: _Migration, old: OldScores, per_day: int | None) -> dict[str, object]:
    return {
        "attribute": TOXICITY,
        "n": len(old.texts),
        "n_dropped": old.n_dropped,
        "other_attributes": dict(old.others),
        "rank_correlation": found.rank_correlation,
        "threshold": found.threshold,
        "cutoffs": [
            {
                "old": one.old,
                "new": one.new,
                "as_many_from": one.as_many_from,
                "at_cutoff": _compared(one.at_cutoff, per_day),
                "at_threshold": _compared(one.at_threshold, per_day),
            }
            for one in found.moved
        ],
        "map": {"new": found.map.new.tolist(), "old": found.map.old.tolist()},
        "furthest": [dict(zip(("row", "old", "new"), one, strict=True)) for one in found.furthest],
    }


def _compared(comparison: Comparison, per_day: int | None) -> dict[str, object]:
    """The shares, and as comments a day."""
    document: dict[str, object] = asdict(comparison)
    if per_day is not None:
        document["comments_per_day"] = {
            name: round(per_day * (getattr(comparison, name).rate or 0)) for name in document
        }
    return document


def _print(found: _Migration, old: OldScores, per_day: int | None) -> None:
    table = Table(title=f"{len(old.texts):,} texts with an old score of {TOXICITY}", title_justify="left")
    columns = ("old", "new cut-off", "flagged before", "after", "agree", "lost", "gained")
    for column in columns:
        table.add_column(column, justify="right")
    for one in found.moved:
        new = "none" if one.new is None else f"{one.new:.3f}"
        table.add_row(f"{one.old:g}", new, *_cells(one.at_cutoff, per_day))
        table.add_row(f"{one.old:g}", f"{found.threshold:.3f} (own)", *_cells(one.at_threshold, per_day))
    out.print(table)
    for line in _lines(found, old, per_day):
        out.print(line, highlight=False, soft_wrap=True)


def _cells(comparison: Comparison, per_day: int | None) -> list[str]:
    """The shares, or what they are in a day; agreement is a share always."""
    return [
        f"{rate.rate or 0:.1%}" if per_day is None or name == "agreement" else f"{per_day * (rate.rate or 0):,.0f}"
        for name, rate in vars(comparison).items()
    ]


def _lines(found: _Migration, old: OldScores, per_day: int | None) -> list[str]:
    """What the table does not say."""
    lines = [
        "Lost: flagged before and not after. Gained: the other way round. (own) is the filter's own threshold."
        + ("" if per_day is None else f" Comments a day, of {per_day:,}."),
    ]
    if found.rank_correlation is not None:
        lines.append(
            f"Order: the rank correlation of old and new scores is {found.rank_correlation:.2f} "
            "(1: the same order, 0: none in common)."
        )
    lines += [
        f"No score of this filter means {one.old:g} there: its scores correspond to {found.map.old[-1]:.2f} at most. "
        f"From {one.as_many_from:.4f} on as many comments are flagged as before."
        for one in found.moved
        if one.new is None and one.as_many_from is not None
    ]
    rows = ", ".join(f"{row} ({before:.2f} to {new:.2f})" for row, before, new in found.furthest[:5])
    lines.append(f"Look at the rows where the two are furthest apart: {rows}.")
    if old.n_dropped:
        lines.append(f"Left out: {old.n_dropped:,} rows without a text or without a score from 0 to 1.")
    if old.others:
        names = ", ".join(f"{name} ({n:,} rows)" for name, n in sorted(old.others.items()))
        lines.append(f"Not moved, since the filter has no score for them: {names}.")
    return lines
