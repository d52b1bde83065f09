"""Runs a pipeline on this machine with kfp.local, and turns its log into events a person can follow."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from content_arena.components.shared.errors import ArenaError, InputError
from content_arena.components.shared.stage import StageLine, parse
from content_arena.pipelines.execution.home import ArenaHome

#: Finished runs whose intermediate files are kept; models and figures live in MLflow.
_RUNS_KEPT = 3
#: The last line of a traceback: type and message.
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception)\b.*")
#: Runs after a failure too, and is not where it happened.
EXIT_STAGE = "close_run"
_QUIET = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONWARNINGS": "ignore",
    "TOKENIZERS_PARALLELISM": "true",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
Watcher = Callable[[StageLine], None]


class StageRefusedError(InputError):
    """A stage said what is wrong with what it was given."""


class StageCrashedError(ArenaError):
    """A stage ended without saying why; the log knows."""


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

    def parameter(self, task: str, name: str) -> Any:  # noqa: ANN401
        """An output parameter of a task.

        Raises:
            StageCrashedError: The task left none: its process or container vanished.
        """
        return self._output(task, "parameterValues", name)

    def artifact(self, task: str, name: str) -> Path:
        """An output artifact of a task.

        Raises:
            StageCrashedError: The task left none: its process or container vanished.
        """
        path = Path(self._output(task, "artifacts", name)["artifacts"][0]["uri"])
        if not path.exists():
            raise StageCrashedError(f"{task} left no {name}: its last words are in {self.log}")
        return path

    def _output(self, task: str, kind: str, name: str) -> Any:  # noqa: ANN401
        # What a task's executor writes when it is done, and the one thing that a vanished container can not leave.
        found = sorted(self.artifacts.glob(f"*/{task.replace('_', '-')}/executor_output.json"))
        try:
            return json.loads(found[-1].read_text(encoding="utf-8"))[kind][name]
        except (IndexError, KeyError, ValueError) as error:
            raise StageCrashedError(f"{task} ended without its {name}: its last words are in {self.log}") from error


def subprocesses() -> Any:  # noqa: ANN401
    """Runs every task as a process of this Python."""
    from kfp import local

    return local.SubprocessRunner(use_venv=False)


def containers(home: ArenaHome, image: str, folders: Sequence[Path]) -> Any:  # noqa: ANN401
    """Runs every task as a container of the component image.

    The container is this machine's user and sees the arena's home, the registry's database and the given folders, under
    the same paths. It has what a pod of ours has and no more: a read-only root, no capabilities, no new privileges.

    Args:
        home: Mounted writable, as is the folder of a database elsewhere.
        image: Has to be here already; nothing is pulled.
        folders: Mounted read-only.

    Raises:
        InputError: No Docker engine answers, or it has no such image.
    """
    import docker
    from docker.errors import DockerException, ImageNotFound
    from kfp import local

    try:
        client = docker.from_env()
        client.images.get(image)
        client.close()
    except ImageNotFound as error:
        raise InputError(f"Docker has no image {image}: `make images` builds it") from error
    except DockerException as error:
        raise InputError(f"no Docker engine answers ({error}): start one, or use --runner subprocess") from error
    mounts = []
    for folder in home.shared_folders:
        folder.mkdir(parents=True, exist_ok=True)
        mounts.append(docker.types.Mount(str(folder), str(folder), type="bind"))
    mounts += [
        docker.types.Mount(str(folder), str(folder), type="bind", read_only=True)
        for folder in dict.fromkeys(folder.absolute() for folder in folders)
    ]
    passed_on = ("HF_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", *_QUIET)
    return local.DockerRunner(
        user=f"{os.getuid()}:{os.getgid()}",
        read_only=True,
        tmpfs={"/tmp": "mode=1777"},  # noqa: S108
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        # MLflow may listen on this machine's loopback.
        network_mode="host",
        mounts=mounts,
        environment={name: os.environ.get(name, _QUIET.get(name)) for name in passed_on
                     if name in os.environ or name in _QUIET},
    )  # fmt: skip


def run(pipeline: Any, arguments: dict[str, Any], home: ArenaHome, watch: Watcher, engine: Any = None) -> LocalRun:  # noqa: ANN401
    """Runs a pipeline with kfp.local.

    Args:
        pipeline: A KFP pipeline over our components.
        arguments: Its parameters.
        home: Where to keep the run.
        watch: Told every line that a stage says.
        engine: :func:`subprocesses` (if None) or :func:`containers`.

    Raises:
        StageRefusedError: A stage refused its input.
        StageCrashedError: A stage failed in any other way.
    """
    from kfp import local

    given = {key: value for key, value in arguments.items() if value is not None}
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
    folder = home.runs / name
    folder.mkdir(parents=True)
    with (folder / "log.txt").open("w", encoding="utf-8") as file, _quiet_environment():
        log = _StageLog(file, watch)
        local.init(engine or subprocesses(), pipeline_root=str(folder / "artifacts"))
        try:
            # kfp.local has no hook for progress: it prints what the stages print, so standard output is the hook.
            with contextlib.redirect_stdout(log), warnings.catch_warnings():
                # Display names and node selectors mean nothing here, and kfp says so for every task.
                warnings.simplefilter("ignore")
                pipeline(**given)
        except RuntimeError as error:
            raise _explain(log, file.name) from error
        finally:
            log.flush_line()
        if log.first_error is not None:
            # kfp's DockerRunner takes a container that is gone before its exit code was read for a success.
            raise _explain(log, file.name)
    _forget_old_runs(home.runs)
    return LocalRun(name, Path(file.name), folder / "artifacts")


class _StageLog(io.TextIOBase):
    """A text stream that keeps every line in a file and passes on those that stages wrote."""

    def __init__(self, file: io.TextIOBase, watch: Watcher) -> None:
        self._file, self._watch = file, watch
        self._pending = ""
        self.last_stage: str | None = None
        self.first_error: StageLine | None = None
        self.exception: str | None = None

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        self._file.write(text)
        self._pending += text
        *lines, self._pending = self._pending.split("\n")
        for line in lines:
            self._line(line)
        return len(text)

    def flush(self) -> None:
        self._file.flush()

    def flush_line(self) -> None:
        if self._pending:
            self._line(self._pending)
        self._pending = ""
        self.flush()

    def _line(self, line: str) -> None:
        found = parse(line)
        if found is None:
            # In a container the log goes with the container: the line that ends a traceback has to get out.
            ends_traceback = _EXCEPTION.match(line.strip())
            if ends_traceback and self.exception is None:
                self.exception = ends_traceback[0][:300]
            return
        if found.stage != EXIT_STAGE:
            self.last_stage = found.stage
        # A stage that fails takes others with it; the first to say why is the cause.
        if found.is_error and self.first_error is None:
            self.first_error = found
        self._watch(found)


def _explain(log: _StageLog, path: str) -> ArenaError:
    log.flush_line()
    if log.first_error is not None:
        return StageRefusedError(log.first_error.message)
    where = f"stage {log.last_stage}" if log.last_stage else "the run"
    words = f" ({log.exception})" if log.exception else ""
    return StageCrashedError(f"{where} failed{words}; the whole log is in {path}")


@contextlib.contextmanager
def _quiet_environment() -> Iterator[None]:
    """What the stages' processes inherit: unbuffered lines, and no chatter from libraries."""
    before = {name: os.environ.get(name) for name in _QUIET}
    os.environ.update({name: value for name, value in _QUIET.items() if before[name] is None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)


def _forget_old_runs(runs: Path) -> None:
    folders = (path for path in runs.iterdir() if path.is_dir())
    for old in sorted(folders, key=lambda path: (path.stat().st_ctime_ns, path.name))[:-_RUNS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
