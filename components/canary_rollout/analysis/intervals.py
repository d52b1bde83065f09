"""Figures of two variants and their differences, with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from content_arena.components.shared.figures import NOTHING, Rate

_RESAMPLES = 1_000
_LEVEL = 0.95
#: With fewer texts there is no useful interval.
_MIN_TEXTS = 30


@dataclass(frozen=True)
class Ratio:
    """A figure that is a ratio of two sums over trials.

    A rate is hits / trials; F1 is 2 tp / (2 tp + fp + fn), where each text adds to both sums.

    Attributes:
        clusters: Name of each trial's text; trials on the same text are resampled together.
        numerators: float[n].
        denominators: float[n].
    """

    clusters: tuple[str, ...]
    numerators: tuple[float, ...]
    denominators: tuple[float, ...]

    @classmethod
    def rate(cls, hits: Sequence[bool], clusters: Sequence[str]) -> Ratio:
        """Hits / trials."""
        return cls(tuple(clusters), tuple(float(hit) for hit in hits), (1.0,) * len(hits))

    @classmethod
    def f1(cls, flagged: Sequence[bool], is_toxic: Sequence[bool], clusters: Sequence[str]) -> Ratio:
        """2 tp / (2 tp + fp + fn)."""
        both = [(bool(a), bool(b)) for a, b in zip(flagged, is_toxic, strict=True)]
        return cls(tuple(clusters), tuple(2.0 * (a and b) for a, b in both), tuple(float(a + b) for a, b in both))


class Comparison(NamedTuple):
    """A figure of two variants on the same texts.

    Attributes:
        ours: The figure of the first.
        theirs: The figure of the second.
        difference: The first less the second, in [-1, 1].
    """

    ours: Rate
    theirs: Rate
    difference: Rate


def share_of(count: int, total: int, draws: int | None = None, level: float = _LEVEL) -> Rate:
    """A share with its interval (Wilson's), from counts.

    Args:
        count: Number of hits.
        total: Number of trials.
        draws: Number of independent trials if that is less than ``total``; ``total`` if None. Texts in one request are
            alike. In the worst case a whole request is worth one text (a design effect of texts / requests; Kish 1965,
            section 5.4).
        level: Level of the interval.
    """
    from statsmodels.stats.proportion import proportion_confint

    if total == 0:
        return NOTHING
    n = total if draws is None else min(total, draws)
    if n == 0:
        return Rate(None, total, None, None)
    low, high = proportion_confint(n * count / total, n, alpha=1 - level, method="wilson")
    return Rate(count / total, total, float(low), float(high))


def answers_for(limit: float) -> float:
    """The least number of trials after which the interval of a share is within a limit, if there is no hit.

    By Wilson's interval for no hits of n, whose upper end is z^2 / (n + z^2).

    Args:
        limit: In [0, 1]. At 0 no number is enough (infinity).
    """
    z = NormalDist().inv_cdf((1 + _LEVEL) / 2)
    return math.ceil(z * z * (1 - limit) / limit) if limit > 0 else math.inf


def apart(ours: Rate, theirs: Rate) -> Rate:
    """Difference of two independent shares, with Newcombe's hybrid score interval (1998, method 10)."""
    values = (ours.rate, ours.low, ours.high, theirs.rate, theirs.low, theirs.high)
    if any(value is None for value in values):
        return Rate(None, ours.n, None, None)
    p, low_p, high_p, q, low_q, high_q = (float(value) for value in values if value is not None)
    below = math.hypot(p - low_p, high_q - q)
    above = math.hypot(high_p - p, q - low_q)
    return Rate(p - q, ours.n, p - q - below, p - q + above)


def compare(ours: Ratio, theirs: Ratio, seed: int = 0) -> Comparison:
    """A figure of two variants and its difference, on the same texts, with percentile bootstraps over whole texts.

    The same texts are drawn for both, because a text that is hard for one model is hard for the other too (Davison and
    Hinkley 1997, section 3.8). Resampling cannot show a disagreement that is in none of the texts. Therefore the
    interval of the difference is at least as wide as Wilson's for the share of texts on which the two disagree: two
    models that agree on all of 73 texts may still be 0.05 apart.

    Returns:
        A rate of None where a denominator is 0, or there are too few texts.
    """
    names = sorted({*ours.clusters, *theirs.clusters})
    sums = [_sums(ratio, names) for ratio in (ours, theirs)]
    totals = [(float(top.sum()), float(bottom.sum())) for top, bottom in sums]
    draws = np.random.default_rng(seed).integers(0, max(1, len(names)), size=(_RESAMPLES, len(names)))
    with np.errstate(invalid="ignore", divide="ignore"):
        resampled = [top[draws].sum(axis=1) / bottom[draws].sum(axis=1) for top, bottom in sums]
    counts = [int(np.count_nonzero(bottom)) for _, bottom in sums]
    ns = (len(ours.clusters), len(theirs.clusters))
    figures = [
        _at_least_wilson(Rate(top / bottom, n, *_interval(drawn)), count) if bottom > 0 else Rate(None, n, None, None)
        for (top, bottom), drawn, count, n in zip(totals, resampled, counts, ns, strict=True)
    ]
    difference = Rate(None, ns[0], None, None)
    if all(bottom > 0 for _, bottom in totals) and min(counts) >= _MIN_TEXTS:
        apart = totals[0][0] / totals[0][1] - totals[1][0] / totals[1][1]
        difference = _with_disagreements(Rate(apart, ns[0], *_interval(resampled[0] - resampled[1])), sums)
    return Comparison(figures[0], figures[1], difference)


def quantile(edges: Sequence[float], counts: Sequence[int], share: float) -> float:
    """The value that a share of the counted values is below, computed as Prometheus' ``histogram_quantile`` does.

    Values are interpolated linearly within a bin. The first bin begins at 0.

    Returns:
        NaN if nothing was counted, infinity if the value is in the bin without an upper end.
    """
    total, before, begin = sum(counts), 0, 0.0
    if not total:
        return math.nan
    for end, count in zip(edges, counts, strict=True):
        if count and before + count >= share * total:
            return begin + (end - begin) * (share * total - before) / count
        before, begin = before + count, end
    return math.inf


def psi(before: Sequence[int], after: Sequence[int], draws: tuple[int, int] | None = None) -> tuple[float, float]:
    """Population stability index of two histograms, and its average value for equal distributions.

    sum((q - p) ln(q / p)); 0 means equal. Half a count is added to each bin so that an empty bin does not make the
    index infinite. For equal distributions it is about (bins - 1) (1 / n + 1 / m) (Yurdakul 2018).

    Args:
        before: Texts in each bin.
        after: Texts in each bin.
        draws: Number of requests in which the texts arrived, as in :func:`share_of`.

    Returns:
        Both NaN if either histogram is empty or they have different bins.
    """
    if len(before) != len(after) or not sum(before) or not sum(after):
        return math.nan, math.nan
    p, q = (np.asarray(counts, dtype=float) + 0.5 for counts in (before, after))
    p, q = p / p.sum(), q / q.sum()
    n, m = (min(pair) for pair in zip((sum(before), sum(after)), draws or (math.inf, math.inf), strict=True))
    noise = (len(before) - 1) * (1 / n + 1 / m) if n and m else math.nan
    return float(np.sum((q - p) * np.log(q / p))), noise


def highest_psi(true: float, noise: float, bins: int, level: float = _LEVEL) -> float:
    """The value that a measured index is below with probability ``level``, if the true index is ``true``.

    Divided by 1 / n + 1 / m, the index is noncentral chi-squared with bins - 1 degrees of freedom. For small
    differences it is Pearson's statistic, whose power this distribution describes (Yurdakul 2018; Cochran 1952).

    Args:
        true: Index of the distributions that the texts are drawn from.
        noise: Second value of :func:`psi`.
        bins: Number of bins, 2 or more.
        level: Probability in (0, 1).
    """
    from scipy.stats import ncx2

    scale = noise / (bins - 1)
    return float(scale * ncx2.ppf(level, bins - 1, true / scale))


def _at_least_wilson(found: Rate, texts: int) -> Rate:
    """Widens an interval to at least Wilson's for that many texts: if no trial is a hit, no resample has one."""
    if texts < _MIN_TEXTS or found.rate is None or found.low is None or found.high is None:
        return Rate(None, found.n, None, None)
    least = share_of(round(found.rate * texts), texts)
    return Rate(found.rate, found.n, min(found.low, float(least.low or 0)), max(found.high, float(least.high or 1)))


def _with_disagreements(found: Rate, sums: Sequence[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]) -> Rate:
    """Widens an interval by the uncertainty of how many texts the two disagree on, times the size of a disagreement."""
    if found.rate is None or found.low is None or found.high is None:
        return found
    (top, bottom), (other_top, other_bottom) = sums
    both = float(bottom.sum() + other_bottom.sum())
    # How far each text moves the two ratios apart, in texts: the linearised difference.
    apart = np.abs(top - other_top - (top.sum() + other_top.sum()) / both * (bottom - other_bottom))
    apart *= 2 * len(apart) / both
    texts, differing = len(apart), int(np.count_nonzero(apart))
    share = share_of(differing, texts)
    # As if one more text disagreed completely: a few texts do not show how large other disagreements are.
    turned = (float(apart.sum()) + 1) / (differing + 1)
    more = turned * (float(share.high or 1) - float(share.rate or 0))
    return Rate(found.rate, found.n, min(found.low, found.rate - more), max(found.high, found.rate + more))


def _sums(ratio: Ratio, names: list[str]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    place = {name: index for index, name in enumerate(names)}
    index = [place[name] for name in ratio.clusters]
    top, bottom = np.zeros(len(names)), np.zeros(len(names))
    np.add.at(top, index, ratio.numerators)
    np.add.at(bottom, index, ratio.denominators)
    return top, bottom


def _interval(values: npt.NDArray[np.float64]) -> tuple[float | None, float | None]:
    """None if a resample has a denominator of 0: there are too few texts for an interval."""
    if not np.isfinite(values).all():
        return None, None
    low, high = np.quantile(values, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)
