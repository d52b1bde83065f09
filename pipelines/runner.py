"""Runs a pipeline on this machine with kfp.local, and turns its log into events a person can follow."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from content_arena.components.shared.errors import ArenaError, InputError
from content_arena.components.shared.stage import StageLine, parse

#: Finished runs whose intermediate files are kept; models and figures live in MLflow.
_RUNS_KEPT = 3
Watcher = Callable[[StageLine], None]


class StageRefusedError(InputError):
    """A stage said what is wrong with what it was given."""


class StageCrashedError(ArenaError):
    """A stage ended without saying why; the log knows."""


@dataclass(frozen=True)
class ArenaHome:
    """Where the arena keeps its state on this machine.

    Attributes:
        path: Folder; made on first use.
    """

    path: Path

    @classmethod
    def from_environment(cls) -> ArenaHome:
        """``$ARENA_HOME``, or ``.arena`` in the working folder."""
        return cls(Path(os.environ.get("ARENA_HOME") or ".arena").absolute())

    @property
    def tracking_uri(self) -> str:
        """MLFLOW_TRACKING_URI where one is set, else the database in this folder."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.path / 'mlflow.db'}"

    @property
    def checkpoints(self) -> Path:
        """Where trainings leave what they can resume from."""
        return self.path / "checkpoints"

    @property
    def runs(self) -> Path:
        """A folder a run: its log and what its stages hand to each other."""
        return self.path / "runs"

    @property
    def reports(self) -> Path:
        """A page a run."""
        return self.path / "reports"

    def exists(self) -> bool:
        """Whether anything was ever kept here."""
        return bool(os.environ.get("MLFLOW_TRACKING_URI")) or (self.path / "mlflow.db").is_file()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Holds the folder for one run; the lock of a killed run is free at once.

        Raises:
            InputError: Another run holds it, or the folder can not be written.
        """
        import filelock

        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.path / "lock", timeout=0)
            lock.acquire()
        except filelock.Timeout:
            raise InputError(
                f"another run is using {self.path}: wait for it, or set ARENA_HOME to a second folder"
            ) from None
        except OSError as error:
            raise InputError(
                f"{self.path} can not be used ({error.strerror}): set ARENA_HOME to a writable folder"
            ) from error
        try:
            yield
        finally:
            lock.release()


@dataclass
class LocalRun:
    """A finished run.

    Attributes:
        name: Names the run's folder and report.
        outputs: The pipeline's outputs: parameters as values, artifacts as objects with a ``path``.
        log: File with everything the stages and their libraries wrote.
        seconds: Wall seconds of every stage, by stage.
    """

    name: str
    outputs: dict[str, Any]
    log: Path
    seconds: dict[str, float] = field(default_factory=dict)


def run(pipeline: Any, arguments: dict[str, Any], home: ArenaHome, watch: Watcher) -> LocalRun:  # noqa: ANN401
    """Runs a pipeline with kfp.local's SubprocessRunner.

    Args:
        pipeline: A KFP pipeline over our components.
        arguments: Its parameters.
        home: Where to keep the run.
        watch: Told every line that a stage says.

    Raises:
        StageRefusedError: A stage refused its input.
        StageCrashedError: A stage failed in any other way.
    """
    from kfp import local

    given = {key: value for key, value in arguments.items() if value is not None}
    local_pipeline = _without_unset(pipeline, given)
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
    folder = home.runs / name
    folder.mkdir(parents=True)
    with (folder / "log.txt").open("w", encoding="utf-8") as file, _quiet_environment():
        log = _StageLog(file, watch)
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / "artifacts"))
        try:
            # kfp.local has no hook for progress: it prints what the stages print, so standard output is the hook.
            with contextlib.redirect_stdout(log), warnings.catch_warnings():
                # Display names and node selectors mean nothing here, and kfp says so for every task.
                warnings.simplefilter("ignore")
                task = local_pipeline(**given)
        except RuntimeError as error:
            raise _explain(log, file.name) from error
        finally:
            log.flush_line()
    _forget_old_runs(home.runs)
    return LocalRun(name, task.outputs, Path(file.name), log.seconds)


def _without_unset(pipeline: Any, arguments: dict[str, Any]) -> Any:  # noqa: ANN401
    """The pipeline less its optional parameters that were given no value.

    A cluster passes such a parameter on as unset. kfp.local neither reads an absent default nor takes None, so here
    the parameter and every reference to it go, and the components' own defaults apply: the same thing.
    """
    import yaml
    from kfp import compiler, components

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        # A cluster's placement settings are a second document; local runs have no use for them.
        spec = next(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    parameters = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    unset = [
        name for name, parameter in parameters.items()
        if parameter.get("isOptional") and "defaultValue" not in parameter and name not in arguments
    ]  # fmt: skip
    for name in unset:
        del parameters[name]
    for task in spec["root"]["dag"]["tasks"].values():
        inputs = task.get("inputs", {}).get("parameters", {})
        for name in [name for name, source in inputs.items() if source.get("componentInputParameter") in unset]:
            del inputs[name]
    return components.load_component_from_text(yaml.safe_dump(spec, sort_keys=False))


class _StageLog(io.TextIOBase):
    """A text stream that keeps every line in a file and passes on those that stages wrote."""

    def __init__(self, file: io.TextIOBase, watch: Watcher) -> None:
        self._file, self._watch = file, watch
        self._pending = ""
        self._started: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        self.last_stage: str | None = None
        self.last_error: StageLine | None = None

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
            return
        now = time.monotonic()
        self.seconds[found.stage] = now - self._started.setdefault(found.stage, now)
        self.last_stage = found.stage
        if found.is_error:
            self.last_error = found
        self._watch(found)


def _explain(log: _StageLog, path: str) -> ArenaError:
    log.flush_line()
    if log.last_error is not None:
        return StageRefusedError(log.last_error.message)
    where = f"stage {log.last_stage}" if log.last_stage else "the run"
    return StageCrashedError(f"{where} failed; its last words are in {path}")


@contextlib.contextmanager
def _quiet_environment() -> Iterator[None]:
    """What the stages' processes inherit: unbuffered lines, and no chatter from libraries."""
    wanted = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "TOKENIZERS_PARALLELISM": "true",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: value for name, value in wanted.items() if before[name] is None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)


def _forget_old_runs(runs: Path) -> None:
    for old in sorted(path for path in runs.iterdir() if path.is_dir())[:-_RUNS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
