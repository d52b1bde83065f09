"""Where the arena keeps its state on one machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from content_arena.components.shared.errors import InputError
from content_arena.components.shared.home import LLM_FOLDER, home_folder
from content_arena.components.shared.mlflow_tracking import database, reachable

if TYPE_CHECKING:
    from content_arena.components.registry.registry import Registry

#: MLflow on a machine where somebody waits: how often it asks again (its own default, 7, takes minutes: each wait is
#: twice the one before), and no bars of its own.
MLFLOW_FOR_PEOPLE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
#: What the folder of piped data begins with; the rest is at random.
PIPED_PREFIX = "stdin-"


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
        return cls(home_folder())

    @property
    def tracking_uri(self) -> str:
        """MLFLOW_TRACKING_URI where one is set, else the database in this folder."""
        return os.environ.get("MLFLOW_TRACKING_URI") or database.uri_of(self.database)

    @property
    def database(self) -> Path:
        """The tracking database of this folder; used unless MLFLOW_TRACKING_URI names another place."""
        return self.path / "mlflow.db"

    @property
    def shared_folders(self) -> list[Path]:
        """The folders that every stage writes to: this one, and that of a database that MLFLOW_TRACKING_URI names."""
        used = database.path_of(self.tracking_uri)
        is_elsewhere = used is not None and not used.absolute().is_relative_to(self.path)
        return [self.path, used.absolute().parent] if used is not None and is_elsewhere else [self.path]

    @property
    def checkpoints(self) -> Path:
        """Where trainings keep checkpoints."""
        return self.path / "checkpoints"

    @property
    def base_models(self) -> Path:
        """Base models that were converted once; see :mod:`content_arena.components.qlora_training.multilingual`."""
        return self.path / "base_models"

    @property
    def runs(self) -> Path:
        """One folder for each run: its log, and the artifacts of its stages."""
        return self.path / "runs"

    @property
    def reports(self) -> Path:
        """One HTML page for each run."""
        return self.path / "reports"

    @property
    def restored(self) -> Path:
        """Corpora that were restored."""
        return self.path / "restored"

    @property
    def battles(self) -> Path:
        """One folder for each battle: what it was, its result, and the filter's answers until it is finished."""
        return self.path / "battles"

    @property
    def llm(self) -> Path:
        """What LLMs wrote for attacks."""
        return self.path / LLM_FOLDER

    @property
    def error_log(self) -> Path:
        """Tracebacks of commands that failed by an error of a library."""
        return self.path / "errors.log"

    def exists(self) -> bool:
        """Whether there is a registry: a database in this folder, or a server that the environment names."""
        return bool(os.environ.get("MLFLOW_TRACKING_URI")) or self.database.is_file()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Holds the folder for one run; the lock of a killed run is free at once.

        Raises:
            InputError: Another run holds it, or the folder cannot be written.
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
                f"{self.path} cannot be used ({error.strerror}): set ARENA_HOME to a writable folder"
            ) from error
        try:
            yield
        finally:
            lock.release()


def registry_here() -> Registry:
    """The registry of this machine. Connecting would make a database, so a folder without one is refused first.

    Raises:
        InputError: There is no arena here, or its MLflow server does not answer.
    """
    home = ArenaHome.from_environment()
    if not home.exists():
        raise InputError(f"there is no arena in {home.path}: `arena run` makes one, ARENA_HOME names another place")
    return registry_at(home.tracking_uri)


def registry_at(tracking_uri: str) -> Registry:
    """The registry at an address, for a command that somebody waits for.

    Raises:
        InputError: Nothing answers there.
    """
    from content_arena.components.registry.registry import Registry

    reachable.require(tracking_uri)
    for name, value in MLFLOW_FOR_PEOPLE.items():
        os.environ.setdefault(name, value)
    return Registry(tracking_uri)
