"""Where copies of texts lie in an arena's home, and what killed processes left there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from content_arena.components.corpus_versions import places
from content_arena.components.corpus_versions.places import RUNS, Copy, FileCopy, Folder
from content_arena.components.shared import database
from content_arena.components.shared.home import KEY_FILE
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.relocation import ARTIFACTS
from content_arena.pipelines.execution.home import PIPED_PREFIX, ArenaHome

if TYPE_CHECKING:
    from content_arena.components.shared.tracking import Client

#: Folder of bundles among the artifacts: their words cannot be taken out, and nothing else of a text is in them.
_MODELS = "models"


def copies(home: ArenaHome, client: Client, outputs: Sequence[str] = ()) -> list[Copy]:
    """Every file that may hold texts: in the home, in MLflow, and in the object storage that is named.

    Args:
        home: The home.
        client: Of MLflow.
        outputs: Folders in object storage, such as s3://mlpipeline/v2/artifacts.
    """
    found: list[Copy] = list(places.artifacts(client))
    known = {Path(copy.name).resolve() for copy in found if isinstance(copy, FileCopy)}
    for folder in folders(home):
        found += [copy for copy in folder.copies() if Path(copy.name).resolve() not in known]
    return [*found, *(copy for uri in outputs for copy in places.objects(uri))]


def folders(home: ArenaHome) -> list[Folder]:
    """The folders that hold texts, and what the arena did not make, which is looked at and left as it is."""
    ours = [
        Folder(RUNS, home.runs),
        Folder("reports", home.reports),
        Folder("restored corpora", home.restored),
        Folder("log of errors", home.error_log),
        *(Folder("artifacts in MLflow", path) for path in _artifacts(home)),
    ]
    known = {folder.path for folder in ours} | set(_without_texts(home)) | set(piped(home))
    others = [path for path in sorted(home.path.iterdir()) if path not in known] if home.path.is_dir() else []
    return [*ours, *(Folder("not written by the arena", path, is_ours=False) for path in others)]


def piped(home: ArenaHome) -> list[Path]:
    """Folders with texts that were piped into commands that were killed."""
    return [path for path in sorted(home.path.glob(f"{PIPED_PREFIX}*")) if path.is_dir()]


def remove_leftovers(home: ArenaHome) -> list[Path]:
    """Removes what killed processes left: piped texts, and files that are half-written. Returns what it removed.

    The caller holds the home, so that no run is under way.
    """
    removed = piped(home)
    for path in removed:
        with during(f"removing {path}"):
            shutil.rmtree(path)
    half_written = [copy for folder in folders(home) for copy in folder.leftovers()]
    for copy in half_written:
        copy.remove()
    return [*removed, *(copy.path for copy in half_written)]


def _artifacts(home: ArenaHome) -> Iterator[Path]:
    """The artifacts of runs beside the tracking database, also of runs that MLflow does not know any more."""
    used = database.path_of(home.tracking_uri)
    for beside in dict.fromkeys([home.path, *([used.absolute().parent] if used else [])]):
        if (beside / ARTIFACTS).is_dir():
            yield from (path for path in sorted((beside / ARTIFACTS).iterdir()) if path.name != _MODELS)


def _without_texts(home: ArenaHome) -> list[Path]:
    fixed = [home.checkpoints, home.base_models, home.path / ARTIFACTS, home.path / KEY_FILE, home.path / "lock"]
    return [*fixed, *home.path.glob(f"{home.database.name}*")]
