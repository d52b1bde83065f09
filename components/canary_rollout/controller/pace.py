"""How often the control loop runs, how long it waits for the API server, and the clock that it uses."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How often the loop runs, and how long it waits for the API server.

    Attributes:
        interval: Seconds between two iterations.
        patience: Seconds that the API server may be unavailable before the process gives up.
    """

    interval: float = 1.0
    patience: float = 600.0


@dataclass(frozen=True)
class Clock:
    """The time, and how to wait; tests replace both.

    Attributes:
        now: Seconds since the epoch.
        sleep: Waits so many seconds.
    """

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


DEFAULT_PACE = Pace()
SYSTEM_CLOCK = Clock()
