"""A folder of bundles in place of a bucket."""

from __future__ import annotations

from pathlib import Path

from content_arena.components.shared.scoring import bundle as bundles
from tests.tiny_bundle import make_tiny_bundle

_BUCKET = "s3://models/content-filter"


def uri(version: str) -> str:
    return f"{_BUCKET}/{version}/"


class Storage:
    """Bundles by their address, each with the fault of its predictor."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, version: str, fault: str = "", **options) -> bundles.Bundle:
        """Stores a bundle of a version.

        For ``fault`` see :mod:`tests.components.canary_rollout.on_a_cluster.container`.

        Versions have equal weights by default. Real versions that were trained one after the other have a PSI of .01,
        and tiny models with different weights one of .12, which is half of the limit.
        """
        usual = {"threshold": 0.5 + int(version) / 1_000}
        made = make_tiny_bundle(self._folder / version, **usual | options)
        (self._folder / f"{version}.fault").write_text(fault)
        return made

    def tear(self, version: str) -> None:
        """Cuts the model short, as a broken upload does."""
        model = self._folder / version / bundles.MODEL
        model.write_bytes(model.read_bytes()[:100])

    @property
    def published(self) -> dict[str, Path]:
        """Folders by version."""
        return {path.name: path for path in self._folder.iterdir() if (path / bundles.MODEL).is_file()}

    def folder_of(self, address: str) -> Path | None:
        """The folder of a bundle; None if there is none."""
        folder = self._folder / address.removeprefix(_BUCKET).strip("/")
        return folder if folder.is_dir() and address.startswith(_BUCKET) else None

    def fault_of(self, folder: Path) -> str:
        return folder.with_suffix(".fault").read_text()
