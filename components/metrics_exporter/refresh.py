"""Keeps the last reading of a source fresh, in a thread of its own: a scrape never waits for MLflow or the cluster."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

logger = logging.getLogger("content_arena.metrics_exporter")
#: What is read. Its class is imported by the thread that reads: that takes seconds, in which the port is open already.
Read = TypeVar("Read")
#: A snapshot is fresh for this many intervals: one read may be late, three in a row are an outage.
_LIFETIME_INTERVALS = 3
_LIFETIME_AT_LEAST = 10.0


@dataclass(frozen=True)
class Reading(Generic[Read]):
    """The result of the last read.

    Attributes:
        snapshot: What was read; None if the source could not be read, or not for too long.
        taken: Unix time of the last read that worked, seconds; None before the first.
        seconds: How long that read took; None before the first.
    """

    snapshot: Read | None = None
    taken: float | None = None
    seconds: float | None = None


class Refresher(Generic[Read]):
    """Reads one source at intervals, and hands out the last snapshot as long as it is fresh."""

    def __init__(
        self,
        read: Callable[[], Read],
        interval: float,
        clock: Callable[[], float] = time.time,
        *,
        source: str = "MLflow",
    ) -> None:
        """Reads nothing yet.

        Args:
            read: Reads a snapshot; any error means that there is none.
            interval: Seconds from the end of a read to the beginning of the next.
            clock: Unix time in seconds.
            source: What is read, for the log.
        """
        self._read, self._clock = read, clock
        self._source = source
        self._interval = interval
        self._lifetime = max(_LIFETIME_INTERVALS * interval, _LIFETIME_AT_LEAST)
        self._last: Reading[Read] = Reading()
        self._failure: str | None = None
        self.tried = threading.Event()

    def current(self) -> Reading[Read]:
        """The last reading, without its snapshot if that is too old (a read that hangs is as bad as one that fails)."""
        last = self._last
        if last.taken is not None and self._clock() - last.taken > self._lifetime:
            return Reading(None, last.taken, last.seconds)
        return last

    def refresh(self) -> None:
        """Reads once. A failure drops the last snapshot, because stale figures are worse than none."""
        start = self._clock()
        try:
            snapshot = self._read()
        except Exception as error:
            self._last = Reading(None, self._last.taken, self._last.seconds)
            self._report(_chain(error))
        else:
            now = self._clock()
            self._last = Reading(snapshot, now, now - start)
            self._report(None)
        self.tried.set()

    def run(self) -> None:
        """Reads until the process ends."""
        while True:
            self.refresh()
            time.sleep(self._interval)

    def _report(self, failure: str | None) -> None:
        """Logs changes only: an outage of a night is two lines."""
        if failure is not None and failure != self._failure:
            logger.warning("%s cannot be read: %s", self._source, failure)
        if failure is None and self._failure is not None:
            logger.warning("%s can be read again", self._source)
        self._failure = failure


def _chain(error: BaseException) -> str:
    """The classes of an error and its causes; their messages may hold addresses with passwords in them."""
    names: list[str] = []
    link: BaseException | None = error
    while link is not None and len(names) < 5:
        names.append(type(link).__name__)
        link = link.__cause__ or link.__context__
    return " < ".join(names)
