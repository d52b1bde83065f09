"""Where the bundles are: a folder that stands for a bucket."""

from __future__ import annotations

from pathlib import Path

from content_arena.components.shared import bundle as bundles
from tests.tiny_bundle import make_tiny_bundle

_BUCKET = "s3://models/content-filter"


def uri(version: str) -> str:
    return f"{_BUCKET}/{version}/"


class Storage:
    """Bundles by their address, and what is wrong with the program that serves them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, version: str, fault: str = "", **options) -> bundles.Bundle:
        """A bundle of a version; ``fault`` as :mod:`tests.components.canary_rollout.on_a_cluster.container` has it.

        Versions score alike unless told otherwise: real ones that were trained one after the other are .01 apart by
        their PSI, and tiny models with other weights .12, which is half of what is allowed.
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
        """None if nothing is there."""
        folder = self._folder / address.removeprefix(_BUCKET).strip("/")
        return folder if folder.is_dir() and address.startswith(_BUCKET) else None

    def fault_of(self, folder: Path) -> str:
        return folder.with_suffix(".fault").read_text()
