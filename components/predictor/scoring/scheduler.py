"""Scores the texts of many requests in turn, so that a short request does not wait behind a long one.

A request's work is cut into steps that take a fraction of a second: a few texts are read and tokenised, or a batch of
windows is scored. As many threads as the filter has take step after step, of the request with the fewest batches left,
and of two with as many, of the older. A batch is filled up with what other requests have of about the same length.
Tokens are not compared: among requests of one batch each, the longest would wait until there are no others.
Taking turns would be fair too, but under load all long requests would miss their deadline together. An eighth of
the work is done for the oldest request, though others have less left: it comes to an end, whatever arrives. It is a
share of the work and not of the steps: a step of a long request takes up to twenty times as long as one of a short
request. What large requests get while nothing small waits counts as a part of this share: at 80 % of what a server can
do they live on what the small ones leave. Of these turns every second is the oldest's. Large
requests are not read before their turn.
Source: Schrage 1968, shortest remaining processing time.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.protocol import RequestError
from content_arena.components.predictor.scoring.admission import Admission, is_small
from content_arena.components.predictor.scoring.cache import ScoreCache
from content_arena.components.predictor.scoring.jobs import Job, Part
from content_arena.components.predictor.scoring.waiting import Waiting
from content_arena.components.shared.errors import ArenaError
from content_arena.components.shared.scoring.filter import ContentFilter
from content_arena.components.shared.scoring.windows import BATCH_TOKENS, Window

#: A step reads texts until they have this many characters.
_READ_CHARACTERS = 4_096
#: One part of so many of the work is done for the oldest request.
_PARTS = 8
#: Tokens that large requests may have got beyond this part and that are still remembered: as small requests that come
#: in a burst take them up, the burst has about a second of two cores for itself.
_MOST_AHEAD = 16 * BATCH_TOKENS


class RequestTooLargeError(ArenaError):
    """The texts are too much work for one request (HTTP 413)."""


class ClosingError(ArenaError):
    """The server ends before the request is finished (HTTP 503)."""


class Step(NamedTuple):
    """What a thread does next.

    Attributes:
        jobs: Whom it is for.
        work: Does it.
    """

    jobs: Sequence[Job]
    work: Callable[[], None]


class Scheduler:
    """Threads that score jobs."""

    def __init__(self, content_filter: ContentFilter, limits: Limits) -> None:
        """Starts as many threads as the filter has."""
        self._filter = content_filter
        self._limits = limits
        self._cache = ScoreCache(limits.cached_windows)
        self._admission = Admission(limits.queue_tokens * content_filter.threads)
        #: By their results, and not the other way round: a finished job refers to no scheduler, nor to itself.
        self._jobs: dict[Future[npt.NDArray[np.float32]], Job] = {}
        self._waiting = Waiting()
        self._numbers = itertools.count()
        # Tokens that the oldest request may have now, though others have less work left; negative if large requests
        # had more than their part.
        self._credit = 0.0
        self._is_oldests_turn = True  # Among large requests.
        self._has_read = False  # Whether the last step read small requests.
        self._closed = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"score-{i}", daemon=True) for i in range(content_filter.threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, texts: Sequence[str]) -> Job:
        """Queues the texts of a request.

        The job's result is a :class:`RequestError` if a text is too much work, a :class:`RequestTooLargeError` if all
        texts together are, an :class:`OverloadedError` if the queue has no room for what they turned out to be, and a
        :class:`ClosingError` if the server ended first.

        Raises:
            OverloadedError: The queue is full.
            ClosingError: The server is about to end.
        """
        job = Job(texts, self._limits.request_tokens, 1 + len(self._filter.attributes))
        with self._changed:
            if self._closed:
                raise ClosingError("the server is about to end")
            self._admission.admit(job.charge)
            self._jobs[job.result] = job
            job.number = next(self._numbers)
            self._queue(job)
        job.result.add_done_callback(self._forget)
        return job

    @property
    def is_busy(self) -> bool:
        """Whether there are as many jobs as threads, or more."""
        return len(self._jobs) >= len(self._threads)

    def close(self) -> None:
        """Gives up what is not finished, and ends the threads after their present step."""
        with self._changed:
            self._closed = True
            unfinished = list(self._jobs.values())
            self._changed.notify_all()
        _fail_all(unfinished, ClosingError("the server ended before the texts were scored"))

    def join(self) -> None:
        """Waits for the threads; :meth:`close` first."""
        for thread in self._threads:
            thread.join()

    def _forget(self, result: Future[npt.NDArray[np.float32]]) -> None:
        with self._changed:
            job = self._jobs.pop(result)
            self._admission.leave(job.charge)
            self._waiting.discard(job)  # It may have been given up.

    def _work(self) -> None:
        while (step := self._wait_for_step()) is not None:
            try:
                step.work()
            except Exception as error:  # A fault here is the answer to these requests; the thread lives on.
                _fail_all(step.jobs, error)

    def _wait_for_step(self) -> Step | None:
        """The next step, as soon as there is one; None when the scheduler is closed."""
        with self._changed:
            while True:
                try:
                    step = self._next_step()
                except Exception as error:
                    # Nobody knows in which state this has left the queue: the fault is the answer to all in it.
                    self._waiting = Waiting()
                    _fail_all(list(self._jobs.values()), error)
                    step = None
                if step is not None or self._closed:
                    return step
                self._changed.wait()

    def _next_step(self) -> Step | None:
        """What is to be done next; None if there is nothing to do.

        Small requests are read as soon as a thread is free, so that there are many to make a batch of. But after they
        were read a batch is scored, if there is one: a flood of requests would else be read and never scored.
        """
        is_for_scoring = self._has_read and self._waiting.has_batches
        self._has_read = False
        if not is_for_scoring and (unread := self._waiting.take_unread(_READ_CHARACTERS)):
            self._has_read = True
            return Step(unread, functools.partial(self._read, unread))
        found = self._waiting.oldest_and_least()
        if found is None:
            return None
        job = self._turn_of(*found)
        self._waiting.discard(job)
        return self._take_batch(job) if job.is_read else Step([job], functools.partial(self._read, [job]))

    def _turn_of(self, oldest: Job, least: Job) -> Job:
        """That with the least work left, or the oldest if it has its part coming."""
        # A window may have more tokens than a batch.
        cost = min(oldest.next_tokens, BATCH_TOKENS)
        if not is_small(least.charge):
            self._credit = max(-_MOST_AHEAD, self._credit - cost)
            self._is_oldests_turn = not self._is_oldests_turn
            return oldest if self._is_oldests_turn else least
        if oldest is least:
            return oldest
        if self._credit >= cost:
            self._credit -= cost
            return oldest
        self._earn(least.next_tokens)
        return least

    def _earn(self, tokens: int) -> None:
        """Gives the oldest job its part of work that is done for others."""
        self._credit = min(BATCH_TOKENS, self._credit + tokens / (_PARTS - 1))

    def _queue(self, job: Job) -> None:
        self._waiting.add(job)
        self._changed.notify()

    def _take_batch(self, job: Job) -> Step:
        """The next batch of a job, filled up with those of others."""
        parts = [job.take()]
        oldest = self._waiting.oldest() or job
        for other in self._waiting.take_company(parts[0], self._filter.batch_size):
            if oldest.number < job.number and other is not oldest:
                self._earn(other.next_tokens)
            parts.append(other.take())
        for part in parts:
            if part.job.batches:
                self._queue(part.job)
        return Step([part.job for part in parts], functools.partial(self._score, parts))

    def _read(self, jobs: Sequence[Job]) -> None:
        """Reads jobs, of a long one a part."""
        for job in jobs:
            try:
                self._read_one(job)
            except Exception as error:  # Whatever it is, it is the answer to this request, and no other's.
                _fail(job, error)
        with self._changed:
            # This thread takes one of the steps that there are now; on a quiet server there is no other.
            self._changed.notify(max(0, sum(job.n_steps for job in jobs) - 1))

    def _read_one(self, job: Job) -> None:
        start = time.perf_counter()
        job.windows += self._windows(job)
        known = self._cache.get(job.windows) if job.is_read else []
        job.seconds += time.perf_counter() - start
        with self._changed:
            if job.result not in self._jobs:  # It was given up meanwhile.
                return
            if not job.is_read or job.divide(self._filter.batch_size, known):
                if job.is_read:
                    self._admission.admit(job.left, held=job.charge)
                    job.charge = job.left
                self._waiting.add(job)
                return
        _finish(job)

    def _windows(self, job: Job) -> list[Window]:
        begin = end = job.n_read
        n_characters = 0
        while end < len(job.texts) and n_characters < _READ_CHARACTERS:
            n_characters += len(job.texts[end])
            end += 1
        windows = self._filter.windows(job.texts[begin:end])
        sizes = [0] * (end - begin)
        for window in windows:
            sizes[window.text_index] += len(window.ids)
        for index, size in enumerate(sizes, begin):
            if size > self._limits.text_tokens:
                most = self._limits.text_tokens
                raise RequestError(f"instance {index} has {size} tokens when it is read, at most {most} are allowed")
        job.n_tokens += sum(sizes)
        if job.n_tokens > self._limits.request_tokens:
            raise RequestTooLargeError(
                f"the texts have more than {self._limits.request_tokens} tokens: send fewer in one request"
            )
        job.n_read = end
        return [window._replace(text_index=begin + window.text_index) for window in windows]

    def _score(self, parts: Sequence[Part]) -> None:
        windows = [window for part in parts for window in part.windows]
        start = time.perf_counter()
        try:
            scores = self._filter.score_windows(windows)
        except Exception as error:  # ONNX Runtime has many classes of errors.
            if len(parts) == 1:
                _fail(parts[0].job, error)
                return
            for part in parts:  # It is the answer to one of these requests, and not to the others.
                self._score([part])
            return
        seconds = (time.perf_counter() - start) / len(windows)
        self._cache.put(windows, scores)
        ends = itertools.accumulate(len(part.windows) for part in parts)
        finished: list[Job] = []
        with self._changed:
            for part, end in zip(parts, ends, strict=True):
                n = len(part.windows)
                if part.job.put(part.windows, scores[end - n : end], seconds * n):
                    finished.append(part.job)
        for job in finished:
            _finish(job)


def _fail_all(jobs: Sequence[Job], error: Exception) -> None:
    for job in jobs:
        _fail(job, error)


def _finish(job: Job) -> None:
    # The job may have been given up meanwhile.
    with contextlib.suppress(InvalidStateError):
        job.result.set_result(job.scores)


def _fail(job: Job, error: Exception) -> None:
    # The job may have been given up meanwhile.
    with contextlib.suppress(InvalidStateError):
        job.result.set_exception(error)
