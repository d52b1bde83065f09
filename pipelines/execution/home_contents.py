"""What an arena's home holds, what of it has to stay, and the removal of the rest."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from content_arena.components.shared.home import KEY_FILE
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.mlflow_tracking import database
from content_arena.components.shared.mlflow_tracking.relocation import ARTIFACTS
from content_arena.pipelines.execution import battles, comparisons
from content_arena.pipelines.execution.home import PIPED_PREFIX, ArenaHome, registry_at

if TYPE_CHECKING:
    from content_arena.components.registry.bundles_kept import KeptBundle

#: Seconds since its last change after which the checkpoint of a killed training is not waited for any more.
_CHECKPOINT_LIFETIME = 7 * 86_400
_MODELS = "models"
_UNFINISHED = ".unfinished"
#: As tempfile names folders: eight characters.
_PIPED = f"{PIPED_PREFIX}????????"


@dataclass(frozen=True)
class Holding:
    """One thing in a home.

    Attributes:
        kind: What it is, for people; several of a kind are shown together.
        path: File or folder.
        n_bytes: Its size on disk.
        stays: Why it has to stay; "" if it can go.
        version: The version whose bundle it is; None for anything else.
    """

    kind: str
    path: Path
    n_bytes: int
    stays: str
    version: int | None = None


def survey(home: ArenaHome, now: float | None = None) -> list[Holding]:
    """Everything in a home.

    Args:
        home: Its folder has to exist.
        now: Unix time in seconds; the clock's if None.
    """
    known = list(_known(home, time.time() if now is None else now))
    paths = {holding.path for holding in known}
    rest = [
        _holding("anything else", path, "the arena did not make it, or needs it")
        for path in sorted(home.path.iterdir())
        if path not in paths and not any(inside.is_relative_to(path) for inside in paths)
    ]
    # A link may lead to a disk of the user's: what it names is not removed.
    return [replace(each, stays=each.stays or "it is a link") if each.path.is_symlink() else each for each in known] + [
        holding for holding in rest if holding.n_bytes
    ]


def clean(home: ArenaHome) -> list[Holding]:
    """Removes what can go; returns it.

    The caller holds the home, so that no run is under way.

    Raises:
        LibraryError: Something could not be removed, or recorded; what was removed until then is gone.
    """
    from content_arena.components.registry import bundles_kept

    removed = [holding for holding in survey(home) if not holding.stays]
    for holding in removed:
        if holding.version is not None:
            bundles_kept.mark_removed(registry_at(home.tracking_uri), holding.version)
        with during(f"removing {holding.path}"):
            if holding.path.is_dir():
                shutil.rmtree(holding.path)
            else:
                holding.path.unlink(missing_ok=True)
    return removed


def size_of(path: Path) -> int:
    """Bytes that a file or a folder takes on disk; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return _bytes(path)
    return sum(_bytes(Path(folder) / name) for folder, _, names in os.walk(path) for name in names)


def _known(home: ArenaHome, now: float) -> Iterator[Holding]:
    if home.database.exists():
        yield _holding("registry", home.database, "versions, figures and verdicts")
    yield from _bundles(home)
    runs = sorted(_inside(home.runs), key=lambda path: (path.stat().st_mtime, path.name))
    for path in runs:
        yield _holding("runs", path, "its log is the newest" if path == runs[-1] else "")
    for path in _inside(home.reports):
        yield _holding("reports", path, "the record of a decision")
    for path in _inside(home.battles):
        yield _holding("battles", path, battles.needed_for(home, path.name) or comparisons.needed_for(path))
    for path in _inside(home.checkpoints):
        is_old = now - path.stat().st_mtime > _CHECKPOINT_LIFETIME
        yield _holding("checkpoints", path, "" if is_old else "a killed training goes on from it")
    for path in _inside(home.base_models):
        yield _holding("converted base models", path, "")
    for path in _inside(home.restored):
        yield _holding("restored corpora", path, "")
    for path in _inside(home.llm):
        yield _holding("texts that an LLM wrote", path, "the same attacks are made of them again")
    if (home.path / KEY_FILE).exists():
        yield _holding("key of forgotten texts", home.path / KEY_FILE, "forgotten texts are recognised by it")
    if home.error_log.exists():
        yield _holding("log of errors", home.error_log, "")
    for path in home.path.glob(f"{home.database.name}.*{_UNFINISHED}"):
        yield _holding("leftovers of killed processes", path, "")
    for path in filter(Path.is_dir, home.path.glob(_PIPED)):
        yield _holding("leftovers of killed processes", path, "")


def _bundles(home: ArenaHome) -> Iterator[Holding]:
    """The artifacts beside the home's own database: bundles, and what runs left for later trainings."""
    artifacts = home.path / ARTIFACTS
    used = database.path_of(home.tracking_uri)
    is_ours = used is not None and used.absolute() == home.database
    if not is_ours or not home.database.exists():
        why = "there is no registry here" if is_ours else "MLFLOW_TRACKING_URI names another registry"
        for path in _inside(artifacts):
            yield _holding("artifacts", path, why)
        return
    from content_arena.components.registry import bundles_kept

    bundles = bundles_kept.kept(registry_at(home.tracking_uri))
    folders = {bundle.folder.resolve(): bundle for bundle in bundles if bundle.folder is not None}
    missing = [bundle.version for bundle in bundles if bundle.needed_for and bundle.folder is None]
    for path in _inside(artifacts / _MODELS):
        found = next((folders[inner] for inner in folders if inner.is_relative_to(path.resolve())), None)
        yield _bundle(path, found, missing)
    for path in _inside(artifacts):
        if path.name != _MODELS:
            yield _holding("corpora, labelled attacks, regression suites of runs", path, "later runs read them")


def _bundle(path: Path, bundle: KeptBundle | None, missing: Sequence[int]) -> Holding:
    """A bundle's folder.

    Args:
        path: The folder.
        bundle: The bundle in it; None if the registry names none there.
        missing: Versions that are needed and whose bundles are not where the registry says: it may be one of theirs.
    """
    if bundle is None:
        versions = f"version {missing[0]}" if len(missing) == 1 else f"versions {', '.join(map(str, missing))}"
        stays = f"the registry does not find the bundle of {versions}: this may be it" if missing else ""
        return _holding("bundles without a version", path, stays)
    held = _holding("bundles of versions", path, bundle.needed_for and f"version {bundle.version}: {bundle.needed_for}")
    return replace(held, version=bundle.version)


def _holding(kind: str, path: Path, stays: str) -> Holding:
    return Holding(kind, path, size_of(path), stays)


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _bytes(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0
