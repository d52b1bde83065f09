"""Chooses the threshold of an exported model, and compares its verdicts with those of the trained one; pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: bfloat16 has eight significant bits.
_BFLOAT16_ROUNDING = 2.0**-8
#: Thresholds count as equally good if their Matthews correlations differ by less. The standard error of the correlation
#: over the few hundred texts of a validation split is about 0.04. The limit follows the one-standard-error rule of
#: Breiman et al. 1984, and is a little stricter.
_MCC_TOLERANCE = 0.03
#: Most by which noise may raise the share of benign texts flagged.
MAX_RISE = 0.02


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
class OperatingPoint:
    """What a filter does at its threshold.

    Attributes:
        fpr: Share of the benign texts that it flags, in [0, 1].
        recall: Share of the toxic texts that it flags, in [0, 1].
    """

    fpr: float
    recall: float


def good_thresholds(
    scores: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    champion: OperatingPoint | None = None,
    perturbed: npt.NDArray[np.float32] | None = None,
) -> list[float]:
    """The thresholds whose Matthews correlation is the highest, or within a tolerance of it, those near 0.5 first.

    F1 considers one class only: on a corpus that is mostly toxic it is highest if nearly everything is flagged.
    Matthews' correlation coefficient counts all four cells (Chicco and Jurman 2020). Over a few hundred texts it has
    many local maxima, so thresholds within its standard error count as equal. Two models are then compared at similar
    thresholds and not at two random maxima.

    Args:
        scores: float32[n], probability of toxic.
        labels: int[n], 1 for toxic; both classes are present.
        champion: What the champion does on the same texts. Thresholds at which this model flags no more benign texts
            and no fewer toxic ones come first. Of them the middle one leads, because it is equally far from being worse
            in either. If there are none, thresholds that flag more benign texts than the champion come last.
        perturbed: float32[n], the scores of the same texts under noise. Thresholds at which it makes the filter flag
            over two points more of the benign texts come behind those that hold.
    """
    from sklearn.metrics import roc_curve

    fpr, tpr, cuts = roc_curve(labels, scores, drop_intermediate=False)
    n_toxic, n_benign = int(np.sum(labels)), int(len(labels) - np.sum(labels))
    tp, fp = tpr * n_toxic, fpr * n_benign
    fn, tn = n_toxic - tp, n_benign - fp
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    correlation = np.where(product > 0, (tp * tn - fp * fn) / np.sqrt(np.maximum(product, 1e-12)), 0.0)
    # A cut flags its own score. Half-way to the next lower score flags the same texts, with a margin on both sides.
    below = np.append(cuts[1:], 0.0)
    middles = (np.minimum(cuts, 1.0) + below) / 2
    good = np.flatnonzero(correlation >= correlation.max() - _MCC_TOLERANCE)
    rise = np.zeros(len(middles))
    if perturbed is not None:
        flagged = np.searchsorted(np.sort(perturbed[labels == 0]), middles, side="left")
        rise = (n_benign - flagged) / n_benign - fpr
    max_fpr = 1.0 if champion is None else champion.fpr
    order = sorted(good, key=lambda i: (fpr[i] > max_fpr, rise[i] > MAX_RISE, abs(middles[i] - 0.5)))
    if champion is not None:
        # Both rates rise from one threshold to the next, so these thresholds lie side by side.
        better = np.flatnonzero((fpr <= champion.fpr) & (tpr >= champion.recall))
        centre = better[len(better) // 2] if len(better) else 0
        # A dict keeps the first of each, in order.
        order = list(dict.fromkeys([*sorted(better, key=lambda i: abs(i - centre)), *order]))
    return [float(middles[i]) for i in order]


def compare(reference: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], threshold: float) -> Parity:
    """Compares two models' scores, float32[n] each, of the same texts.

    A text whose reference score is within bfloat16's rounding of the threshold counts as equal: the verdict of the
    trained model itself depends on the order of its additions there.
    """
    undecided = np.abs(reference - threshold) <= _BFLOAT16_ROUNDING
    same = undecided | ((reference >= threshold) == (scores >= threshold))
    return Parity(float(same.mean()), float(np.abs(reference - scores).max()), len(scores))
