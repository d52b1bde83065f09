"""One bundle at work: its filter, and the threads that score with it.

A server has one of them, and for a moment two while it takes over another bundle. A request stays with the one that it
began with.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from content_arena.components.predictor import metrics
from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.scoring.jobs import Job
from content_arena.components.predictor.scoring.judgement import Judgement, confidence
from content_arena.components.predictor.scoring.scheduler import Scheduler
from content_arena.components.shared.errors import ArenaError, BundleError
from content_arena.components.shared.limits import MAX_TEXT_LENGTH
from content_arena.components.shared.scoring.filter import ContentFilter

#: A short text, one in another script, one of several windows, one whose canonical text is empty, one without words.
_WARM_UP = ("Warm-up.", "준비 운동", "warm up " * (MAX_TEXT_LENGTH // 8), "\u200b", "!?")
#: Reads what an answer shows; a text that is scored is read by the scheduler.
_READING = ThreadPoolExecutor(1, thread_name_prefix="reading")

T = TypeVar("T")


class ScoreError(ArenaError):
    """The model's output is no probability (HTTP 500): no text passes the filter on it."""


class Engine:
    """Scores texts with one bundle; for the event loop, but for :meth:`warm_up` and :meth:`stop`.

    Attributes:
        version: What answers name.
        alias: Registry alias of the version; None if it has none.
        attributes: What is scored beside toxicity, with the score from which a text has it.
        lang: ISO 639-1 code of the language that the bundle was trained on.
        digest: SHA-256 (hex) of the bundle.
        threshold: A text is toxic if its score is at least this.
        reading: How a text is read before it is scored.
        threads: Batches that are scored in parallel.
        n_requests: Requests that are with it now.
    """

    def __init__(self, content_filter: ContentFilter, limits: Limits | None = None, alias: str | None = None) -> None:
        """Starts the threads.

        Args:
            content_filter: What scores; closed with the engine.
            limits: What a request may cost; the defaults if None.
            alias: See the attribute.
        """
        self.version = content_filter.version
        self.alias = alias
        self.lang = content_filter.bundle.spec.lang
        self.attributes = dict(content_filter.bundle.spec.attributes)
        self.digest = content_filter.bundle.spec.digest
        self.threshold = content_filter.threshold
        self.reading = content_filter.reading
        self.threads = content_filter.threads
        self.n_requests = 0
        self._filter = content_filter
        self._scheduler = Scheduler(content_filter, limits or Limits())

    def warm_up(self) -> None:
        """Scores every kind of input.

        Raises:
            BundleError: The model failed, or its scores are no probabilities.
        """
        try:
            self.judge(self._filter.score_all(list(_WARM_UP)), seconds=0.0)
        except ArenaError as error:
            raise self._warm_up_error(str(error)) from error
        except Exception as error:  # ONNX Runtime has many classes of errors; whatever it is, the model is not served.
            raise self._warm_up_error(type(error).__name__) from error

    def _warm_up_error(self, reason: str) -> BundleError:
        return BundleError(f"the model in {self._filter.bundle.path} fails its warm-up: {reason}")

    @property
    def is_busy(self) -> bool:
        """Whether it has requests for all of its threads."""
        return self._scheduler.is_busy

    def close_queue(self) -> None:
        """Ends the requests that are not finished with a :class:`ClosingError`; none is accepted any more."""
        self._scheduler.close()

    def stop(self) -> None:
        """Ends the threads after the batch that each is scoring."""
        self._scheduler.close()
        self._scheduler.join()
        self._filter.close()

    async def scored(self, texts: list[str]) -> tuple[npt.NDArray[np.float32], Job]:
        """The scores of checked texts, as :meth:`ContentFilter.score_all`; given up if the task is cancelled.

        Raises:
            RequestError: A text is too much work.
            ArenaError: See :meth:`Scheduler.submit`.
        """
        job = self._scheduler.submit(texts)
        pending = metrics.PENDING.labels(self.version)
        pending.inc(len(texts))
        try:
            return await asyncio.wrap_future(job.result), job
        finally:
            pending.dec(len(texts))

    async def judged(self, texts: list[str], *, with_attributes: bool = False) -> tuple[Judgement, float]:
        """What the model says of checked texts, and the seconds it took, waiting included.

        Args:
            texts: n texts.
            with_attributes: Whether the judgement has what is scored beside toxicity.

        Raises:
            ScoreError: The model gave no probabilities.
            ArenaError: See :meth:`scored`.
        """
        start = time.perf_counter()
        scores, job = await self.scored(texts)
        judgement = self.judge(scores, job.seconds)
        if with_attributes:
            judgement = replace(judgement, attributes=dict(zip(self._filter.attributes, scores.T[1:], strict=True)))
        return judgement, time.perf_counter() - start

    def judge(self, scores: npt.NDArray[np.float32], seconds: float) -> Judgement:
        """Verdicts on scores, of which the first column is toxicity.

        Raises:
            ScoreError: One is no probability.
        """
        if not bool(np.all((scores >= 0) & (scores <= 1))):
            raise ScoreError("the model's scores are no probabilities")
        scores = scores[:, 0]
        verdicts = self._filter.is_toxic(scores)
        sure = confidence(scores, verdicts, self.threshold)
        return Judgement(scores, verdicts, sure, self.version, seconds)

    async def read(self, texts: list[str]) -> list[str]:
        """What the model reads of texts."""
        return await in_reading_thread(lambda: [self.reading(text) for text in texts])


async def in_reading_thread(read: Callable[[], T]) -> T:
    """Reads beside the event loop, one request after another; one that is given up meanwhile is not begun."""
    return await asyncio.get_running_loop().run_in_executor(_READING, read)
