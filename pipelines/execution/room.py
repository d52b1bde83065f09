"""Whether a disk has room for a run, asked before it starts: a training that fails at its end has lost all its time."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking.relocation import ARTIFACTS
from content_arena.pipelines.execution.home import ArenaHome
from content_arena.pipelines.execution.home_contents import size_of

#: Bytes of a bundle and of the files that the stages of a run hand to each other. Measured with `du` after a run with
#: all-MiniLM-L6-v2; with multilingual-e5-small the two are larger (266 MB a first run instead of 192 MB).
_BUNDLE, _RUN = 65_000_000, 68_000_000
#: Finished runs whose files are kept.
RUNS_KEPT = 3


def needed(home: ArenaHome, generations: int) -> int:
    """Bytes that a run leaves in a home, at least: as much as its last run left, or as a run was measured to leave.

    Args:
        home: May be new.
        generations: How many are run; a new home gets one bundle more, the first champion's.
    """
    bundles = [size_of(path) for path in _inside(home.path / ARTIFACTS / "models")]
    runs = [size_of(path) for path in _inside(home.runs)]
    n_bundles = generations + (0 if bundles else 1)
    # A run's files are kept for some runs; those before make room.
    n_runs = max(0, min(generations, RUNS_KEPT - len(runs)))
    return n_bundles * max(bundles, default=_BUNDLE) + max(1, n_runs) * max(runs, default=_RUN)


def require(home: ArenaHome, generations: int = 1) -> None:
    """Refuses a run that would fill the disk.

    Args:
        home: Where it is kept; may be new.
        generations: How many are run.

    Raises:
        InputError: The disk of the home, or the one of temporary files, has less room than a run leaves behind.
    """
    wanted = needed(home, generations)
    _require(home.path, wanted, "`arena home clean` makes room, ARENA_HOME names another disk")
    # A bundle is written there before it is registered.
    _require(Path(tempfile.gettempdir()), _BUNDLE, "TMPDIR names another disk")


def _require(folder: Path, wanted: int, advice: str) -> None:
    free = shutil.disk_usage(_existing(folder)).free
    if free < wanted:
        raise InputError(
            f"the disk of {folder} has {free / 1e6:,.0f} MB free, "
            f"and the run needs {wanted / 1e6:,.0f} MB or more: {advice}"
        )


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
