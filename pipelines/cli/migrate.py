"""``arena migrate``: moves what was tuned to another service's scores to the filter's own."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli.console import out, status
from content_arena.pipelines.cli.options import AsJson
from content_arena.pipelines.execution.home import registry_here

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from content_arena.components.evaluation.old_scores import OldScores
    from content_arena.components.evaluation.score_map import Comparison, Moved, ScoreMap
    from content_arena.components.shared.scoring.bundle import Bundle

#: The attribute that every bundle has a score for.
TOXICITY = "TOXICITY"
_CUTOFF = 0.7
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
            help="Table with a text, an attribute and Perspective's score in each row, or with a text and a column of "
            "scores for each attribute, or with Perspective's answers (CSV, JSONL, ...).",
        ),
    ],
    cutoff: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCORE",
            show_default=f"{_CUTOFF:g}",
            help="Score from which on you flag a comment; INSULT=0.8 for an attribute of its own. May be repeated.",
        ),
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
    """Move cut-offs from Perspective's scores to those of a version, for each attribute, and show where they disagree.

    Scores your texts, fits a map that never falls (isotonic regression), and moves the cut-offs by it. Give a random
    sample of your comments: the shares are those of the file. Nothing is changed in the registry.
    """
    from content_arena.components.evaluation.old_scores import read_old_scores
    from content_arena.components.shared.scoring import bundle as bundles

    cutoffs = _cutoffs(cutoff or [])
    registry = registry_here()
    version = registry.resolve(alias)
    bundle = bundles.load(registry.download(version))
    named = {"text": text_column, "attribute": attribute_column, "score": score_column}
    old = read_old_scores(scores, bundle.spec.lang, TOXICITY, named)
    chosen = _chosen(old, {TOXICITY: bundle.spec.threshold, **bundle.spec.attributes}, f"version {version}")
    if unused := [name for name in cutoffs if name is not None and name not in chosen.moved]:
        raise InputError(f"--cutoff names {', '.join(unused)}; the file lets {', '.join(chosen.moved)} be moved")
    n = len({text for name in chosen.moved for text in old[name].texts})
    status(f"scoring {n:,} texts with version {version}")
    found = _migrated(bundle, {name: old[name] for name in chosen.moved}, cutoffs)
    if as_json:
        documents = {name: _document(one, old[name], comments_per_day) for name, one in found.items()}
        rest = {"not_scored": chosen.not_scored, "too_few": chosen.too_few}
        print(json.dumps({"version": str(version), "attributes": documents, **rest}))
        return
    for name, one in found.items():
        _print(name, one, old[name], comments_per_day)
    for line in _not_moved(chosen, f"version {version}"):
        out.print(line, highlight=False, soft_wrap=True, markup=False)


def _cutoffs(given: Sequence[str]) -> dict[str | None, list[float]]:
    """The cut-offs by attribute, those of all other attributes under None.

    Raises:
        InputError: One is neither a score from 0 to 1 nor an attribute and such a score.
    """
    cutoffs: dict[str | None, list[float]] = {}
    for text in given:
        name, equals, number = text.rpartition("=")
        try:
            score = float(number)
        except ValueError:
            score = math.nan
        if not 0 <= score <= 1 or (equals and not name.strip()):
            raise InputError(f"--cutoff {text}: write a score from 0 to 1, or an attribute and a score as INSULT=0.8")
        cutoffs.setdefault(name.strip().upper() or None, []).append(score)
    return cutoffs


@dataclass(frozen=True)
class _Chosen:
    """Which attributes of a file are moved.

    Attributes:
        moved: Those with enough texts that the version scores, toxicity first.
        not_scored: Those that the version does not score, with their texts.
        too_few: Those with too few texts to move, with their number.
    """

    moved: list[str]
    not_scored: dict[str, int]
    too_few: dict[str, int]


def _chosen(old: Mapping[str, OldScores], scored: Iterable[str], who: str) -> _Chosen:
    """Chooses.

    Raises:
        InputError: Nothing can be moved.
    """
    from content_arena.components.evaluation.score_map import MIN_TEXTS, check_enough

    n_texts = {name: len(old[name].texts) for name in scored if name in old}
    not_scored = {name: len(scores.texts) for name, scores in sorted(old.items()) if name not in n_texts}
    if not n_texts:
        raise InputError(f"{who} has no score for {', '.join(not_scored)}, of which the old scores are")
    check_enough(max(n_texts.values()))
    moved = [name for name, n in n_texts.items() if n >= MIN_TEXTS]
    return _Chosen(moved, not_scored, {name: n for name, n in n_texts.items() if n < MIN_TEXTS})


@dataclass(frozen=True)
class _Migration:
    """What is said of the scores of an attribute.

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


def _migrated(
    bundle: Bundle, old: Mapping[str, OldScores], cutoffs: Mapping[str | None, list[float]]
) -> dict[str, _Migration]:
    from content_arena.components.shared.scoring.filter import ContentFilter

    texts = list(dict.fromkeys(text for scores in old.values() for text in scores.texts))
    content_filter = ContentFilter(bundle)
    try:
        columns = dict(zip((TOXICITY, *content_filter.attributes), content_filter.score_all(texts).T, strict=True))
    finally:
        content_filter.close()
    place = {text: index for index, text in enumerate(texts)}
    thresholds = {TOXICITY: bundle.spec.threshold, **bundle.spec.attributes}
    everywhere = cutoffs.get(None, [_CUTOFF])
    return {
        name: _moved(
            scores,
            columns[name][[place[text] for text in scores.texts]].astype(float),
            cutoffs.get(name, everywhere),
            thresholds[name],
        )
        for name, scores in old.items()
    }


def _moved(old: OldScores, new: npt.NDArray[np.float64], cutoffs: Sequence[float], threshold: float) -> _Migration:
    import numpy as np
    from scipy.stats import spearmanr

    from content_arena.components.evaluation import score_map

    before = np.asarray(old.scores)
    return _Migration(
        moved=score_map.move(new, before, cutoffs, threshold),
        map=score_map.fit(new, before),
        furthest=[
            (old.rows[index], float(before[index]), float(new[index]))
            for index in score_map.furthest(new, before, _N_FURTHEST)
        ],
        rank_correlation=float(spearmanr(new, before).statistic) if np.ptp(new) and np.ptp(before) else None,
        threshold=threshold,
    )


def _document(found: _Migration, old: OldScores, per_day: int | None) -> dict[str, object]:
    return {
        "n": len(old.texts),
        "n_dropped": old.n_dropped,
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


def _print(attribute: str, found: _Migration, old: OldScores, per_day: int | None) -> None:
    table = Table(title=f"{len(old.texts):,} texts with an old score of {attribute}", title_justify="left")
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
    return lines


def _not_moved(chosen: _Chosen, who: str) -> list[str]:
    """Which attributes were left out, with their texts."""
    from content_arena.components.evaluation.score_map import MIN_TEXTS

    reasons = (
        (chosen.not_scored, f"{who} has no score for them"),
        (chosen.too_few, f"fewer than {MIN_TEXTS} texts have an old score of them"),
    )
    return [
        f"Not moved, since {why}: {', '.join(f'{name} ({n:,} texts)' for name, n in left_out.items())}."
        for left_out, why in reasons
        if left_out
    ]
