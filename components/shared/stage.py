"""The line protocol a stage speaks, and its one way to refuse.

A stage runs in a process or pod of its own, so all that a watching person has is its log. Every stage therefore writes
lines that read well in a pod's log and that the command line turns into a progress display:

    [train_qlora] 40/120 steps, loss 0.412
    [train_qlora] error: only 12 toxic texts; at least 50 of each class are needed

tqdm and rich draw on a terminal they own; neither gives a line that another process can read back, hence this module.
"""

from __future__ import annotations

import functools
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from content_arena.components.shared.errors import ArenaError

_LINE = re.compile(r"^\s*\[(?P<stage>[a-z_]+)\] (?:(?P<done>\d+)/(?P<total>\d+) )?(?P<message>.*)$")
_ERROR_PREFIX = "error: "

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class StageLine:
    """One line of a stage's log, read back.

    Attributes:
        stage: Name of the stage that wrote it.
        message: What it says, without stage and count.
        done: Units finished, None if the line carries no count.
        total: Units in all, None if the line carries no count.
        is_error: Whether the stage refused with this line.
    """

    stage: str
    message: str
    done: int | None = None
    total: int | None = None
    is_error: bool = False


def parse(line: str) -> StageLine | None:
    """Reads a line of a log; None if no stage wrote it."""
    match = _LINE.match(line.rstrip("\n"))
    if match is None:
        return None
    message = match["message"]
    is_error = message.startswith(_ERROR_PREFIX)
    counted = match["done"] is not None
    return StageLine(
        stage=match["stage"],
        message=message.removeprefix(_ERROR_PREFIX),
        done=int(match["done"]) if counted else None,
        total=int(match["total"]) if counted else None,
        is_error=is_error,
    )


def log(stage: str, message: str) -> None:
    """Writes one line of the stage's log.

    A plain ``print``: when the process that reads the log is gone, the broken pipe ends the stage instead of leaving an
    orphan that trains on and registers a model nobody asked for any more.
    """
    print(f"[{stage}] {message}", flush=True)


class Progress:
    """Counts units of work and says so at most once every ``interval`` seconds, and at the end."""

    def __init__(self, stage: str, total: int, unit: str, interval: float = 1.0) -> None:
        self._stage, self._total, self._unit, self._interval = stage, total, unit, interval
        self._done = 0
        self._last = float("-inf")

    def advance(self, n: int = 1, note: str = "") -> None:
        """Adds ``n`` finished units."""
        self.at(self._done + n, note)

    def at(self, done: int, note: str = "") -> None:
        """Sets the count to ``done`` units; ``note`` is shown behind the count."""
        self._done = done
        now = time.monotonic()
        if now - self._last >= self._interval or done >= self._total:
            self._last = now
            log(self._stage, f"{done}/{self._total} {self._unit}" + (f", {note}" if note else ""))


def stage(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Marks a function as the entry of a stage: an ArenaError becomes one error line and exit code 2, no traceback.

    Args:
        name: Name of the stage, as in the pipeline.
    """

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except ArenaError as error:
                log(name, _ERROR_PREFIX + " ".join(str(error).split()))
                sys.exit(2)

        return run

    return mark
