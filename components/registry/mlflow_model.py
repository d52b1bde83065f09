"""The bundle as an MLflow model, from code: MLflow imports this file, and no pickle is written or read.

See "Models from Code" in MLflow's documentation.
"""

from __future__ import annotations

from typing import Any

import mlflow
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class ContentFilterModel(PythonModel):
    """``mlflow.pyfunc.load_model("models:/content-filter@champion").predict(["a text"])``."""

    def load_context(self, context: PythonModelContext) -> None:
        """Opens the bundle among the model's artifacts."""
        from content_arena.components.shared.scoring.filter import ContentFilter

        self._filter = ContentFilter.open(context.artifacts["bundle"])

    def predict(
        self, context: PythonModelContext, model_input: list[str], params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """For every text its toxic_score and is_toxic."""
        scores = self._filter.score(model_input)
        verdicts = self._filter.is_toxic(scores)
        return [
            {"toxic_score": score, "is_toxic": verdict}
            for score, verdict in zip(scores.tolist(), verdicts.tolist(), strict=True)
        ]


mlflow.models.set_model(ContentFilterModel())
