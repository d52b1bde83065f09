"""Scores the texts of many requests in turn, so that a short request does not wait behind a long one.

A request's work is cut into steps that take a fraction of a second: a few texts are read and tokenised, or a batch of
windows is scored. As many threads as the filter has sessions take step after step, of the request with the least work
left. Taking turns would be fair too, but under load all long requests would miss their deadline together. Every fourth
step is one of the oldest request: it comes to an end, whatever arrives.
Source: Schrage 1968, shortest remaining processing time.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import operator
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError

import numpy as np
import numpy.typing as npt

from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.protocol import RequestError
from content_arena.components.shared.errors import ArenaError
from content_arena.components.shared.filter import ContentFilter
from content_arena.components.shared.windows import Window

#: A step reads texts until they have this many characters.
_READ_CHARACTERS = 4_096
#: Tokens of a batch, padding included: more are no faster, and make others wait.
_BATCH_TOKENS = 512
#: Every how many steps the oldest request has one.
_TURN = 4
#: Requests above this many tokens leave a quarter of the queue to the smaller ones.
_SMALL_REQUEST_TOKENS = 512
#: Characters of a token, to estimate a request's cost before it was read.
_CHARACTERS_PER_TOKEN = 4
_WORK, _AGE = operator.attrgetter("left", "number"), operator.attrgetter("number")


class OverloadedError(ArenaError):
    """Too much is waiting; the client can try again later (HTTP 429)."""


class RequestTooLargeError(ArenaError):
    """The texts are too much work for one request (HTTP 413)."""


class ClosingError(ArenaError):
    """The server ends before the request is finished (HTTP 503)."""


class Job:
    """The texts of one request on their way.

    Attributes:
        result: float32[n, columns], the scores of :meth:`ContentFilter.score_all`, once they are there; cancel it to
            give the job up.
        seconds: Time that its steps took so far, without waiting.
        left: Tokens that are not scored yet; an estimate until all texts are read.
        number: Jobs that came later have higher ones.
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


class Scheduler:
    """Threads that score jobs."""

    def __init__(self, content_filter: ContentFilter, limits: Limits) -> None:
        """Starts a thread for each of the filter's sessions."""
        self._filter = content_filter
        self._limits = limits
        self._capacity = limits.queue_tokens * content_filter.threads
        self._jobs: set[Job] = set()
        self._waiting: set[Job] = set()  # Jobs with a step to take.
        self._numbers = itertools.count()
        self._n_tokens = 0
        self._n_steps = 0
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
            self._charge(job, job.charge, held=0)
            self._jobs.add(job)
            job.number = next(self._numbers)
            self._queue(job)
        job.result.add_done_callback(lambda _: self._forget(job))
        return job

    def close(self) -> None:
        """Gives up what is not finished, and ends the threads after their present step."""
        with self._changed:
            self._closed = True
            unfinished = list(self._jobs)
            self._changed.notify_all()
        for job in unfinished:
            _fail(job, ClosingError("the server ended before the texts were scored"))

    def join(self) -> None:
        """Waits for the threads; :meth:`close` first."""
        for thread in self._threads:
            thread.join()

    def _charge(self, job: Job, tokens: int, held: int) -> None:
        """Sets what a job takes of the queue; ``held`` is what it takes already.

        A job that turns out to cost no more than it was accepted for stays, however full the queue is.
        """
        room = self._capacity if tokens <= _SMALL_REQUEST_TOKENS else self._capacity * 3 // 4
        total = self._n_tokens - held + tokens
        if tokens > held and total > room:
            raise OverloadedError("too many texts are waiting")
        self._n_tokens, job.charge = total, tokens

    def _forget(self, job: Job) -> None:
        with self._changed:
            self._jobs.remove(job)
            self._n_tokens -= job.charge

    def _work(self) -> None:
        while True:
            with self._changed:
                while (step := self._next_step()) is None:
                    if self._closed:
                        return
                    self._changed.wait()
            step()

    def _next_step(self) -> Callable[[], None] | None:
        """The next step of the job whose turn it is; None if there is nothing to do."""
        while self._waiting:
            is_turn_of_oldest = self._n_steps % _TURN == _TURN - 1
            job = min(self._waiting, key=_AGE if is_turn_of_oldest else _WORK)
            self._waiting.remove(job)
            if not job.result.done():
                self._n_steps += 1
                return self._take_batch(job) if job.is_read else functools.partial(self._read, job)
        return None

    def _queue(self, job: Job) -> None:
        self._waiting.add(job)
        self._changed.notify()

    def _take_batch(self, job: Job) -> Callable[[], None]:
        batch = job.batches.popleft()
        job.n_at_work += 1
        job.left -= sum(len(window.ids) for window in batch)
        if job.batches:
            self._queue(job)
        return functools.partial(self._score, job, batch)

    def _read(self, job: Job) -> None:
        """Reads some of a job's texts; after the last of them, its first batch is scored at once."""
        start = time.perf_counter()
        try:
            job.windows += self._windows(job)
        except Exception as error:  # Whatever it is, it is the answer to this request, and no other's.
            _fail(job, error)
            return
        job.seconds += time.perf_counter() - start
        try:
            with self._changed:
                if job not in self._jobs:  # It was given up meanwhile.
                    return
                if not job.is_read:
                    self._queue(job)
                    return
                self._charge(job, job.n_tokens, held=job.charge)
                job.left = job.n_tokens
                job.batches.extend(_batches(job.windows, self._filter.batch_size))
                first = self._take_batch(job)
        except OverloadedError as error:
            _fail(job, error)
            return
        first()

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

    def _score(self, job: Job, batch: list[Window]) -> None:
        start = time.perf_counter()
        try:
            scores = self._filter.score_windows(batch)
        except Exception as error:  # ONNX Runtime has many classes of errors.
            _fail(job, error)
            return
        seconds = time.perf_counter() - start
        with self._changed:
            job.seconds += seconds
            np.maximum.at(job.scores, [window.text_index for window in batch], scores)
            job.n_at_work -= 1
            is_finished = not job.batches and not job.n_at_work
        if is_finished:
            with contextlib.suppress(InvalidStateError):
                job.result.set_result(job.scores)


def _batches(windows: list[Window], most: int) -> list[list[Window]]:
    """Batches of windows of about the same length, the shortest first."""
    batches: list[list[Window]] = []
    for window in sorted(windows, key=lambda window: len(window.ids)):
        size = len(window.ids)
        if not batches or len(batches[-1]) >= most or (len(batches[-1]) + 1) * size > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(window)
    return batches


def _fail(job: Job, error: Exception) -> None:
    # The job may have been given up meanwhile.
    with contextlib.suppress(InvalidStateError):
        job.result.set_exception(error)
