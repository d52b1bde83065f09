"""Ctrl-C and SIGTERM, which ends a pod, stop a rollout after its current request, so that the lease is released."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from content_arena.components.canary_rollout.controller.pace import Clock


class StopRequest:
    """Whether this process was asked to stop.

    The exception that a signal handler raises can be lost: CPython clears whatever is raised while an ``io.IOBase``
    that nothing refers to any more is closed (``iobase_finalize`` in ``Modules/_io/iobase.c``), and every answer of the
    API server is such an object. A request to stop is therefore remembered, and a wait ends with it.

    Attributes:
        clock: Its ``sleep`` raises KeyboardInterrupt once the process was asked to stop.
    """

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._is_made = False
        self.clock = Clock(sleep=self._sleep)

    def make(self, number: int, frame: FrameType | None) -> None:
        """The signal handler.

        Raises:
            KeyboardInterrupt: Always, at the place where the signal met the process.
        """
        # A process manager may send it to the process and to its group. The second must not interrupt the clean-up.
        # A person who presses Ctrl-C again does not want to wait for the clean-up.
        signal.signal(number, signal.SIG_IGN if number == signal.SIGTERM else signal.default_int_handler)
        self._is_made = True
        raise KeyboardInterrupt

    def _sleep(self, seconds: float) -> None:
        if not self._is_made:
            time.sleep(seconds)
        # Asked again, because the exception can be lost during the wait too.
        if self._is_made:
            raise KeyboardInterrupt


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[StopRequest]:
    """Makes SIGTERM behave like Ctrl-C while the context is open, and has neither of the two get lost.

    Outside the main thread, where Python has no signal handlers, it changes nothing.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.make) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
