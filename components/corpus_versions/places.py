"""Where copies of texts lie: folders, MLflow's artifacts, object storage. Each copy is a file that can be replaced."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

from content_arena.components.shared.atomic import UNFINISHED, replacing
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.mlflow_tracking import tracking
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.storage.store import Store


class Copy(Protocol):
    """One file that may hold texts."""

    @property
    def kind(self) -> str:
        """What it is, for people."""

    @property
    def name(self) -> str:
        """Its path or address."""

    @property
    def is_ours(self) -> bool:
        """Whether the arena wrote it, so that it may be changed."""

    @property
    def run_id(self) -> str | None:
        """MLflow run whose artifact it is; None for anything else."""

    def fetch(self, folder: Path) -> Path:
        """The file on this machine; in the given folder, which is empty, if it is not on this machine yet."""

    def replace(self, file: Path) -> None:
        """Puts another file in its place, in one step: a process that is killed leaves the one or the other."""


#: What lies in a run's folder is never read again once the run has ended.
RUNS = "files of runs"


@dataclass(frozen=True)
class Folder:
    """A folder to look through.

    Attributes:
        kind: What its files are, for people.
        path: The folder, or one file.
        is_ours: Whether the arena wrote it.
    """

    kind: str
    path: Path
    is_ours: bool = True

    def copies(self) -> Iterator[Copy]:
        """Its files, without those of models, and without what killed processes left half-written."""
        for path in _files(self.path, follow=self.is_ours):
            yield FileCopy(self.kind, path, self.is_ours)

    def leftovers(self) -> Iterator[FileCopy]:
        """Files that killed processes left half-written: they are of no use, and may hold texts."""
        for path in _every_file(self.path) if self.is_ours else ():
            if path.name.endswith(UNFINISHED):
                yield FileCopy(self.kind, path)


@dataclass(frozen=True)
class FileCopy:
    """A file on this machine; see :class:`Copy`."""

    kind: str
    path: Path
    is_ours: bool = True
    run_id: str | None = None

    @property
    def name(self) -> str:
        """See :class:`Copy`."""
        return str(self.path)

    def fetch(self, folder: Path) -> Path:
        """See :class:`Copy`."""
        return self.path

    def replace(self, file: Path) -> None:
        """See :class:`Copy`."""
        with during(f"writing {self.path}"), replacing(self.path) as unfinished:
            shutil.copyfile(file, unfinished)


@dataclass(frozen=True)
class ArtifactCopy:
    """An artifact of a run that an MLflow server keeps; see :class:`Copy`."""

    client: tracking.Client
    run_id: str
    path: str
    kind: str = "artifacts in MLflow"
    is_ours: bool = True

    @property
    def name(self) -> str:
        """See :class:`Copy`."""
        return f"runs:/{self.run_id}/{self.path}"

    def fetch(self, folder: Path) -> Path:
        """See :class:`Copy`."""
        with during(f"reading {self.name} (MLflow at {self.client.tracking_uri})"):
            return Path(self.client.download_artifacts(self.run_id, self.path, str(folder)))

    def replace(self, file: Path) -> None:
        """See :class:`Copy`."""
        named = file.with_name(PurePosixPath(self.path).name)
        file.replace(named)
        folder = str(PurePosixPath(self.path).parent)
        with during(f"writing {self.name} (MLflow at {self.client.tracking_uri})"):
            self.client.log_artifact(self.run_id, str(named), None if folder == "." else folder)


@dataclass(frozen=True)
class ObjectCopy:
    """An object in object storage; see :class:`Copy`."""

    store: Store
    uri: str
    kind: str = "object storage"
    is_ours: bool = True
    run_id: str | None = None

    @property
    def name(self) -> str:
        """See :class:`Copy`."""
        return self.uri

    def fetch(self, folder: Path) -> Path:
        """See :class:`Copy`."""
        self.store.fetch_file(self.uri, folder / "object")
        return folder / "object"

    def replace(self, file: Path) -> None:
        """See :class:`Copy`."""
        self.store.put_file(self.uri, file)


def artifacts(client: tracking.Client) -> Iterator[Copy]:
    """Every artifact of every run of the arena, of deleted runs too."""
    kind = "artifacts in MLflow"
    for run in tracking.every_run(client):
        folder = _folder_of(run.info.artifact_uri)
        if folder is None:
            for path in _listed(client, run.info.run_id):
                yield ArtifactCopy(client, run.info.run_id, path)
        else:
            for file in _files(folder):
                yield FileCopy(kind, file, run_id=run.info.run_id)


def objects(uri: str) -> Iterator[Copy]:
    """Every object of a folder in object storage, such as the one where Kubeflow Pipelines keeps outputs.

    Raises:
        InputError: It is no address in object storage, or the environment does not name the server.
        StoreError: Object storage does not answer or refuses.
    """
    store = Store.from_environment()
    addresses = store.files(uri)
    models = tuple(address.removesuffix(bundles.MANIFEST) for address in addresses if _is_manifest(address))
    for address in addresses:
        if not address.startswith(models):
            yield ObjectCopy(store, address)


def _is_manifest(address: str) -> bool:
    return address.endswith(f"/{bundles.MANIFEST}")


def _listed(client: tracking.Client, run_id: str, folder: str | None = None) -> Iterator[str]:
    with during(f"listing the artifacts of run {run_id} (MLflow at {client.tracking_uri})"):
        found = client.list_artifacts(run_id, folder)
    for entry in found:
        if entry.is_dir:
            yield from _listed(client, run_id, entry.path)
        else:
            yield entry.path


def _folder_of(address: str) -> Path | None:
    return Path(unquote(urlsplit(address).path)) if address.startswith("file:") else None


def _files(path: Path, *, follow: bool = True) -> Iterator[Path]:
    """Files that may hold texts: a model's folder has none but its lexicon, whose words cannot be taken out of it."""
    every = list(_every_file(path, follow=follow))
    model_folders = {file.parent for file in every if file.name == bundles.MANIFEST}
    for file in every:
        is_of_model = any(file.is_relative_to(folder) for folder in model_folders)
        if not is_of_model and not file.name.endswith(UNFINISHED):
            yield file


def _every_file(path: Path, *, follow: bool = True) -> Iterator[Path]:
    """Files in a folder, or the file itself; each once, and under the path that it has without links.

    Args:
        path: The folder or the file.
        follow: Whether what links lead to counts: a part of the home may lie on another disk.
    """
    seen: set[Path] = set()
    left = [path]
    while left:
        here = left.pop()
        if not follow and here.is_symlink():
            continue
        here = here.resolve() if follow else here
        if here in seen:
            continue
        seen.add(here)
        if here.is_dir():
            left += sorted(here.iterdir(), reverse=True)
        elif here.is_file():
            yield here
