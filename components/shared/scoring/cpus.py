"""How many CPUs this process may use: a container's quota first, then the affinity mask.

A container with ``--cpus 1`` on a node of 32 cores sees all 32 in its affinity mask. With a thread and a model session
for each of them it is killed for its memory, and the quota makes the threads wait for each other.
Source: Linux ``Documentation/admin-guide/cgroup-v2.rst`` (``cpu.max``) and ``scheduler/sched-bwc.rst`` (v1 quota).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_V1_MOUNTS = ("cpu", "cpu,cpuacct", "cpuacct,cpu")


def available_cpus(root: Path = Path("/"), mask: int | None = None) -> int:
    """CPUs that this process may use, at least 1; a quota of 1.5 CPUs counts as 2.

    Args:
        root: Folder in which ``proc`` and ``sys`` are.
        mask: CPUs in the affinity mask; this process's own if None.
    """
    cpus = len(os.sched_getaffinity(0)) if mask is None else mask
    quotas = [quota for quota in (*_v2_quotas(root), *_v1_quotas(root)) if quota > 0]
    return max(1, min([cpus, *(math.ceil(quota) for quota in quotas)]))


def _v2_quotas(root: Path) -> Iterator[float]:
    """CPUs by the ``cpu.max`` of this process's cgroup and of those that it is in: the tightest holds."""
    for mount in (root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"):
        for folder in _folders(mount, _group(root, "")):
            match _words(folder / "cpu.max"):
                case [quota, period] if quota != "max":
                    yield _ratio(quota, period)


def _v1_quotas(root: Path) -> Iterator[float]:
    for name in _V1_MOUNTS:
        for folder in _folders(root / "sys/fs/cgroup" / name, _group(root, "cpu")):
            match _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us"):
                case [quota], [period]:  # A quota of -1 is none.
                    yield _ratio(quota, period)


def _group(root: Path, controller: str) -> PurePosixPath:
    """The path of this process's cgroup in a controller's hierarchy; "" is the controller of version 2."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controller in controllers.split(","):
            return PurePosixPath(path)
    return PurePosixPath("/")


def _folders(mount: Path, group: PurePosixPath) -> Iterator[Path]:
    """The group's folder and all above it.

    A container may see its own group as the root of the mount, while ``/proc/self/cgroup`` names the path on the node:
    then only the last of these folders exists.
    """
    parts = [part for part in group.parts if part not in ("/", "..")]
    for depth in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:depth])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _ratio(quota: str, period: str) -> float:
    """Quota by period; 0, which is no quota, if one of them is no positive number."""
    try:
        return max(0.0, int(quota) / int(period))
    except (ValueError, ZeroDivisionError):
        return 0.0
