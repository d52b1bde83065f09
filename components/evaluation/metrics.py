"""What is measured on one model. Pure: scores and attack records in, figures out.

Attacks are judged first (:func:`judged`): what nobody can read counts neither for the attacker nor as a false alarm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.evaluation.statistics import Rate, cluster_bootstrap, wilson
from content_arena.components.shared.readability import MIN_READABILITY, readability

Scores = npt.NDArray[np.float32]
_BINS = np.linspace(0.0, 1.0, 21)
_ROC_POINTS = 200


def clean(scores: Scores, is_toxic: npt.NDArray[np.bool_], threshold: float) -> dict[str, Any]:
    """Figures on texts nobody perturbed.

    Args:
        scores: float32[n], probability of toxic.
        is_toxic: bool[n], gold labels; both classes have to be there for the AUROC and the ROC curve.
        threshold: Flagged from here on.

    Returns:
        clean_f1, clean_precision, clean_recall (each 0 where undefined), clean_auroc (None with one class only),
        clean_fpr (a rate), confusion [[tn, fp], [fn, tp]], roc.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

    verdict = scores >= threshold
    precision, recall, f1, _ = precision_recall_fscore_support(
        is_toxic, verdict, average="binary", pos_label=True, zero_division=0
    )
    has_both = bool(is_toxic.any() and not is_toxic.all())
    return {
        "clean_f1": float(f1),
        "clean_precision": float(precision),
        "clean_recall": float(recall),
        "clean_auroc": float(roc_auc_score(is_toxic, scores)) if has_both else None,
        "clean_fpr": wilson(verdict[~is_toxic]).as_dict(),
        "confusion": confusion_matrix(is_toxic, verdict, labels=[False, True]).tolist(),
        "roc": _roc(scores, is_toxic) if has_both else {"fpr": [], "tpr": [], "thresholds": []},
    }


@dataclass(frozen=True)
class StrategyFigures:
    """What one strategy does to one model; one attack a text, so Wilson's intervals hold.

    Attributes:
        evasion: Readable successes / toxic texts the victim caught before.
        benign_flagged: Flagged / benign texts the strategy changed and left readable.
        undone: Attacks that the canonicaliser turns back into the original / all attacks that changed a text.
        restored: Attacks that the model reads as it reads the original / the same.
    """

    evasion: Rate
    benign_flagged: Rate
    undone: Rate
    restored: Rate


def judged(attacks: pd.DataFrame, read: Callable[[str], str] | None = None) -> pd.DataFrame:
    """Adds the bool columns ``readable``, ``undone`` and ``restored``.

    Undone: the canonicaliser gives the original's canonical form back. Restored: the model reads both texts the same,
    letters' case aside, so that no model could tell them apart.

    Args:
        attacks: Rows of Attack.
        read: How the victim reads a text; where it is not known only what is undone counts as restored.
    """
    undone = attacks["similarity"] == 1.0
    restored = undone
    if read is not None:
        pairs = zip(attacks["original_text"], attacks["perturbed_text"], strict=True)
        same = [read(original).casefold() == read(perturbed).casefold() for original, perturbed in pairs]
        restored = undone | pd.Series(same, index=attacks.index, dtype=bool)
    return attacks.assign(readable=readability(attacks) >= MIN_READABILITY, undone=undone, restored=restored)


def evasion(attacks: pd.DataFrame) -> Rate:
    """Readable successes / toxic texts the victim caught before, over all strategies in the judged table."""
    caught = toxic_caught(attacks)
    return cluster_bootstrap(got_through(caught), caught["base_id"].tolist())


def perturbed_benign_fpr(attacks: pd.DataFrame) -> Rate:
    """Flagged / benign texts after the same strategies; texts left as they were, or unreadable, do not count."""
    benign = benign_perturbed(attacks)
    return cluster_bootstrap(flagged(benign), benign["base_id"].tolist())


def per_strategy(attacks: pd.DataFrame) -> dict[str, StrategyFigures]:
    """The figures of every strategy in the judged table."""
    found = {}
    for name, rows in attacks.groupby("strategy"):
        changed = rows[rows["perturbed_text"] != rows["original_text"]]
        found[str(name)] = StrategyFigures(
            wilson(got_through(toxic_caught(rows))),
            wilson(flagged(benign_perturbed(rows))),
            wilson(changed["undone"].to_numpy(dtype=bool)),
            wilson(changed["restored"].to_numpy(dtype=bool)),
        )
    return found


def histograms(scores: Scores, is_toxic: npt.NDArray[np.bool_], attacks: pd.DataFrame) -> dict[str, list[float]]:
    """Counts of scores in 20 bins of [0, 1]: clean toxic and benign, attacked toxic, perturbed benign."""
    attacked = attacks.loc[attacks["label_gold"] == "toxic", "score_after"]
    perturbed = benign_perturbed(attacks)["score_after"]
    groups = {
        "toxic": scores[is_toxic],
        "benign": scores[~is_toxic],
        "attacked_toxic": attacked.to_numpy(),
        "perturbed_benign": perturbed.to_numpy(),
    }
    counts = {name: np.histogram(values, _BINS)[0].tolist() for name, values in groups.items()}
    return {"edges": _BINS.tolist(), **counts}


def toxic_caught(attacks: pd.DataFrame) -> pd.DataFrame:
    """Attacks on toxic texts that the victim caught before: what evasion is measured on."""
    return attacks[(attacks["label_gold"] == "toxic") & (attacks["status"] != "skipped")]


def got_through(caught: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which of them got past the victim and can still be read, bool[n]."""
    return ((caught["status"] == "success") & caught["readable"]).to_numpy(dtype=bool)


def benign_perturbed(attacks: pd.DataFrame) -> pd.DataFrame:
    """Benign texts that a strategy changed and left readable."""
    changed = attacks["perturbed_text"] != attacks["original_text"]
    return attacks[(attacks["label_gold"] == "benign") & changed & attacks["readable"]]


def flagged(attacks: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which texts the victim flags after the attack, bool[n]."""
    return (attacks["score_after"] >= attacks["threshold"]).to_numpy(dtype=bool)


def _roc(scores: Scores, is_toxic: npt.NDArray[np.bool_]) -> dict[str, list[float]]:
    from sklearn.metrics import roc_curve

    fpr, tpr, thresholds = roc_curve(is_toxic, scores)
    keep = np.unique(np.linspace(0, len(fpr) - 1, min(len(fpr), _ROC_POINTS)).astype(int))
    # The first threshold is infinite ("flag nothing"); JSON and the dashboard know no infinity.
    return {
        "fpr": fpr[keep].tolist(),
        "tpr": tpr[keep].tolist(),
        "thresholds": np.minimum(thresholds[keep], 1.0).astype(float).tolist(),
    }
