"""Shows a run to a person: its stages, what each does, how far it is and how long it took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from content_arena.components.shared.stage import StageLine
from content_arena.pipelines.definitions.stage_table import EXIT_STAGES

_PLAIN_INTERVAL = 10.0


@dataclass
class _Stage:
    name: str
    started: float
    message: str = ""
    done: int | None = None
    total: int | None = None
    ended: float | None = None
    failed: bool = False


@dataclass
class RunDisplay:
    """Draws the stages of a run on standard error.

    On a terminal each stage has one line that is redrawn in place. Elsewhere (a log file, CI) a line is written when a
    stage starts, when it ends, and every ten seconds in between. A note of a stage is written for good on both.

    Attributes:
        console: Where to draw.
    """

    console: Console
    _stages: dict[str, _Stage] = field(default_factory=dict)
    _live: Live | None = None
    _last_plain: float = 0.0

    def __enter__(self) -> RunDisplay:
        if self.console.is_terminal:
            self._live = Live(self, console=self.console, refresh_per_second=8, transient=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        running = self._running()
        if running is not None:
            # An exit stage runs after a failure too, and is never its cause.
            self._end(running, failed=error is not None and running.name not in EXIT_STAGES)
        if self._live is not None:
            self._live.stop()

    def watch(self, line: StageLine) -> None:
        """Takes one line of a stage's log."""
        now = time.monotonic()
        stage = self._stages.get(line.stage)
        if line.is_note:
            # rich prints it above the stages that it redraws.
            self.console.print(Text(line.message), soft_wrap=True)
            return
        if stage is None:
            running = self._running()
            if running is not None:
                self._end(running)
            stage = self._stages[line.stage] = _Stage(line.stage, now)
            if not line.is_error:
                self._plain(f"{line.stage}: {line.message}")
            self._last_plain = now
        stage.message, stage.failed = line.message, line.is_error
        if line.total is not None:
            stage.done, stage.total = line.done, line.total
        if now - self._last_plain >= _PLAIN_INTERVAL and not line.is_error:
            self._last_plain = now
            count = f"{line.done}/{line.total} " if line.total else ""
            self._plain(f"{line.stage}: {count}{line.message}")

    def __rich__(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=2)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", width=7)
        table.add_column(width=20)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for stage in self._stages.values():
            is_running = stage.ended is None
            mark = Spinner("dots") if is_running else Text("✗", "red") if stage.failed else Text("✓", "green")
            seconds = (stage.ended or time.monotonic()) - stage.started
            bar: RenderableType = ""
            if is_running and stage.total:
                bar = ProgressBar(total=stage.total, completed=stage.done or 0, width=20)
            style = "" if is_running else "dim"
            table.add_row(
                mark, Text(stage.name, style), Text(f"{seconds:.0f} s", style), bar, Text(stage.message, style)
            )
        return Group(table)

    def _running(self) -> _Stage | None:
        return next((stage for stage in self._stages.values() if stage.ended is None), None)

    def _end(self, stage: _Stage, failed: bool = False) -> None:
        stage.ended = time.monotonic()
        stage.failed = stage.failed or failed
        seconds = f"{stage.ended - stage.started:.0f} s"
        # The reason is the command's last line, so it is not repeated here.
        self._plain(f"{stage.name}: " + (f"failed after {seconds}" if stage.failed else f"{seconds} - {stage.message}"))

    def _plain(self, text: str) -> None:
        if self._live is None:
            self.console.print(Text(text), soft_wrap=True)
