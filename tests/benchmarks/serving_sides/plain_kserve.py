"""A text classifier as KServe's users write it: a Model around transformers' pipeline, float32.

``... --model_dir FOLDER --http_port PORT``; the folder is one of transformers.
"""

from __future__ import annotations

import argparse
from typing import Any

import kserve
from kserve import Model, ModelServer, model_server


class Classifier(Model):
    """Scores what a V1 request holds."""

    def __init__(self, name: str, folder: str) -> None:
        super().__init__(name)
        self._folder = folder

    def load(self) -> bool:
        """Reads the model."""
        from transformers import pipeline

        self._pipeline = pipeline("text-classification", model=self._folder, top_k=None, truncation=True)
        self.ready = True
        return True

    async def predict(self, payload: Any, headers: dict[str, str] | None = None, **_: Any) -> dict[str, Any]:
        """The probabilities of both labels, for each text."""
        return {"predictions": self._pipeline(payload["instances"])}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.add_argument("--model_dir", required=True)
    arguments, _ = parser.parse_known_args()
    kserve.logging.configure_logging()
    model = Classifier("content-filter", arguments.model_dir)
    model.load()
    ModelServer(http_port=arguments.http_port, enable_grpc=False).start([model])
