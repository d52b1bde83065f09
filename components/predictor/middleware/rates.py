"""How many requests a second a client may send.

A token bucket, as the generic cell rate algorithm: a client's whole state is one time. The package `limits` was looked
at and not taken: it counts in windows of whole seconds, so that "5 a second, 10 at once" is not among its limits, and
keeps the time of every request, or a thread that removes old counters.
Source: ITU-T I.371, annex A.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from content_arena.components.shared.errors import InputError


@dataclass(frozen=True)
class Rate:
    """A limit.

    Attributes:
        per_second: Requests a second in the long run, more than 0.
        burst: Requests that may come at once after a pause, 1 or more.
    """

    per_second: float
    burst: int

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            InputError: One is out of its range.
        """
        if not 0 < self.per_second < float("inf"):
            raise InputError(f"got a rate of {self.per_second}, wanted more than 0 requests a second")
        if self.burst < 1:
            raise InputError(f"got a burst of {self.burst}, wanted 1 request or more")


class RateLimiter:
    """Counts the requests of each client; for one thread."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes the limit of every client.

        Args:
            rate: The limit.
            clock: Seconds that only grow.
        """
        self._interval = 1 / rate.per_second
        self._ahead = (rate.burst - 1) * self._interval
        self._clock = clock
        # When a client's bucket is full again, which is when it may send a whole burst.
        self._full_at: dict[str, float] = {}

    def wait(self, client: str) -> float:
        """Counts a request, if its client may send it now.

        Args:
            client: Its name. Each name is kept, so names have to come from a closed set.

        Returns:
            0 if it may; else the seconds until it may, and the request is not counted.
        """
        now = self._clock()
        full_at = max(now, self._full_at.get(client, now))
        wait = full_at - now - self._ahead
        # The interval is no binary fraction: a client that keeps to its rate exactly shall not fall behind by rounding.
        if wait > self._interval * 1e-6:
            return wait
        self._full_at[client] = full_at + self._interval
        return 0.0
