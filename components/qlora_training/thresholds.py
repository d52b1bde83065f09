"""Chooses the threshold of an exported model, and compares its verdicts with those of the trained one; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: bfloat16 has eight significant bits.
_BFLOAT16_ROUNDING = 2.0**-8


@dataclass(frozen=True)
class Parity:
    """How the exported int8 model compares with the trained torch model on the same texts.

    Attributes:
        agreement: Share of equal verdicts at the exported model's threshold, in [0, 1]; see :func:`compare`.
        max_difference: Largest difference between the scores of one text, in [0, 1].
        n: Number of texts.
    """

    agreement: float
    max_difference: float
    n: int


@dataclass(frozen=True)
class Comparison:
    """Texts on which a challenger is compared with the champion, and what the champion says of them.

    Attributes:
        texts: n texts, as a filter gets them.
        labels: int64[n], 1 for toxic.
        attacked: bool[n], whether the text is an attacked one.
        flagged: bool[n], whether the champion flags it.
    """

    texts: Sequence[str]
    labels: npt.NDArray[np.int64]
    attacked: npt.NDArray[np.bool_]
    flagged: npt.NDArray[np.bool_]


def good_thresholds(scores: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> list[float]:
    """The thresholds whose Matthews correlation is the highest, or within a tolerance of it, those near 0.5 first.

    F1 considers one class only: on a corpus that is mostly toxic it is highest if nearly everything is flagged.
    Matthews' correlation coefficient r counts all four cells (Chicco and Jurman 2020). Over a few hundred texts it has
    many local maxima, so thresholds within its standard error, (1 - r^2) / sqrt(n), count as equal, as in the rule of
    Breiman et al. 1984. Two models are then compared at similar thresholds and not at two random maxima.

    Args:
        scores: float32[n], probability of toxic.
        labels: int[n], 1 for toxic; both classes are present.
    """
    middles = _thresholds(scores)
    is_toxic = labels == 1
    n_toxic, n_benign = int(is_toxic.sum()), int((~is_toxic).sum())
    tp, fp = _n_flagged(scores[is_toxic], middles), _n_flagged(scores[~is_toxic], middles)
    fn, tn = n_toxic - tp, n_benign - fp
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    correlation = np.where(product > 0, (tp * tn - fp * fn) / np.sqrt(np.maximum(product, 1e-12)), 0.0)
    best = correlation.max()
    good = np.flatnonzero(correlation >= best - (1 - best**2) / np.sqrt(len(scores)))
    order = sorted(good, key=lambda i: abs(middles[i] - 0.5))
    return [float(middles[i]) for i in order]


def leading_thresholds(scores: npt.NDArray[np.float32], comparison: Comparison) -> list[float]:
    """All thresholds of a challenger, those at which it leads the champion most first.

    Four shares are compared: of the benign texts flagged and of the toxic texts flagged, each among clean and among
    attacked texts. The smallest of the four leads counts, so that no share is bought with another: a threshold that
    gives fewer evasions only because more harmless texts are flagged leads in nothing. Leads are counted in standard
    errors of the champion's share, because the four groups differ in size.

    Args:
        scores: float32[n], the challenger's probability of toxic for the texts of the comparison.
        comparison: The texts, and what the champion says of them.
    """
    middles = _thresholds(scores)
    leads = []
    for label, sign in ((0, -1), (1, 1)):
        for attacked in (False, True):
            of_group = (comparison.labels == label) & (comparison.attacked == attacked)
            if of_group.any():
                n, was = of_group.sum(), comparison.flagged[of_group].mean()
                # A share of 0 or 1 is known to about one text.
                error = np.sqrt(max(was * (1 - was), 1 / n) / n)
                leads.append(sign * (_n_flagged(scores[of_group], middles) / n - was) / error)
    # Rounded, so that equal leads are equal whatever the order of the additions.
    lead = np.round(np.min(leads, axis=0), 9)
    best = np.flatnonzero(lead == lead.max())
    centre = middles[best[len(best) // 2]]
    return [float(middles[i]) for i in sorted(range(len(middles)), key=lambda i: (-lead[i], abs(middles[i] - centre)))]


def _thresholds(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The thresholds that differ in a verdict, falling: half-way between two scores, with a margin on both sides."""
    cuts = np.unique(scores)[::-1].astype(np.float64)
    middles: npt.NDArray[np.float64] = (np.concatenate([[1.0], cuts]) + np.append(cuts, 0.0)) / 2
    return middles


def _n_flagged(scores: npt.NDArray[np.float32], thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How many of the scores are flagged at each threshold."""
    below: npt.NDArray[np.int64] = np.searchsorted(np.sort(scores), thresholds, side="left")
    return (len(scores) - below).astype(np.float64)


def compare(reference: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], threshold: float) -> Parity:
    """Compares two models' scores, float32[n] each, of the same texts.

    A text whose reference score is within bfloat16's rounding of the threshold counts as equal: the verdict of the
    trained model itself depends on the order of its additions there.
    """
    undecided = np.abs(reference - threshold) <= _BFLOAT16_ROUNDING
    same = undecided | ((reference >= threshold) == (scores >= threshold))
    return Parity(float(same.mean()), float(np.abs(reference - scores).max()), len(scores))
