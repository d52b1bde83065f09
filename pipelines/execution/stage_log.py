"""Keeps what the stages of a run print in a file, and passes on the lines of the stages' log."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, TextIO

from content_arena.components.shared.errors import ArenaError, InputError
from content_arena.components.shared.stage import StageLine, parse

if TYPE_CHECKING:
    from content_arena.pipelines.execution.local import LocalRun

#: The last line of a traceback: type and message.
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception)\b.*")
_EXCEPTION_LENGTH = 300
#: The line by which kfp.local says which task it starts; its name may be coloured.
_EXECUTING = re.compile(r"Executing task .*?'([a-z0-9-]+)'")
Watcher = Callable[[StageLine], None]


class StageRefusedError(InputError):
    """A stage refused its input; the message is the error line of the stage.

    Attributes:
        run: What was run until then.
    """

    def __init__(self, message: str, run: LocalRun | None = None) -> None:
        """Keeps the run, whose finished stages may hold the reason in a form for programs."""
        super().__init__(message)
        self.run = run


class StageCrashedError(ArenaError):
    """A stage broke down: by an error of a library, or without any line of its own. The log has the traceback."""


class StageLog(io.TextIOBase):
    """A text stream that keeps every line in a file and passes on those that stages wrote.

    Attributes:
        last_stage: The last stage that started or wrote a line, exit stages apart.
        first_error: The first error line of a stage. Other stages may fail because that one did, so the first is the
            cause.
        exception: The line that ends the first traceback.
    """

    def __init__(self, file: TextIO, watch: Watcher, exit_stages: Collection[str]) -> None:
        """Writes to a file.

        Args:
            file: Open for writing; error messages name it.
            watch: Called with every line that a stage wrote.
            exit_stages: Stages that run after a failure too: they are never its cause.
        """
        self._file, self._watch, self._exit_stages = file, watch, exit_stages
        self._pending = ""
        self.last_stage: str | None = None
        self.first_error: StageLine | None = None
        self.exception: str | None = None

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Never: stages must not draw."""
        return False

    def write(self, text: str) -> int:
        """Takes text that may end within a line."""
        self._file.write(text)
        self._pending += text
        *lines, self._pending = self._pending.split("\n")
        for line in lines:
            self._line(line)
        return len(text)

    def flush(self) -> None:
        """Flushes the file."""
        self._file.flush()

    def flush_line(self) -> None:
        """Ends the last line if it has no line break."""
        if self._pending:
            self._line(self._pending)
        self._pending = ""
        self.flush()

    def error(self, run: LocalRun | None = None) -> ArenaError:
        """Why the run failed.

        Args:
            run: What was run until then.
        """
        self.flush_line()
        if self.first_error is not None and self.first_error.is_failure:
            failed = self.first_error
            return StageCrashedError(f"{failed.stage}: {failed.message}; the whole log is in {self._file.name}")
        if self.first_error is not None:
            return StageRefusedError(self.first_error.message, run)
        where = f"stage {self.last_stage}" if self.last_stage else "the run"
        exception = f" ({self.exception})" if self.exception else ""
        return StageCrashedError(f"{where} failed{exception}; the whole log is in {self._file.name}")

    def _line(self, line: str) -> None:
        found = parse(line)
        if found is None:
            # The last line of a traceback is kept for the error message: a container's own log goes with the container.
            ends_traceback = _EXCEPTION.match(line.strip())
            if ends_traceback and self.exception is None:
                self.exception = ends_traceback[0][:_EXCEPTION_LENGTH]
            started = _EXECUTING.search(line)
            if started and (task := started[1].replace("-", "_")) not in self._exit_stages:
                self.last_stage = task
            return
        if found.stage not in self._exit_stages:
            self.last_stage = found.stage
        if found.is_error and self.first_error is None:
            self.first_error = found
        self._watch(found)
