"""A bundle at work: read, tokenise, score on ONNX Runtime.

On a CPU several one-thread sessions, each fed small batches of equally long texts, beat one many-thread session with
large batches (960 against 700 texts a second on two cores, see ``make bench``): the small matrices of an encoder gain
little from sharing a layer between threads, and a batch costs as much as its longest row.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from content_arena.components.shared import bundle as bundles
from content_arena.components.shared.errors import BundleError
from content_arena.components.shared.reading import Reading

BATCH_SIZE = 8
WINDOW_STRIDE = 16


class ContentFilter:
    """Scores texts with a bundle; safe to call from several threads.

    A text longer than the model's window is read window by window, with an overlap of 16 tokens, and takes the highest
    score: toxic words do not escape by standing behind a long preface.
    """

    def __init__(
        self,
        bundle: bundles.Bundle,
        version: str | None = None,
        threads: int | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        """Loads the model once per thread.

        Args:
            bundle: An opened bundle.
            version: Registry version to answer with; the first 12 digits of the bundle's SHA-256 if None.
            threads: Sessions to run side by side; the CPUs this process may use if None.
            batch_size: Texts a session takes at once.

        Raises:
            BundleError: The tokenizer or the model can not be read.
        """
        import onnxruntime as ort
        from tokenizers import Tokenizer

        self.bundle = bundle
        self.version = version or f"sha-{bundle.spec.digest[:12]}"
        self.threshold = bundle.spec.threshold
        #: How a text is read before it is tokenised.
        self.reading = Reading.of(bundle)
        self._batch_size = batch_size
        self.threads = threads or len(os.sched_getaffinity(0))
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._sessions: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # Both libraries raise classes of their own, some straight from Exception.
        try:
            self._tokenizer = Tokenizer.from_file(str(bundle.tokenizer_path))
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(bundle.spec.max_length, stride=WINDOW_STRIDE)
            for _ in range(self.threads):
                session = ort.InferenceSession(str(bundle.model_path), options, providers=["CPUExecutionProvider"])
                self._sessions.put(session)
        except Exception as error:
            raise BundleError(f"the model in bundle {bundle.path} can not be loaded: {_first_line(error)}") from error
        self._pad_id = _pad_id(self._tokenizer)
        self._inputs = [node.name for node in session.get_inputs()]
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="filter")

    @classmethod
    def open(cls, path: str | Path, **options: Any) -> ContentFilter:  # noqa: ANN401
        """Opens the bundle at or below ``path``; options as in the constructor.

        Raises:
            BundleError: See :func:`content_arena.components.shared.bundle.load`.
        """
        return cls(bundles.load(path), **options)

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Probability of toxic for every text.

        Args:
            texts: n texts as users wrote them; they are read here, as the bundle says.

        Returns:
            float32[n] in [0, 1], in the order given.
        """
        if not texts:
            return np.zeros(0, dtype=np.float32)
        # Lone surrogates have no UTF-8 form and the tokenizer refuses them.
        clean = [self.reading(text).encode("utf-8", "replace").decode() for text in texts]
        windows: list[tuple[int, Any]] = []
        for index, encoding in enumerate(self._tokenizer.encode_batch_fast(clean)):
            windows.append((index, encoding.ids))
            windows.extend((index, overflow.ids) for overflow in encoding.overflowing)
        windows.sort(key=lambda window: len(window[1]))
        batches = [windows[i : i + self._batch_size] for i in range(0, len(windows), self._batch_size)]
        scores = np.zeros(len(texts), dtype=np.float32)
        for batch, batch_scores in zip(batches, self._pool.map(self._run, batches), strict=True):
            np.maximum.at(scores, [index for index, _ in batch], batch_scores)
        return scores

    def is_toxic(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """The verdicts, bool[n], at this filter's own threshold."""
        return scores >= self.threshold

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()

    def _run(self, batch: list[tuple[int, Any]]) -> npt.NDArray[np.float32]:
        width = max(len(ids) for _, ids in batch)
        input_ids = np.full((len(batch), width), self._pad_id, dtype=np.int64)
        attention_mask = np.zeros((len(batch), width), dtype=np.int64)
        for row, (_, ids) in enumerate(batch):
            input_ids[row, : len(ids)] = ids
            attention_mask[row, : len(ids)] = 1
        available = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "token_type_ids": np.zeros_like(input_ids),
        }
        session = self._sessions.get()
        try:
            (logits,) = session.run(["logits"], {name: available[name] for name in self._inputs})
        finally:
            self._sessions.put(session)
        with np.errstate(over="ignore"):  # exp of a very sure benign is inf, and the score is rightly 0
            return 1.0 / (1.0 + np.exp(logits[:, 0] - logits[:, 1]))


def _pad_id(tokenizer: Any) -> int:  # noqa: ANN401
    for token in ("[PAD]", "<pad>", "<|endoftext|>"):
        found = tokenizer.token_to_id(token)
        if found is not None:
            return found
    return 0


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
