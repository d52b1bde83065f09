"""Runs a pipeline on this machine with kfp.local."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from content_arena.components.shared.stage import parse
from content_arena.pipelines.definitions.stage_table import EXIT_STAGES
from content_arena.pipelines.execution.engines import STAGE_VARIABLES, subprocesses
from content_arena.pipelines.execution.environment import environment
from content_arena.pipelines.execution.home import ArenaHome
from content_arena.pipelines.execution.room import RUNS_KEPT
from content_arena.pipelines.execution.stage_log import StageCrashedError, StageLog, StageRefusedError, Watcher

if TYPE_CHECKING:
    from kfp.dsl.base_component import BaseComponent

    from content_arena.pipelines.execution.engines import Engine

__all__ = ["LocalRun", "StageCrashedError", "StageRefusedError", "run"]


@dataclass(frozen=True)
class LocalRun:
    """A finished run.

    Attributes:
        name: Names the run's folder and report.
        log: File with everything the stages and their libraries wrote.
        artifacts: Folder of what the stages handed to each other.
    """

    name: str
    log: Path
    artifacts: Path

    def parameter(self, task: str, name: str) -> object:
        """An output parameter of a task.

        Raises:
            StageCrashedError: The task left none: its process or container vanished.
        """
        return self._output(task, "parameterValues", name)

    def parameter_if_any(self, task: str, name: str) -> object | None:
        """An output parameter of a task; None if the run ended before that task did."""
        return self.parameter(task, name) if self._outputs_of(task) else None

    def artifact(self, task: str, name: str) -> Path:
        """An output artifact of a task.

        Raises:
            StageCrashedError: The task left none: its process or container vanished.
        """
        path = Path(self._output(task, "artifacts", name)["artifacts"][0]["uri"])
        if not path.exists():
            raise StageCrashedError(f"{task} left no {name}: the end of its log is in {self.log}")
        return path

    def notes(self, stage: str) -> list[str]:
        """What a stage noted for the user, without repetition."""
        lines = map(parse, self.log.read_text(encoding="utf-8", errors="replace").splitlines())
        return list(dict.fromkeys(line.message for line in lines if line and line.is_note and line.stage == stage))

    def metadata(self, task: str, name: str) -> dict[str, Any]:
        """The metadata of an output artifact of a task.

        Raises:
            StageCrashedError: The task left none: its process or container vanished.
        """
        return dict(self._output(task, "artifacts", name)["artifacts"][0].get("metadata", {}))

    def metric(self, task: str, name: str) -> float:
        """A figure that a task logged to its output ``metrics``.

        Raises:
            StageCrashedError: The task left none.
        """
        return float(self.metadata(task, "metrics")[name])

    def _output(self, task: str, kind: str, name: str) -> Any:  # noqa: ANN401 - parsed JSON
        try:
            return json.loads(self._outputs_of(task)[-1].read_text(encoding="utf-8"))[kind][name]
        except (IndexError, KeyError, ValueError) as error:
            raise StageCrashedError(f"{task} ended without its {name}: the end of its log is in {self.log}") from error

    def _outputs_of(self, task: str) -> list[Path]:
        # KFP's executor writes this file at the end of a task: a process or container that vanished leaves none.
        return sorted(self.artifacts.glob(f"*/{task.replace('_', '-')}/executor_output.json"))


def run(
    pipeline: BaseComponent,
    arguments: Mapping[str, Any],
    home: ArenaHome,
    watch: Watcher,
    engine: Engine | None = None,
) -> LocalRun:
    """Runs a pipeline with kfp.local.

    Args:
        pipeline: A KFP pipeline over our components.
        arguments: Its parameters; those that are None keep their defaults.
        home: Where to keep the run.
        watch: Called with every line that a stage writes.
        engine: What runs the tasks; processes if None.

    Raises:
        StageRefusedError: A stage refused its input; it holds what was run until then.
        StageCrashedError: A stage failed in any other way.
    """
    from kfp import local

    given = {key: value for key, value in arguments.items() if value is not None}
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
    folder = home.runs / name
    folder.mkdir(parents=True)
    with (folder / "log.txt").open("w", encoding="utf-8") as file, _temporary_folder() as temporary:
        log = StageLog(file, watch, EXIT_STAGES)
        finished = LocalRun(name, Path(file.name), folder / "artifacts")
        local.init(
            engine or subprocesses(),
            pipeline_root=str(folder / "artifacts"),
            workspace_root=str(temporary / "workspace"),
        )
        try:
            # kfp.local has no callback for progress, but prints what the stages print: standard output is read instead.
            with (
                environment({"TMPDIR": str(temporary), "ARENA_HOME": str(home.path)}, STAGE_VARIABLES),
                contextlib.redirect_stdout(log),
                warnings.catch_warnings(),
            ):
                # Display names and node selectors have no effect here, and kfp warns about that for every task.
                warnings.simplefilter("ignore")
                pipeline(**given)
        except RuntimeError as error:
            raise log.error(finished) from error
        finally:
            log.flush_line()
        if log.first_error is not None:
            # kfp's DockerRunner reports success if a container is removed before its exit code was read.
            raise log.error(finished)
    _forget_old_runs(home.runs)
    return finished


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder for what kfp leaves behind, gone when the run has ended.

    ``local.init`` makes a workspace folder that nothing removes, and the shell line that starts a task keeps the task's
    source in a folder of ``mktemp -d`` that nothing removes either.
    """
    with tempfile.TemporaryDirectory(prefix="arena-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _forget_old_runs(runs: Path) -> None:
    """Removes the intermediate files of older runs; models and figures live in MLflow."""
    folders = (path for path in runs.iterdir() if path.is_dir())
    for old in sorted(folders, key=lambda path: (path.stat().st_ctime_ns, path.name))[:-RUNS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
