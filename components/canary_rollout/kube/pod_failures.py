"""Finds out why a pod does not serve, and quotes the end of its log."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from content_arena.components.canary_rollout.kube.client import Json

#: Reasons of a waiting container that do not pass without a change.
_HOPELESS = frozenset({"CrashLoopBackOff", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"})
#: From this many restarts on, a container that exits with an error counts as failed.
_LEAST_RESTARTS = 2
_MAX_CHARACTERS = 300


def failure(pods: Iterable[Json], previous_logs: Callable[[str, str], str]) -> str:
    """Why the first failed pod does not serve; empty if every pod may still become ready.

    Args:
        pods: As the API server returns them.
        previous_logs: Returns the end of a log, given the names of a pod and of its container.
    """
    for pod in pods:
        status = pod.get("status", {})
        containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
        for container in containers:
            reason = _reason(container)
            if reason:
                name = pod["metadata"]["name"]
                log = " ".join(previous_logs(name, container["name"]).split())[-_MAX_CHARACTERS:]
                return f"{container['name']} of pod {name}: {reason}" + (f": {log}" if log else "")
    return ""


def _reason(container: Json) -> str:
    waiting = container.get("state", {}).get("waiting") or {}
    dead = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated") or {}
    has_failed = dead.get("exitCode", 0) != 0
    is_hopeless = waiting.get("reason") in _HOPELESS
    is_crashing = has_failed and not container.get("ready") and container.get("restartCount", 0) >= _LEAST_RESTARTS
    if not is_hopeless and not is_crashing:
        return ""
    cause = waiting.get("reason") or dead.get("reason") or "Error"
    if has_failed:
        cause += f", exit code {dead['exitCode']}"
    message = dead.get("message") or (waiting.get("message") if not has_failed else "")
    return f"{cause} ({' '.join(message.split())[:_MAX_CHARACTERS]})" if message else cause
