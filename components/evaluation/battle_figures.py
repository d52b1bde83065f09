"""The figures of a battle: of each strategy, and of all of them together. Pure: attack records in, figures out.

They need no other model to compare with, and no clean texts: :mod:`.metrics` has the figures that do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from content_arena.components.attack_generation.outcomes import (
    benign_perturbed,
    flagged,
    got_past,
    judged,
    toxic_caught,
)
from content_arena.components.attack_generation.reach import reached
from content_arena.components.attack_generation.search.curve import curve
from content_arena.components.evaluation import metrics
from content_arena.components.evaluation.statistics import wilson
from content_arena.components.shared.figures import Rate


@dataclass(frozen=True)
class StrategyFigures:
    """What one strategy does to one model; one attack a text, so Wilson's intervals hold.

    Attributes:
        evasion: Readable successes / toxic texts the model caught before.
        benign_flagged: Flagged / benign texts the strategy changed and left readable.
        undone: Attacks whose text the canonicaliser turns back into the original / all attacks that changed a text.
        restored: Attacks whose text the model's filter reads like the original / all attacks that changed a text.
        queries: Mean number of queries of an attack on a text the model caught; None if it caught none.
        edit_share: Mean share of the text that the successes changed; None without a success.
    """

    evasion: Rate
    benign_flagged: Rate
    undone: Rate
    restored: Rate
    queries: float | None = None
    edit_share: float | None = None


def per_strategy(attacks: pd.DataFrame) -> Mapping[str, StrategyFigures]:
    """The figures of every strategy in the judged table."""
    found = {}
    for name, rows in attacks.groupby("strategy"):
        changed = rows[rows["perturbed_text"] != rows["original_text"]]
        found[str(name)] = StrategyFigures(
            wilson(got_past(toxic_caught(rows))),
            wilson(flagged(benign_perturbed(rows))),
            wilson(changed["undone"].to_numpy(dtype=bool)),
            wilson(changed["restored"].to_numpy(dtype=bool)),
            *_cost(rows),
        )
    return found


def of_battle(attacks: pd.DataFrame) -> Mapping[str, StrategyFigures]:
    """The figures of every strategy in a battle's attacks, which are not judged yet."""
    return per_strategy(judged(attacks))


@dataclass(frozen=True)
class FamilyFigures:
    """What the strategies of a family that reach the model do to it; intervals are over whole texts.

    Attributes:
        evasion: Readable successes / toxic texts the model caught before.
        benign_flagged: Flagged / benign texts the strategies changed and left readable.
        queries: Mean number of queries of an attack; None if nothing was caught.
        edit_share: Mean share of the text that the successes changed; None without a success.
    """

    evasion: Rate
    benign_flagged: Rate
    queries: float | None
    edit_share: float | None


def of_families(attacks: Sequence[pd.DataFrame], *, canonicalises: bool = True) -> Mapping[str, FamilyFigures]:
    """The figures of every family that has a strategy which reaches the model, by name.

    Args:
        attacks: Tables of Attack, not judged yet.
        canonicalises: See :func:`content_arena.components.attack_generation.reach.reached`.
    """
    joined = judged(reached(pd.concat(attacks), canonicalises=canonicalises))
    return {
        str(name): FamilyFigures(metrics.evasion(rows), metrics.perturbed_benign_fpr(rows), *_cost(rows))
        for name, rows in joined.groupby("family")
    }


@dataclass(frozen=True)
class BattleFigures:
    """The figures of a battle over all strategies that reach the model.

    Attributes:
        evasion: Readable successes / toxic texts the filter caught before.
        by_budget: Pairs of a number of queries and the evasion with at most so many; none if nothing was caught.
        queries: Mean number of queries of an attack; None if nothing was caught.
        edit_share: Mean share of the text that the successes changed; None without a success.
    """

    evasion: Rate
    by_budget: Sequence[tuple[int, float]]
    queries: float | None
    edit_share: float | None


def of_battle_together(attacks: Sequence[pd.DataFrame], *, canonicalises: bool = True) -> BattleFigures:
    """The figures over all strategies that reach the model.

    Args:
        attacks: Tables of Attack, not judged yet.
        canonicalises: See :func:`content_arena.components.attack_generation.reach.reached`.
    """
    joined = judged(reached(pd.concat(attacks), canonicalises=canonicalises))
    return BattleFigures(metrics.evasion(joined), curve(joined), *_cost(joined))


def _cost(attacks: pd.DataFrame) -> tuple[float | None, float | None]:
    """Mean queries of an attack on a caught text, and mean share of a text that the successes changed."""
    caught = toxic_caught(attacks)
    past = caught[got_past(caught)]
    return (
        float(caught["n_queries"].mean()) if len(caught) else None,
        float(past["pct_changed"].mean()) if len(past) else None,
    )
