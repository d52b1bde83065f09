"""What is to be scored: the texts of one request on their way."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from content_arena.components.shared.scoring.windows import BATCH_TOKENS, Window, batches

#: Characters of a token, to estimate a request's cost before it was read.
_CHARACTERS_PER_TOKEN = 4


class Job:
    """The texts of one request on their way.

    Attributes:
        result: float32[n, columns], the scores of :meth:`ContentFilter.score_all`, once they are there; cancel it to
            give the job up.
        seconds: Time that its steps took so far, without waiting.
        charge: Tokens that it takes of the queue.
        left: Tokens that are not scored yet; an estimate until all texts are read.
        number: Jobs that came later have higher ones.
        n_read: Texts that are cut into windows, the first ones.
        n_tokens: Tokens of these windows.
        windows: The windows.
        batches: What is not at work yet, once all texts are read.
        n_at_work: Batches that are being scored.
        scores: What is known of the result.
    """

    def __init__(self, texts: Sequence[str], most: int, columns: int = 1) -> None:
        """Takes checked texts; they are charged as ``most`` tokens at most until they are read."""
        self.texts = texts
        self.result: Future[npt.NDArray[np.float32]] = Future()
        self.seconds = 0.0
        self.charge = min(most, sum(2 + len(text) // _CHARACTERS_PER_TOKEN for text in texts))
        self.left = self.charge
        self.number = 0
        self.n_read = 0
        self.n_tokens = 0
        self.windows: list[Window] = []
        self.batches: deque[list[Window]] = deque()
        self.n_at_work = 0
        self.scores = np.zeros((len(texts), columns), dtype=np.float32)

    @property
    def is_read(self) -> bool:
        """Whether all texts are cut into windows."""
        return self.n_read == len(self.texts)

    @property
    def n_steps(self) -> int:
        """Batches that are not at work yet; an estimate until all texts are read."""
        return len(self.batches) if self.is_read else -(-self.left // BATCH_TOKENS)

    @property
    def next_tokens(self) -> int:
        """Tokens of its next step; of one that reads texts, those of the batch that may follow at once."""
        return _size(self.batches[0]) if self.batches else min(self.left, BATCH_TOKENS)

    def divide(self, most: int, known: Sequence[npt.NDArray[np.float32] | None]) -> bool:
        """Makes batches of what has to be scored, once all texts are read; whether anything has.

        Args:
            most: Windows of a batch.
            known: For each window, float32[columns] if its scores are known.
        """
        unknown: list[Window] = []
        for window, row in zip(self.windows, known, strict=True):
            if row is None:
                unknown.append(window)
            else:
                np.maximum(self.scores[window.text_index], row, out=self.scores[window.text_index])
        self.left = _size(unknown)
        self.batches.extend(batches(unknown, most))
        return bool(unknown)

    def take(self) -> Part:
        """Its next batch, which is at work from now on."""
        windows = self.batches.popleft()
        self.n_at_work += 1
        self.left -= _size(windows)
        return Part(self, windows)

    def put(self, windows: Sequence[Window], scores: npt.NDArray[np.float32], seconds: float) -> bool:
        """Takes in what a part came to; whether the job is finished.

        Args:
            windows: Of the part, n of them.
            scores: float32[n, columns].
            seconds: The part's share of the time that its batch took.
        """
        self.seconds += seconds
        np.maximum.at(self.scores, [window.text_index for window in windows], scores)
        self.n_at_work -= 1
        return not self.batches and not self.n_at_work


class Part(NamedTuple):
    """What one job has in a batch."""

    job: Job
    windows: list[Window]


def _size(windows: Sequence[Window]) -> int:
    return sum(len(window.ids) for window in windows)


def width(batch: Sequence[Window]) -> int:
    """Tokens of the longest window of a batch, which is its last."""
    return len(batch[-1].ids)
