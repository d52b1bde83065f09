"""Scores texts with a bundle: reads them as its model was trained to, tokenises, runs the model on ONNX Runtime.

On a CPU several threads, each of which computes small batches of equally long texts by itself, beat threads that share
a layer of a large batch (960 against 700 texts a second on two cores, see ``make bench``): the small matrices of an
encoder gain little from sharing, and a batch costs as much as its longest row. The threads have one session, because
ONNX Runtime's sessions may run in several threads at once, and each session has all weights in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from content_arena.components.shared.errors import BundleError
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.cpus import available_cpus
from content_arena.components.shared.scoring.ngrams import ngram_ids, padded
from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.scoring.windows import Window, batches, cut, limit

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

#: Most windows that a thread scores at once.
BATCH_SIZE = 8
#: Characters that are tokenised before any of them is scored: it bounds the memory for windows.
_SLICE_CHARACTERS = 1 << 20
#: Name of the model's input for the n-grams of each window (see ngrams.py); a model may have none.
NGRAM_INPUT = "ngrams"
#: Name of the model's output for the attributes that its bundle names; a model may have none.
ATTRIBUTES_OUTPUT = "attributes"


class ContentFilter:
    """Scores texts with a bundle; safe to call from several threads.

    A text longer than the model's window is read window by window, with an overlap of 16 tokens, and gets the highest
    score of its windows. Toxic words are found behind a long preface, too.
    """

    def __init__(
        self,
        bundle: bundles.Bundle,
        version: str | None = None,
        threads: int | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        """Loads the model, once for all threads.

        Args:
            bundle: An opened bundle.
            version: Registry version to answer with; the first 12 digits of the bundle's SHA-256 if None.
            threads: Batches that are scored in parallel; the number of CPUs this process may use if None (see cpus.py).
            batch_size: Most windows that a thread scores at once.

        Raises:
            BundleError: The tokenizer or the model cannot be read, or the model lacks the bundle's attributes.
        """
        self.bundle = bundle
        #: What it scores beside toxicity: names, in the order of the columns.
        self.attributes = tuple(sorted(bundle.spec.attributes))
        self.version = version or f"sha-{bundle.spec.digest[:12]}"
        self.threshold = bundle.spec.threshold
        #: How a text is read before it is tokenised.
        self.reading = Reading.of(bundle)
        self.batch_size = batch_size
        self.threads = threads or available_cpus()
        self._tokenizer = _load_tokenizer(bundle)
        self._pad_id = _pad_id(self._tokenizer)
        self._session = _load_session(bundle)
        self._inputs = [node.name for node in self._session.get_inputs()]
        self._outputs = ["logits", ATTRIBUTES_OUTPUT] if self.attributes else ["logits"]
        if not {node.name for node in self._session.get_outputs()}.issuperset(self._outputs):
            raise BundleError(
                f"the model in bundle {bundle.path} lacks an output: {', '.join(self._outputs)} are wanted"
            )
        self._turns = threading.BoundedSemaphore(self.threads)
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="filter")

    @classmethod
    def open(cls, path: str | Path, version: str | None = None, threads: int | None = None) -> ContentFilter:
        """Opens the bundle at or below ``path``; the other arguments are the constructor's.

        Raises:
            BundleError: See :func:`content_arena.components.shared.scoring.bundle.load` and the constructor.
        """
        return cls(bundles.load(path), version, threads)

    def score(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Probability of toxic for every text.

        Args:
            texts: n texts as users wrote them; they are read here, as the bundle says (see reading.py).

        Returns:
            float32[n] in [0, 1], in the order given.
        """
        return self.score_all(texts)[:, 0]

    def score_all(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Probability of toxic and of each attribute for every text.

        Args:
            texts: As for :meth:`score`.

        Returns:
            float32[n, 1 + number of attributes] in [0, 1]: toxic, then :attr:`attributes`. Each is the highest of the
            text's windows.
        """
        scores = np.zeros((len(texts), 1 + len(self.attributes)), dtype=np.float32)
        for begin, end in _slices(texts):
            windows = self.windows(texts[begin:end])
            divided = batches(windows, self.batch_size)
            for batch, batch_scores in zip(divided, self._pool.map(self.score_windows, divided), strict=True):
                np.maximum.at(scores, [begin + window.text_index for window in batch], batch_scores)
        return scores

    def windows(self, texts: Sequence[str]) -> list[Window]:
        """The windows of texts, the shortest first, after the texts were read as the bundle says.

        Args:
            texts: n texts as users wrote them.
        """
        return cut(self._tokenizer, [self.reading(text) for text in texts])

    def is_toxic(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """The verdicts, bool[n], at this filter's own threshold."""
        return scores >= self.threshold

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()

    def score_windows(self, batch: Sequence[Window]) -> npt.NDArray[np.float32]:
        """The scores of windows as :meth:`score_all` has those of texts; waits while all threads are at work.

        Args:
            batch: n windows, at least 1; of about the same length, because all cost as much as the longest.
        """
        inputs = self.inputs_of(batch)
        with self._turns:
            logits, *attributes = self._session.run(self._outputs, inputs)
        with np.errstate(over="ignore"):  # For a very large logit of benign exp is inf, and the score 0 is correct.
            toxic: npt.NDArray[np.float32] = 1.0 / (1.0 + np.exp(logits[:, 0] - logits[:, 1]))
        return np.column_stack([toxic, *attributes])

    def inputs_of(self, batch: Sequence[Window]) -> dict[str, npt.NDArray[np.int64]]:
        """What the model is given for windows, by the names of its inputs."""
        width = max(len(window.ids) for window in batch)
        input_ids = np.full((len(batch), width), self._pad_id, dtype=np.int64)
        attention_mask = np.zeros((len(batch), width), dtype=np.int64)
        for row, window in enumerate(batch):
            input_ids[row, : len(window.ids)] = window.ids
            attention_mask[row, : len(window.ids)] = 1
        available = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "token_type_ids": np.zeros_like(input_ids),
        }
        if NGRAM_INPUT in self._inputs:
            available[NGRAM_INPUT] = padded([ngram_ids(window.text) for window in batch])
        return {name: available[name] for name in self._inputs}


def _slices(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Begin and end of slices that hold a text at least, and else no more characters than are tokenised at once."""
    begin = n_characters = 0
    for index, text in enumerate(texts):
        if n_characters and n_characters + len(text) > _SLICE_CHARACTERS:
            yield begin, index
            begin, n_characters = index, 0
        n_characters += len(text)
    if texts:
        yield begin, len(texts)


def _load_tokenizer(bundle: bundles.Bundle) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(bundle.tokenizer_path))
        limit(tokenizer, bundle.spec.max_length)
    except Exception as error:  # The library has no classes of its own: it raises Exception, whatever is wrong.
        raise _load_error(bundle, error) from error
    return tokenizer


def _load_session(bundle: bundles.Bundle) -> InferenceSession:
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        # CUDA has no kernel for the integer products of a bundle; see the README of predictor.
        return ort.InferenceSession(str(bundle.model_path), options, providers=["CPUExecutionProvider"])
    except (
        state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NoModel, state.NoSuchFile,
        state.NotImplemented, state.RuntimeException,
    ) as error:  # fmt: skip
        raise _load_error(bundle, error) from error


def _load_error(bundle: bundles.Bundle, error: Exception) -> BundleError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return BundleError(f"the model in bundle {bundle.path} cannot be loaded: {reason}")


def _pad_id(tokenizer: Tokenizer) -> int:
    for token in ("[PAD]", "<pad>", "<|endoftext|>"):
        found = tokenizer.token_to_id(token)
        if found is not None:
            return found
    return 0
