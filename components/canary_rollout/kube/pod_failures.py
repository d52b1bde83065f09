"""Why a pod does not serve, in its own last words. Pure, but for the log that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Json = dict[str, Any]
#: Reasons to wait that do not pass by themselves.
_HOPELESS = frozenset({"CrashLoopBackOff", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"})
#: Deaths of one container that are no accident any more.
_DEATHS = 2
_MAX_WORDS = 300


def failure(pods: Iterable[Json], previous_logs: Callable[[str, str], str]) -> str:
    """Why the first pod that will not serve does not; empty if all may still.

    Args:
        pods: As the API server has them.
        previous_logs: The end of the log of a pod's container that died, by the names of both.
    """
    for pod in pods:
        status = pod.get("status", {})
        containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
        for container in containers:
            reason = _reason(container)
            if reason:
                name = pod["metadata"]["name"]
                words = " ".join(previous_logs(name, container["name"]).split())[-_MAX_WORDS:]
                return f"{container['name']} of pod {name}: {reason}" + (f": {words}" if words else "")
    return ""


def _reason(container: Json) -> str:
    waiting = container.get("state", {}).get("waiting") or {}
    dead = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated") or {}
    has_failed = dead.get("exitCode", 0) != 0
    is_hopeless = waiting.get("reason") in _HOPELESS
    is_dying = has_failed and not container.get("ready") and container.get("restartCount", 0) >= _DEATHS
    if not is_hopeless and not is_dying:
        return ""
    how = waiting.get("reason") or dead.get("reason") or "Error"
    if has_failed:
        how += f", exit code {dead['exitCode']}"
    said = dead.get("message") or (waiting.get("message") if not has_failed else "")
    return f"{how} ({' '.join(said.split())[:_MAX_WORDS]})" if said else how
