"""The log lines of a stage, for progress and for errors.

A stage runs in a process or pod of its own, and its log is all that its user sees. So a stage logs lines that can be
read in a pod's log, and that the command line parses for its progress display:

    [train_qlora] 40/120 steps, loss 0.412
    [prepare_corpus] note: kept 1,869 of 1,870 rows; dropped: nul_character 1 (row 1,024)
    [train_qlora] error: only 12 toxic texts; at least 50 of each class are needed
    [train_qlora] failure: reading the registry at http://mlflow:5000 failed: Connection refused (MlflowException)

An error is what the stage refuses; a failure is what a library raised, whose traceback stands above the line.

tqdm and rich write to a terminal; another process cannot parse their output.
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
from content_arena.components.shared.library_errors import LibraryError, explained, traceback_of
from content_arena.components.shared.orphan import end_with_the_reader

_LINE = re.compile(r"^\s*\[(?P<stage>[a-z_]+)\] (?:(?P<done>\d+)/(?P<total>\d+) )?(?P<message>.*)$")
_ERROR_PREFIX = "error: "
_FAILURE_PREFIX = "failure: "
_NOTE_PREFIX = "note: "

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class StageLine:
    """One parsed line of a stage's log.

    Attributes:
        stage: Name of the stage that wrote it.
        message: The text behind stage and count.
        done: Finished units; None if the line has no count.
        total: All units; None if the line has no count.
        is_error: Whether it is the error that ended the stage.
        is_failure: Whether that error was a library's: the log has its traceback.
        is_note: Whether it tells the user something that must not be missed, such as rows that were dropped.
    """

    stage: str
    message: str
    done: int | None = None
    total: int | None = None
    is_error: bool = False
    is_failure: bool = False
    is_note: bool = False


def parse(line: str) -> StageLine | None:
    """Parses a line of a log; None if it is no line of a stage."""
    match = _LINE.match(line.rstrip("\n"))
    if match is None:
        return None
    message = match["message"]
    is_failure, is_note = message.startswith(_FAILURE_PREFIX), message.startswith(_NOTE_PREFIX)
    is_error = message.startswith(_ERROR_PREFIX) or is_failure
    counted = match["done"] is not None
    return StageLine(
        stage=match["stage"],
        message=message.removeprefix(_FAILURE_PREFIX if is_failure else _ERROR_PREFIX if is_error else _NOTE_PREFIX),
        done=int(match["done"]) if counted else None,
        total=int(match["total"]) if counted else None,
        is_error=is_error,
        is_failure=is_failure,
        is_note=is_note,
    )


def log(stage: str, message: str) -> None:
    """Writes one line of the stage's log.

    It uses ``print``, because a stage has to end when the process that reads its log is gone: where ``orphan`` can not
    watch the pipe, its break raises an error here.
    """
    print(f"[{stage}] {message}", flush=True)


def note(stage: str, message: str) -> None:
    """Writes a line that stays on the user's terminal; of other lines the command line shows the latest."""
    log(stage, _NOTE_PREFIX + message)


class Progress:
    """Counts units of work and logs the count at most every ``interval`` seconds, and at the end.

    In the first ``silent`` seconds it logs nothing, and nothing at the end of what is done by then.
    """

    def __init__(self, stage: str, total: int, unit: str, interval: float = 1.0, silent: float = 0.0) -> None:
        self._stage, self._total, self._unit, self._interval = stage, total, unit, interval
        self._done = 0
        self._due = time.monotonic() + silent
        self._is_silent = silent > 0

    def advance(self, n: int = 1, note: str = "") -> None:
        """Adds ``n`` finished units."""
        self.at(self._done + n, note)

    def at(self, done: int, note: str = "") -> None:
        """Sets the count to ``done`` units; ``note`` is logged behind the count."""
        self._done = done
        now = time.monotonic()
        if now >= self._due or (done >= self._total and not self._is_silent):
            self._due, self._is_silent = now + self._interval, False
            log(self._stage, f"{done}/{self._total} {self._unit}" + (f", {note}" if note else ""))


def stage(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates the entry function of a stage: its errors become one line and exit code 2.

    An ArenaError is written without traceback, an error of a library with it. A mistake in this code passes through.

    Args:
        name: Name of the stage, as in the pipeline.
    """

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            end_with_the_reader()
            try:
                return function(*args, **kwargs)
            except Exception as error:
                known = error if isinstance(error, ArenaError) else explained(error, name)
                if known is None:
                    raise
                _log_end(name, known)
                sys.exit(2)

        return run

    return mark


def _log_end(name: str, error: ArenaError) -> None:
    """Writes the line that ends a stage, below the traceback if a library raised the error."""
    prefix = _ERROR_PREFIX
    if isinstance(error, LibraryError):
        prefix = _FAILURE_PREFIX
        # Standard output, as the line: of two streams, either could come first in a log.
        print(traceback_of(error), end="")
    log(name, prefix + " ".join(str(error).split()))
