"""What compiled pipelines need of ``manifests/components/cluster-settings/cluster.env``. Nothing here imports kfp."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from content_arena.components.shared.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """Values of the file, each under its own name there, in capitals.

    Attributes:
        component_image: Image of the stages.
        component_image_cuda: Image of the stages that ask for a GPU.
        gpu_label: Label of nodes with a GPU.
        gpu_label_value: Its value.
        gpu_taint: Key of the taint on these nodes.
        serving_runtimes: ServingRuntimes with spaces between; the first is this release's.
    """

    component_image: str
    component_image_cuda: str
    gpu_label: str
    gpu_label_value: str
    gpu_taint: str
    serving_runtimes: str

    @property
    def runtime(self) -> str:
        """ServingRuntime of this release."""
        return self.serving_runtimes.split()[0]


def read(path: Path) -> ClusterSettings:
    """Reads the file, one NAME=VALUE a line; what pipelines do not need is passed over.

    Raises:
        InputError: The file cannot be read, or lacks a value.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cluster settings {path} cannot be read: {error}") from error
    given = dict(line.strip().split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    names = [field.name for field in fields(ClusterSettings)]
    missing = [name.upper() for name in names if not given.get(name.upper())]
    if missing:
        raise InputError(f"cluster settings {path} have no {', '.join(missing)}")
    return ClusterSettings(**{name: given[name.upper()] for name in names})
