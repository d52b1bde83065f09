"""A second bundle that scores what users send, off the request path, to see how it would have judged.

A request's texts are put into a bounded queue after its answer was found, and are dropped if there is no room. One
thread scores them. While there are requests for all of the server's threads it works a tenth of the time, so that they
keep the processors. Only counts and differences of scores leave this module, in metrics; no text does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from content_arena.components.predictor import metrics
from content_arena.components.predictor.scoring.judgement import Judgement
from content_arena.components.shared.scoring.filter import ContentFilter
from content_arena.components.shared.scoring.windows import batches

logger = logging.getLogger("kserve.content_arena")

#: Pauses are this many times as long as the work before them while requests need the processors.
_PAUSE = 9


@dataclass(frozen=True)
class ShadowLimits:
    """What may wait for the shadow.

    Attributes:
        requests: Most requests.
        characters: Most characters of their texts.
    """

    requests: int = 1_024
    characters: int = 1 << 20


@dataclass(frozen=True)
class _Answered:
    texts: Sequence[str]
    judgement: Judgement
    n_characters: int


class Shadow:
    """Compares a second bundle with the one that serves.

    Attributes:
        version: Of the bundle that scores now.
        digest: SHA-256 (hex) of this bundle.
    """

    def __init__(self, content_filter: ContentFilter, limits: ShadowLimits | None = None) -> None:
        """Starts the thread.

        Args:
            content_filter: The second bundle; one thread is enough for it. Closed with the shadow.
            limits: What may wait; the defaults if None.
        """
        self.version = content_filter.version
        self.digest = content_filter.bundle.spec.digest
        self._is_busy: Callable[[], bool] = lambda: False
        self._filter = content_filter
        self._following: ContentFilter | None = None
        self._limits = limits or ShadowLimits()
        self._waiting: deque[_Answered] = deque()
        self._n_characters = 0
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._failures: set[str] = set()
        metrics.announce_shadow(self.version)
        self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()

    def yield_to(self, is_busy: Callable[[], bool]) -> None:
        """Works a tenth of the time while there are requests for all threads, as the function says."""
        self._is_busy = is_busy

    def replace(self, content_filter: ContentFilter) -> None:
        """Scores with another bundle from the next request on; closes it at once if the shadow has ended."""
        with self._changed:
            if self._stopped.is_set():
                unused: ContentFilter | None = content_filter
            else:
                unused, self._following = self._following, content_filter
                self._changed.notify()
        if unused:
            unused.close()

    def offer(self, texts: Sequence[str], judgement: Judgement) -> None:
        """Takes the texts of an answered request if there is room, and counts them as dropped if not; never waits.

        Args:
            texts: n texts.
            judgement: Of them.
        """
        n_characters = sum(map(len, texts))
        with self._changed:
            is_full = (
                len(self._waiting) >= self._limits.requests
                or self._n_characters + n_characters > self._limits.characters
            )
            if not is_full:
                self._waiting.append(_Answered(texts, judgement, n_characters))
                self._n_characters += n_characters
                self._changed.notify()
        if is_full:
            self._drop(len(texts), "full")

    def stop(self) -> None:
        """Ends the thread after the batch that it is scoring; what waits is dropped."""
        with self._changed:
            self._stopped.set()
            self._changed.notify()
        self._thread.join()
        self._filter.close()
        if self._following:
            self._following.close()

    def _work(self) -> None:
        while (answered := self._next()) is not None:
            try:
                scores = self._scores(answered.texts)
            except Exception as error:  # Whatever it is, it is the shadow's alone.
                self._fail(answered, type(error).__name__)
                continue
            if scores is None:
                return
            if not bool(np.all((scores >= 0) & (scores <= 1))):
                self._fail(answered, "scores are no probabilities")
                continue
            metrics.compare(answered.judgement, self.version, scores, self._filter.is_toxic(scores))

    def _next(self) -> _Answered | None:
        """The oldest request, after another bundle was taken over if there is one; None at the end."""
        with self._changed:
            while not self._stopped.is_set():
                if self._following:
                    self._take_over(self._following)
                if self._waiting:
                    answered = self._waiting.popleft()
                    self._n_characters -= answered.n_characters
                    return answered
                self._changed.wait()
        return None

    def _take_over(self, following: ContentFilter) -> None:
        self._filter.close()
        self._filter, self._following = following, None
        self.version, self.digest = following.version, following.bundle.spec.digest
        self._failures.clear()
        metrics.announce_shadow(self.version)
        logger.info("the shadow is version %s now", self.version)

    def _scores(self, texts: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.float32]] | None:
        """The scores of texts, float32[n], in steps with pauses; None at the end."""
        scores = np.zeros(len(texts), dtype=np.float32)
        for index, text in enumerate(texts):
            start = time.perf_counter()
            windows = self._filter.windows([text])
            if not self._pause(start):
                return None
            for batch in batches(windows, self._filter.batch_size):
                start = time.perf_counter()
                of_batch = self._filter.score_windows(batch)
                scores[index] = np.maximum(scores[index], of_batch[:, 0].max())
                if not self._pause(start):
                    return None
        return scores

    def _pause(self, start: float) -> bool:
        """Leaves the processors to requests that need them; whether to go on."""
        if self._is_busy():
            self._stopped.wait(_PAUSE * (time.perf_counter() - start))
        return not self._stopped.is_set()

    def _fail(self, answered: _Answered, why: str) -> None:
        self._drop(len(answered.texts), "failed")
        if why not in self._failures:
            self._failures.add(why)
            logger.error("the shadow, version %s, could not score a request: %s (logged once)", self.version, why)

    def _drop(self, n: int, reason: str) -> None:
        metrics.SHADOW_DROPPED.labels(self.version, reason).inc(n)
