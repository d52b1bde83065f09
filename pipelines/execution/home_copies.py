"""Where copies of texts lie in an arena's home, and what commands that were cut short left there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from content_arena.components.corpus_versions import places
from content_arena.components.corpus_versions.places import RUNS, Copy, FileCopy, Folder
from content_arena.components.shared.home import KEY_FILE
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.mlflow_tracking import database
from content_arena.components.shared.mlflow_tracking.relocation import ARTIFACTS
from content_arena.pipelines.execution import battles
from content_arena.pipelines.execution.home import PIPED_PREFIX, ArenaHome

if TYPE_CHECKING:
    from content_arena.components.shared.mlflow_tracking.tracking import Client

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
        Folder("texts that an LLM wrote", home.llm),
        *(Folder("battles", path) for path in battles.record_files(home)),
        *(Folder("artifacts in MLflow", path) for path in _artifacts(home)),
    ]
    known = {folder.path for folder in ours} | set(_without_texts(home)) | set(_piped(home)) | {home.battles}
    others = [path for path in sorted(home.path.iterdir()) if path not in known] if home.path.is_dir() else []
    return [*ours, *(Folder("not written by the arena", path, is_ours=False) for path in others)]


def leftovers(home: ArenaHome) -> list[Path]:
    """What commands that were cut short left: piped texts, half-written files, and answers that a battle resumes from.

    The answers hold plain hashes of texts, from which a short text could be guessed.
    """
    half_written = [copy.path for folder in folders(home) for copy in folder.leftovers()]
    return [*_piped(home), *half_written, *battles.unfinished_files(home)]


def remove_leftovers(home: ArenaHome) -> list[Path]:
    """Removes the :func:`leftovers`; returns them.

    The caller holds the home, so that no run is under way.
    """
    found = leftovers(home)
    for path in found:
        with during(f"removing {path}"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    return found


def _piped(home: ArenaHome) -> list[Path]:
    """Folders with texts that were piped into commands that were killed."""
    return [path for path in sorted(home.path.glob(f"{PIPED_PREFIX}*")) if path.is_dir()]


def _artifacts(home: ArenaHome) -> Iterator[Path]:
    """The artifacts of runs beside the tracking database, also of runs that MLflow does not know any more."""
    used = database.path_of(home.tracking_uri)
    for beside in dict.fromkeys([home.path, *([used.absolute().parent] if used else [])]):
        if (beside / ARTIFACTS).is_dir():
            yield from (path for path in sorted((beside / ARTIFACTS).iterdir()) if path.name != _MODELS)


def _without_texts(home: ArenaHome) -> list[Path]:
    fixed = [home.checkpoints, home.base_models, home.path / ARTIFACTS, home.path / KEY_FILE, home.path / "lock"]
    return [*fixed, *home.path.glob(f"{home.database.name}*")]
