"""What the dashboard of Kubeflow Pipelines shows of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from content_arena.components.shared.evaluations.evaluation_record import Evaluation

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


def show(evaluation: Evaluation, metrics: Metrics, classifications: Mapping[str, Classification]) -> None:
    """Shows the headline figures that were measured, and how each model classifies clean text.

    Args:
        evaluation: Of evaluate_challenger.
        metrics: Gets the headline figures of both models.
        classifications: By model: champion, challenger.
    """
    for name, classification in classifications.items():
        model = evaluation.models[name]
        for figure, value in model.headline().items():
            if value is not None:
                metrics.log_metric(f"{name}_{figure}", value)
        classification.log_confusion_matrix(_CLASSES, [list(row) for row in model.confusion])
        # KFP refuses a curve without points.
        if model.roc.fpr:
            classification.log_roc_curve(list(model.roc.fpr), list(model.roc.tpr), list(model.roc.thresholds))
