"""Moves cut-offs from the scores of one filter to those of another that scored the same texts.

The map goes from the new score to the old one: for each new score, the mean old score of the texts that have it, as far
as a function that never falls can follow it (isotonic regression, least squares; Barlow et al. 1972, "Statistical
Inference under Order Restrictions"; scikit-learn's IsotonicRegression). The new cut-off is the lowest new score whose
old score reaches the old cut-off. Agreement is measured on texts that the map was not fitted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from content_arena.components.evaluation.statistics import wilson
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.figures import Rate

#: Texts below which a map says little.
MIN_TEXTS = 100
_FOLDS = 5

Scores = npt.NDArray[np.float64]
Verdicts = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ScoreMap:
    """A map from new scores to old ones that never falls, linear between its points.

    Attributes:
        new: New scores of the points, rising.
        old: Old scores of the points, not falling.
    """

    new: Scores
    old: Scores

    def old_of(self, new: Scores) -> Scores:
        """The old score that new ones correspond to; beyond the points it is that of the nearest one."""
        return np.interp(new, self.new, self.old)

    def cutoff(self, old: float) -> float | None:
        """The lowest new score that corresponds to an old one of at least ``old``; None if there is no such score."""
        reached = np.flatnonzero(self.old >= old)
        if not len(reached):
            return None
        first = int(reached[0])
        if first == 0:
            return 0.0
        below, above = slice(first - 1, first), slice(first, first + 1)
        share = (old - self.old[below]) / (self.old[above] - self.old[below])
        return float((self.new[below] + share * (self.new[above] - self.new[below]))[0])


@dataclass(frozen=True)
class Comparison:
    """Verdicts before and after. Shares are of all texts, with 95 % intervals.

    Attributes:
        flagged_before: Share with an old score of at least the old cut-off.
        flagged_after: Share with a new score of at least the new one.
        agreement: Share with the same verdict.
        lost: Share flagged before and not after.
        gained: Share flagged after and not before.
    """

    flagged_before: Rate
    flagged_after: Rate
    agreement: Rate
    lost: Rate
    gained: Rate

    @classmethod
    def of(cls, before: Verdicts, after: Verdicts) -> Self:
        """Compares the verdicts on n texts, bool[n] each."""
        shares = (before, after, before == after, before & ~after, after & ~before)
        return cls(*map(wilson, shares))


@dataclass(frozen=True)
class Moved:
    """An old cut-off and what becomes of it.

    Attributes:
        old: The old cut-off.
        new: The new one; None if no new score corresponds to it.
        at_cutoff: Verdicts at the new cut-off, on texts that the map was not fitted on.
        at_threshold: Verdicts at the filter's own threshold.
        as_many_from: The new score from which on as many texts are flagged as before; None if none were.
    """

    old: float
    new: float | None
    at_cutoff: Comparison
    at_threshold: Comparison
    as_many_from: float | None


def fit(new: Scores, old: Scores) -> ScoreMap:
    """The map that fits n pairs of scores best.

    Args:
        new: float64[n] in [0, 1].
        old: float64[n] in [0, 1].
    """
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(new, old)
    return ScoreMap(np.asarray(model.X_thresholds_, dtype=float), np.asarray(model.y_thresholds_, dtype=float))


def check_enough(n: int) -> None:
    """Refuses too few texts.

    Raises:
        InputError: With the number that is needed.
    """
    if n < MIN_TEXTS:
        raise InputError(f"texts with an old score: {n}; at least {MIN_TEXTS} are needed, and 1,000 are better")


def move(new: Scores, old: Scores, cutoffs: Sequence[float], threshold: float) -> list[Moved]:
    """Moves cut-offs, and compares the verdicts before and after.

    A text is judged by a map that was fitted on the other four fifths of the texts.

    Args:
        new: float64[n] in [0, 1], n distinct texts.
        old: float64[n] in [0, 1].
        cutoffs: Old ones.
        threshold: The filter's own.
    """
    fold = np.random.default_rng(0).permutation(len(new)) % _FOLDS
    maps = [fit(new[fold != k], old[fold != k]) for k in range(_FOLDS)]
    whole = fit(new, old)
    return [
        Moved(
            old=cutoff,
            new=whole.cutoff(cutoff),
            at_cutoff=Comparison.of(old >= cutoff, _judged(new, fold, maps, cutoff)),
            at_threshold=Comparison.of(old >= cutoff, new >= threshold),
            as_many_from=_as_many_from(new, int((old >= cutoff).sum())),
        )
        for cutoff in cutoffs
    ]


def furthest(new: Scores, old: Scores, most: int) -> list[int]:
    """Indices of the texts whose old score is furthest from what the map makes of the new one, the furthest first."""
    distance = np.abs(fit(new, old).old_of(new) - old)
    return [int(index) for index in np.argsort(-distance, kind="stable")[:most]]


def _judged(new: Scores, fold: npt.NDArray[np.int64], maps: Sequence[ScoreMap], cutoff: float) -> Verdicts:
    verdicts = np.zeros(len(new), dtype=bool)
    for k, one in enumerate(maps):
        moved = one.cutoff(cutoff)
        if moved is not None:
            verdicts |= (fold == k) & (new >= moved)
    return verdicts


def _as_many_from(new: Scores, n_flagged: int) -> float | None:
    return float(np.sort(new)[-n_flagged]) if n_flagged else None
