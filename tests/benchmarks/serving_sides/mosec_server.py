"""mosec's dynamic batching over a bundle's ONNX file, as mosec's documentation shows a worker.

``BUNDLE=FOLDER python -m ... --address 127.0.0.1 --port PORT``. It tokenises and scores; it does not read texts as the
bundle says (masking, restoring words), which saves it a little work that the predictor does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime as ort
from mosec import Server, Worker
from tokenizers import Tokenizer

from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.filter import NGRAM_INPUT
from content_arena.components.shared.scoring.ngrams import ngram_ids, padded

#: As many texts as the predictor scores at once, mosec's own default for the wait, and a process for each core.
PROCESSES, BATCH_SIZE, WAIT_MILLISECONDS = 2, 8, 10


class Classifier(Worker):
    """Scores the texts of several requests at once."""

    def __init__(self) -> None:
        super().__init__()
        bundle = bundles.load(Path(os.environ["BUNDLE"]))
        self._tokenizer = Tokenizer.from_file(str(bundle.tokenizer_path))
        self._tokenizer.enable_truncation(bundle.spec.max_length)
        self._tokenizer.enable_padding()
        options = ort.SessionOptions()
        options.intra_op_num_threads = 2 // PROCESSES
        self._session = ort.InferenceSession(str(bundle.model_path), options, providers=["CPUExecutionProvider"])
        self._names = [node.name for node in self._session.get_inputs()]

    def deserialize(self, data: bytes) -> Any:
        """The texts of a V1 request."""
        return msgspec.json.decode(data)["instances"]

    def serialize(self, data: Any) -> bytes:
        """A V1 answer."""
        return msgspec.json.encode({"predictions": data})

    def forward(self, data: list[list[str]]) -> list[list[float]]:
        """Scores requests of one text each."""
        texts = [text for texts in data for text in texts]
        encodings = self._tokenizer.encode_batch(texts)
        inputs = {
            "input_ids": np.array([encoding.ids for encoding in encodings]),
            "attention_mask": np.array([encoding.attention_mask for encoding in encodings]),
            "token_type_ids": np.array([encoding.type_ids for encoding in encodings]),
        }
        if NGRAM_INPUT in self._names:
            inputs[NGRAM_INPUT] = padded([ngram_ids(text) for text in texts])
        logits = self._session.run(["logits"], {name: inputs[name] for name in self._names})[0]
        return [[score] for score in (1.0 / (1.0 + np.exp(logits[:, 0] - logits[:, 1]))).tolist()]


if __name__ == "__main__":
    server = Server()
    server.append_worker(Classifier, num=PROCESSES, max_batch_size=BATCH_SIZE, max_wait_time=WAIT_MILLISECONDS)
    server.run()
