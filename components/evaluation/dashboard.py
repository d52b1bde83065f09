"""What the dashboard of Kubeflow Pipelines shows of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from content_arena.components.evaluation.evaluate import headline

_CLASSES = ["benign", "toxic"]


class Metrics(Protocol):
    """A table of numbers: ``dsl.Metrics``."""

    def log_metric(self, metric: str, value: float) -> None:
        """Adds a row."""


class Classification(Protocol):
    """A confusion matrix and a ROC curve: ``dsl.ClassificationMetrics``."""

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None:
        """Sets the matrix; rows are the true classes."""

    def log_roc_curve(self, fpr: Sequence[float], tpr: Sequence[float], threshold: Sequence[float]) -> None:
        """Sets the curve."""


def show(evaluation: Mapping[str, Any], metrics: Metrics, classifications: Mapping[str, Classification]) -> None:
    """Shows the headline figures that were measured, and how each model classifies clean text.

    Args:
        evaluation: Of evaluate_challenger.
        metrics: Gets the headline figures of both models.
        classifications: By model: champion, challenger.
    """
    for name, classification in classifications.items():
        model = evaluation[name]
        for figure, value in headline(model).items():
            if value is not None:
                metrics.log_metric(f"{name}_{figure}", value)
        classification.log_confusion_matrix(_CLASSES, model["confusion"])
        roc = model["roc"]
        # A curve of no points is refused by KFP.
        if roc["fpr"]:
            classification.log_roc_curve(roc["fpr"], roc["tpr"], roc["thresholds"])
