"""The bundle as an MLflow model, from code: MLflow imports this file, no pickle is written or read.

See "Models from Code" in MLflow's documentation.
"""

from __future__ import annotations

from typing import Any

import mlflow


class ContentFilterModel(mlflow.pyfunc.PythonModel):
    """``mlflow.pyfunc.load_model("models:/content-filter@champion").predict(["a text"])``."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401
        """Opens the bundle among the model's artifacts."""
        from content_arena.components.shared.filter import ContentFilter

        self._filter = ContentFilter.open(context.artifacts["bundle"])

    def predict(self, context: Any, model_input: list[str]) -> list[dict[str, Any]]:  # noqa: ANN401
        """For every text its toxic_score and is_toxic."""
        scores = self._filter.score(model_input)
        verdicts = self._filter.is_toxic(scores)
        return [
            {"toxic_score": score, "is_toxic": verdict}
            for score, verdict in zip(scores.tolist(), verdicts.tolist(), strict=True)
        ]


mlflow.models.set_model(ContentFilterModel())
