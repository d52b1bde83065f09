"""Rates with their uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from content_arena.components.shared.figures import NOTHING, Rate

#: How often each row was drawn, float64[n].
Weights = npt.NDArray[np.float64]

_RESAMPLES = 1_000
_LEVEL = 0.95


def wilson(hits: Sequence[bool] | npt.NDArray[np.bool_]) -> Rate:
    """A share of independent trials with Wilson's score interval.

    It keeps its coverage for small n and for shares near 0 and 1, where the normal interval does not (Wilson 1927;
    Brown, Cai and DasGupta 2001).

    Args:
        hits: bool[n].
    """
    n = len(hits)
    if n == 0:
        return NOTHING
    share = int(np.sum(hits)) / n
    return Rate(share, n, *_wilson_interval(share, n))


def _wilson_interval(share: float, n: int) -> tuple[float, float]:
    """Wilson's interval of a share of n trials."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(share * n, n, alpha=1 - _LEVEL, method="wilson")
    return float(low), float(high)


def cluster_bootstrap(hits: npt.NDArray[np.bool_], clusters: Sequence[str], seed: int = 0) -> Rate:
    """A share of trials that come in clusters, with a percentile bootstrap over whole clusters.

    The attacks on one text succeed and fail together, so an interval that takes them for independent is too narrow
    (Davison and Hinkley 1997, section 3.8). Drawing again from clusters that all have the same share gives that share
    and no width, however few they are. Wilson's interval of as many trials as there are clusters is given then, which
    keeps its coverage for none and for all (Brown, Cai and DasGupta 2001). It is also given where every cluster is one
    trial: those are independent.

    Args:
        hits: bool[n].
        clusters: n names; equal names belong together (base_id).
        seed: Of the resampling.
    """
    n = len(hits)
    if n == 0:
        return NOTHING
    _, index = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
    n_clusters = int(index.max()) + 1
    successes = np.bincount(index, weights=np.asarray(hits, dtype=float), minlength=n_clusters)
    sizes = np.bincount(index, minlength=n_clusters).astype(float)
    share = float(np.mean(hits))
    if n_clusters == n or np.ptp(successes / sizes) == 0:
        return Rate(share, n, *_wilson_interval(share, n_clusters))
    draws = np.random.default_rng(seed).integers(0, n_clusters, size=(_RESAMPLES, n_clusters))
    rates = successes[draws].sum(axis=1) / sizes[draws].sum(axis=1)
    low, high = np.quantile(rates, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Rate(share, n, float(low), float(high))


def bootstrap_interval(
    statistic: Callable[[Weights, Weights], float], strata: tuple[Sequence[str], Sequence[str]], seed: int = 0
) -> tuple[float, float] | None:
    """The 95 % percentile interval of a statistic of two samples, from a bootstrap over whole clusters of each.

    Args:
        statistic: Gets a weight for each row of either sample, float64[n]: how often the row was drawn. NaN where it is
            not defined.
        strata: The clusters of the rows of either sample; equal names belong together (base_id).
        seed: Of the resampling.

    Returns:
        Lower and upper end; None if a sample is empty or the statistic is not defined in most of the draws.
    """
    indices = [np.unique(np.asarray(names, dtype=str), return_inverse=True)[1] for names in strata]
    if not all(map(len, indices)):
        return None
    rng = np.random.default_rng(seed)

    def drawn(index: npt.NDArray[np.intp]) -> Weights:
        n_clusters = int(index.max()) + 1
        return np.bincount(rng.integers(0, n_clusters, n_clusters), minlength=n_clusters)[index].astype(float)

    values = np.array([statistic(drawn(indices[0]), drawn(indices[1])) for _ in range(_RESAMPLES)])
    values = values[~np.isnan(values)]
    if 2 * len(values) < _RESAMPLES:
        return None
    low, high = np.quantile(values, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class Discordance:
    """The trials on which two models differ, and McNemar's test of whether that is more than chance.

    Attributes:
        only_first: Trials that were a hit for the first model and not for the second.
        only_second: The other way round.
        n: All trials, those on which both agree included.
        p_value: Exact, two-sided; 1 where the models differ on no trial.
    """

    only_first: int
    only_second: int
    n: int
    p_value: float


def mcnemar(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> Discordance:
    """Compares two models on the same independent trials (McNemar 1947), by the exact binomial test.

    Args:
        first: Hits of the first model, bool[n].
        second: Hits of the second model on the same trials, bool[n].

    Raises:
        ValueError: The two are not of one length.
    """
    from statsmodels.stats.contingency_tables import mcnemar as exact_test

    if first.shape != second.shape:
        raise ValueError(f"{first.shape} and {second.shape} are not the same trials")
    both, only_first = int(np.sum(first & second)), int(np.sum(first & ~second))
    only_second, neither = int(np.sum(~first & second)), int(np.sum(~first & ~second))
    tested = exact_test([[both, only_first], [only_second, neither]], exact=True)
    return Discordance(only_first, only_second, len(first), float(tested.pvalue))


@dataclass(frozen=True)
class Trials:
    """Hits in clusters.

    Attributes:
        hits: bool[n].
        clusters: n names; equal names belong together (base_id).
    """

    hits: npt.NDArray[np.bool_]
    clusters: Sequence[str]


#: What was not tried.
NO_TRIALS = Trials(np.zeros(0, dtype=bool), ())


def paired_difference(first: Trials, second: Trials, seed: int = 0) -> tuple[float, float, float] | None:
    """The first share minus the second, with a 95 % percentile bootstrap that draws the same clusters for both.

    Texts that are hard for one model are hard for the other, so the difference varies less than its two shares.

    If every draw has the same difference, as where the two agree on all texts, nothing was seen to vary. Then as many
    texts may be otherwise as Wilson's upper end for none of them says, each as far as a difference can be.

    Args:
        first: Trials of the first model.
        second: Trials of the second one. They may be other trials than the first's, of the same texts.
        seed: Of the resampling.

    Returns:
        Difference in [-1, 1], lower and upper end; None if one of them has no trial, or hardly any draw has some.
    """
    if not len(first.hits) or not len(second.hits):
        return None
    names, index = np.unique(np.asarray([*first.clusters, *second.clusters], dtype=str), return_inverse=True)
    n_clusters = len(names)
    draws = np.random.default_rng(seed).integers(0, n_clusters, size=(_RESAMPLES, n_clusters))

    def shares(hits: npt.NDArray[np.bool_], where: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        successes = np.bincount(where, weights=hits.astype(float), minlength=n_clusters)
        sizes = np.bincount(where, minlength=n_clusters).astype(float)
        with np.errstate(invalid="ignore"):
            return np.asarray(successes[draws].sum(axis=1) / sizes[draws].sum(axis=1), dtype=np.float64)

    n_first = len(first.hits)
    differences = shares(first.hits, index[:n_first]) - shares(second.hits, index[n_first:])
    differences = differences[~np.isnan(differences)]
    if 2 * len(differences) < _RESAMPLES:
        return None
    middle = float(np.mean(first.hits) - np.mean(second.hits))
    if np.allclose(differences, middle):
        _, unseen = _wilson_interval(0.0, min(len(set(first.clusters)), len(set(second.clusters))))
        return middle, middle - unseen * (middle + 1), middle + unseen * (1 - middle)
    low, high = np.quantile(differences, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return middle, float(low), float(high)
