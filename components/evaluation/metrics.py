"""What is measured on one model. Pure: scores and attack records in, figures out.

:data:`COMPUTE` holds one function for every row of :data:`content_arena.components.shared.figures.FIGURES`.
Confusion matrix, ROC curve and histograms are not single figures and have functions of their own. What a battle did is
in :mod:`.battle_figures`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.attack_generation.outcomes import benign_perturbed, flagged, got_past, toxic_caught
from content_arena.components.evaluation import separation
from content_arena.components.evaluation.statistics import NO_TRIALS, Trials, cluster_bootstrap, wilson
from content_arena.components.shared import figures
from content_arena.components.shared.evaluations.model_evaluation import Histogram, RocCurve
from content_arena.components.shared.figures import NOTHING, Measured, Rate

Scores = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
_BINS = np.linspace(0.0, 1.0, 21)
_ROC_POINTS = 200


@dataclass(frozen=True)
class Scored:
    """Labelled texts that a model scored.

    Attributes:
        scores: float32[n], probability of toxic.
        is_toxic: bool[n], the gold labels.
    """

    scores: Scores
    is_toxic: Flags

    @property
    def auroc(self) -> float | None:
        """The chance that a toxic text scores above a benign one; None with one class only."""
        from sklearn.metrics import roc_auc_score

        has_both = self.is_toxic.any() and not self.is_toxic.all()
        return float(roc_auc_score(self.is_toxic, self.scores)) if has_both else None


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What one model did in an evaluation: everything that figures are computed from.

    Attributes:
        scores: float32[n], probability of toxic of every clean text.
        is_toxic: bool[n], the gold labels of these texts.
        threshold: Scores from here on are flagged.
        attacks: Judged attacks, see :func:`content_arena.components.attack_generation.outcomes.judged`.
        attempts: Every attempt with its scores, see
            :func:`content_arena.components.attack_generation.attempts.scored`.
        held_out: Names of the strategies that neither model was trained on.
        undone: Names of the strategies that the canonicaliser undoes; they are in no mean.
        latencies_ms: Milliseconds that one text took, once a text.
        guard: Scores and gold labels of the guard set; None if there is none.
        regressions: Which attacks of the regression suite get past; none if there is no suite yet.
    """

    scores: Scores
    is_toxic: Flags
    threshold: float
    attacks: pd.DataFrame
    attempts: pd.DataFrame
    held_out: frozenset[str] = frozenset()
    undone: frozenset[str] = frozenset()
    latencies_ms: Sequence[float] = ()
    guard: Scored | None = None
    regressions: Trials = NO_TRIALS

    @property
    def verdicts(self) -> Flags:
        """Which clean texts the model flags, bool[n]."""
        return self.scores >= self.threshold

    @cached_property
    def reached(self) -> pd.DataFrame:
        """The judged attacks of the strategies that reach the model."""
        return self.attacks[~self.attacks["strategy"].isin(list(self.undone))]

    @cached_property
    def pairs(self) -> separation.Pairs:
        """The attempts of the strategies that reach the model, by text and strategy."""
        return separation.pairs(self.attempts[~self.attempts["strategy"].isin(list(self.undone))])

    @property
    def has_both_labels(self) -> bool:
        """Whether there are toxic and benign clean texts."""
        return bool(self.is_toxic.any() and not self.is_toxic.all())

    @cached_property
    def precision_recall_f1(self) -> tuple[float, float, float]:
        """Of the toxic class on clean texts, each 0 where it is undefined."""
        from sklearn.metrics import precision_recall_fscore_support

        precision, recall, f1, _ = precision_recall_fscore_support(
            self.is_toxic, self.verdicts, average="binary", pos_label=True, zero_division=0
        )
        return float(precision), float(recall), float(f1)


def clean_auroc(measured: Measurements) -> float | None:
    """The chance that a clean toxic text scores above a clean benign one; None with one class only."""
    return Scored(measured.scores, measured.is_toxic).auroc


def guard_auroc(measured: Measurements) -> float | None:
    """The same on the guard set; None without one."""
    return measured.guard.auroc if measured.guard else None


def clean_fpr(measured: Measurements) -> Rate:
    """Flagged clean benign texts / all of them."""
    return wilson(measured.verdicts[~measured.is_toxic])


def evasion(attacks: pd.DataFrame) -> Rate:
    """Readable successes / toxic texts the model caught before, over all strategies in the judged table."""
    caught = toxic_caught(attacks)
    return cluster_bootstrap(got_past(caught), caught["base_id"].tolist())


def evasion_of(measured: Measurements, *, held_out: bool) -> Rate:
    """Evasion over the held-out strategies that reach the model, or over all others that do."""
    attacks = measured.reached
    return evasion(attacks[attacks["strategy"].isin(measured.held_out) == held_out])


def perturbed_benign_fpr(attacks: pd.DataFrame) -> Rate:
    """Flagged / benign texts after the same strategies; texts left as they were, or unreadable, do not count."""
    benign = benign_perturbed(attacks)
    return cluster_bootstrap(flagged(benign), benign["base_id"].tolist())


def evasion_matched(measured: Measurements) -> Rate:
    """Evasion at the threshold at which perturbed benign texts are flagged 2 points more than clean ones.

    See :func:`content_arena.components.evaluation.separation.evasion_at_matched_rate`. The share of clean benign texts
    that counts is the one that the model flags at its own threshold.
    """
    clean = clean_fpr(measured).rate
    return NOTHING if clean is None else separation.evasion_at_matched_rate(measured.pairs, clean)


def latency(measured: Measurements, percentile: float) -> float | None:
    """A percentile of the milliseconds that one text took; None if no text was timed."""
    return float(np.percentile(measured.latencies_ms, percentile)) if len(measured.latencies_ms) else None


#: How each figure is computed, by its name.
COMPUTE: dict[str, Callable[[Measurements], Measured]] = {
    "clean_f1": lambda measured: measured.precision_recall_f1[2],
    "clean_precision": lambda measured: measured.precision_recall_f1[0],
    "clean_recall": lambda measured: measured.precision_recall_f1[1],
    "clean_auroc": clean_auroc,
    "guard_auroc": guard_auroc,
    "evasion": lambda measured: evasion(measured.reached),
    "evasion_seen": lambda measured: evasion_of(measured, held_out=False),
    "evasion_unseen": lambda measured: evasion_of(measured, held_out=True),
    "evasion_matched": evasion_matched,
    "evasion_regression": lambda measured: cluster_bootstrap(measured.regressions.hits, measured.regressions.clusters),
    "perturbed_auroc": lambda measured: separation.perturbed_auroc(measured.pairs),
    "perturbed_benign_fpr": lambda measured: perturbed_benign_fpr(measured.reached),
    "clean_fpr": clean_fpr,
    "latency_p50_ms": lambda measured: latency(measured, 50),
    "latency_p95_ms": lambda measured: latency(measured, 95),
}


def compute(measured: Measurements) -> dict[str, Measured]:
    """Every figure of the table, by name."""
    return {figure.name: COMPUTE[figure.name](measured) for figure in figures.FIGURES}


def compute_without_attacks(scored: Scored, threshold: float, guard: Scored | None = None) -> dict[str, Measured]:
    """The figures that rest on clean texts or on the guard set, by name: what is known of a model before any attack.

    Args:
        scored: Clean texts.
        threshold: Scores from here on are flagged.
        guard: The guard set; None if there is none.
    """
    nothing = pd.DataFrame()
    measured = Measurements(
        scores=scored.scores,
        is_toxic=scored.is_toxic,
        threshold=threshold,
        attacks=nothing,
        attempts=nothing,
        guard=guard,
    )
    return {figure.name: COMPUTE[figure.name](measured) for figure in figures.FIGURES if figure.basis is not None}


def confusion(measured: Measurements) -> tuple[tuple[int, int], tuple[int, int]]:
    """Clean texts as ((tn, fp), (fn, tp))."""
    from sklearn.metrics import confusion_matrix

    (tn, fp), (fn, tp) = confusion_matrix(measured.is_toxic, measured.verdicts, labels=[False, True]).tolist()
    return (tn, fp), (fn, tp)


def roc(measured: Measurements) -> RocCurve:
    """The ROC curve on clean texts, at most 200 points; no point with one class only."""
    from sklearn.metrics import roc_curve

    if not measured.has_both_labels:
        return RocCurve()
    fpr, tpr, thresholds = roc_curve(measured.is_toxic, measured.scores)
    keep = np.unique(np.linspace(0, len(fpr) - 1, min(len(fpr), _ROC_POINTS)).astype(int))
    return RocCurve(
        fpr=tuple(fpr[keep].tolist()),
        tpr=tuple(tpr[keep].tolist()),
        # The first threshold is infinite ("flag nothing"); JSON and the dashboard know no infinity.
        thresholds=tuple(np.minimum(thresholds[keep], 1.0).astype(float).tolist()),
    )


def histogram(measured: Measurements) -> Histogram:
    """Counts of scores in 20 bins of [0, 1]: clean toxic and benign, attacked toxic, perturbed benign."""
    attacks = measured.attacks

    def counts(scores: npt.NDArray[np.floating]) -> tuple[int, ...]:
        return tuple(np.histogram(scores, _BINS)[0].tolist())

    return Histogram(
        edges=tuple(_BINS.tolist()),
        toxic=counts(measured.scores[measured.is_toxic]),
        benign=counts(measured.scores[~measured.is_toxic]),
        attacked_toxic=counts(attacks.loc[attacks["label_gold"] == "toxic", "score_after"].to_numpy()),
        perturbed_benign=counts(benign_perturbed(attacks)["score_after"].to_numpy()),
    )
