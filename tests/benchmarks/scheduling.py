"""How long short requests wait beside long ones, in virtual time: the real scheduler, and a model that only takes time.

    python -m tests.benchmarks.scheduling [--seconds 60]

Two threads take the scheduler's steps one after another, and each step takes as long as a processor would need: a batch
1 ms and .1 ms for each token of padded windows, reading 3 us for each character. No clock is read, so that the figures
are the same on every machine, busy or not. Short requests come at random times (a Poisson process), at a share of the
rate that 64 clients get who wait for each answer. Beside them seven clients send 16 to 35 texts of 1,700 characters
each, and the next request as soon as one is answered, or a second after a refusal.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.scoring.admission import Admission, OverloadedError
from content_arena.components.predictor.scoring.jobs import width
from content_arena.components.predictor.scoring.scheduler import Scheduler
from content_arena.components.shared.scoring.filter import ContentFilter
from content_arena.components.shared.scoring.windows import WINDOW_STRIDE, Window

_THREADS = 2
_LOADS = (0.5, 0.8, 0.9)
_BATCH, _TOKEN, _CHARACTER = 1e-3, 1e-4, 3e-6
_LONG_TEXTS, _LONG = (35, 20, 16, 32, 35, 20, 16), "y" * 1_700
_WINDOW, _CHARACTERS_PER_TOKEN = 128, 4

Done = Callable[[bool], None]


class _Model:
    """What the scheduler needs of a filter; a text has a token for four characters."""

    threads = 0  # The scheduler starts none: its steps are taken here.
    attributes: tuple[str, ...] = ()
    batch_size = 8

    def windows(self, texts: list[str]) -> list[Window]:
        step = _WINDOW - WINDOW_STRIDE
        sizes = [(index, 2 + len(text) // _CHARACTERS_PER_TOKEN) for index, text in enumerate(texts)]
        made = [Window(i, [0] * min(_WINDOW, n - begin), "") for i, n in sizes for begin in range(0, n, step)]
        return sorted(made, key=lambda window: len(window.ids))

    def score_windows(self, batch: list[Window]) -> npt.NDArray[np.float32]:
        return np.zeros((len(batch), 1), dtype=np.float32)


class _Server:
    """The scheduler in virtual time."""

    def __init__(self) -> None:
        self.now = 0.0
        limits = Limits()
        self._scheduler = Scheduler(cast(ContentFilter, _Model()), limits)
        self._scheduler._admission = Admission(_THREADS * limits.queue_tokens)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._idle = _THREADS

    def at(self, time: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), event))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()

    def submit(self, texts: list[str], done: Done) -> None:
        """Calls ``done`` with whether the texts were scored, when they are, or are refused."""
        try:
            job = self._scheduler.submit(texts)
        except OverloadedError:
            done(False)
            return

        def finished(_: Future[Any]) -> None:
            self.at(self.now, lambda: done(True))

        job.result.add_done_callback(finished)
        self._begin()

    def _begin(self) -> None:
        while self._idle:
            with self._scheduler._changed:
                step = self._scheduler._next_step()
            if step is None:
                return
            self._idle -= 1
            work = cast("partial[None]", step.work)
            self.at(self.now + _seconds(work), partial(self._end, work))

    def _end(self, work: Callable[[], None]) -> None:
        work()
        self._idle += 1
        self._begin()


def _seconds(work: partial[None]) -> float:
    """What a step takes: of one that reads, its characters; of one that scores, its tokens with their padding."""
    (parts,) = work.args
    if work.func.__name__ == "_score":
        widest = max(width(part.windows) for part in parts)
        return _BATCH + _TOKEN * widest * sum(len(part.windows) for part in parts)
    return _CHARACTER * sum(min(4_096, sum(map(len, job.texts[job.n_read :]))) for job in parts)


def _short(drawn: random.Random) -> list[str]:
    n_tokens = min(60.0, max(6.0, drawn.lognormvariate(3, 0.5)))
    return ["x" * int(_CHARACTERS_PER_TOKEN * n_tokens)]


def _peak(seconds: float) -> float:
    server, drawn, answers = _Server(), random.Random(0), itertools.count()

    def again(is_scored: bool) -> None:
        next(answers)
        server.submit(_short(drawn), again)

    for _ in range(64):
        server.submit(_short(drawn), again)
    server.run(seconds)
    return next(answers) / seconds


def _waits(rate: float, seconds: float, *, with_long: bool) -> tuple[list[float], int, int]:
    """Seconds that short requests waited, how many were refused, and texts of long requests that were scored."""
    server, drawn, waits, refused, n_long = _Server(), random.Random(1), [], 0, 0

    def arrive() -> None:
        sent = server.now

        def done(is_scored: bool) -> None:
            nonlocal refused
            if is_scored:
                waits.append(server.now - sent)
            else:
                refused += 1

        server.submit(_short(drawn), done)
        server.at(server.now + drawn.expovariate(rate), arrive)

    def send_long(n_texts: int) -> None:
        def done(is_scored: bool) -> None:
            nonlocal n_long
            n_long += n_texts * is_scored
            server.at(server.now + (0.0 if is_scored else 1.0), partial(send_long, n_texts))

        server.submit([_LONG] * n_texts, done)

    server.at(0.0, arrive)
    for n_texts in _LONG_TEXTS if with_long else ():
        server.at(0.0, partial(send_long, n_texts))
    server.run(seconds)
    return waits, refused, n_long


def main(arguments: list[str] | None = None) -> None:
    """Simulates and prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scheduling")
    parser.add_argument("--seconds", type=float, default=60.0, help="of virtual time for each row")
    seconds: float = parser.parse_args(arguments).seconds
    peak = _peak(seconds / 6)
    print(f"peak {peak:.0f} short requests a second")
    for load in _LOADS:
        alone, beside = (_waits(load * peak, seconds, with_long=with_long) for with_long in (False, True))
        for name, (waits, refused, n_long) in (("alone", alone), ("beside", beside)):
            shown = ", ".join(f"p{percent} {np.percentile(waits, percent) * 1e3:.0f} ms" for percent in (50, 95, 99))
            print(f"{load:.0%} {name:6}: {shown}; {refused} refused; {n_long / seconds:.1f} long texts a second")
        ratios = [np.percentile(beside[0], percent) / np.percentile(alone[0], percent) for percent in (50, 99)]
        print(f"    p50 x {ratios[0]:.2f}, p99 x {ratios[1]:.2f}", flush=True)


if __name__ == "__main__":
    main()
