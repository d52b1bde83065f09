"""Finds out why a pod does not serve, and quotes the end of its log.

A failure speaks against the version: its own container was started and stopped again and again. A trouble does not, and
may pass: a node has no room for the pod, its image is not there yet, or the bundle can not be loaded from S3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from content_arena.components.canary_rollout.kube.client import Json

#: Reasons of a waiting container that was never started.
_NOT_STARTED = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"}
)
#: From this many restarts on, a container that exits with an error counts as failed.
_LEAST_RESTARTS = 2
_MAX_CHARACTERS = 300
#: Returns the end of a log, given the names of a pod and of its container.
Logs = Callable[[str, str], str]


def failure(pods: Iterable[Json], previous_logs: Logs) -> str:
    """Why the first failed pod does not serve; empty if every pod may still become ready.

    Args:
        pods: As the API server returns them.
        previous_logs: Returns the end of a log.
    """
    for pod in pods:
        for container in pod.get("status", {}).get("containerStatuses") or []:
            if _is_crashing(container):
                return _described(pod, container, previous_logs)
    return ""


def trouble(pods: Iterable[Json], previous_logs: Logs) -> str:
    """What keeps the first such pod from starting though it is not the version's fault; empty if nothing does.

    Args:
        pods: As the API server returns them.
        previous_logs: Returns the end of a log.
    """
    for pod in pods:
        lacking = without_node(pod)
        if lacking:
            return lacking
        status = pod.get("status", {})
        inits = status.get("initContainerStatuses") or []
        troubled = [one for one in inits if _is_crashing(one)]
        troubled += [one for one in (*inits, *(status.get("containerStatuses") or [])) if _is_not_started(one)]
        if troubled:
            return _described(pod, troubled[0], previous_logs)
    return ""


def without_node(pod: Json) -> str:
    """Why a pod has no node; empty if it has one, or the scheduler has not looked at it yet."""
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            told = _shortened(condition.get("message") or condition.get("reason", ""))
            return f"pod {pod['metadata']['name']} has no node: {told}"
    return ""


def _is_crashing(container: Json) -> bool:
    has_failed = _end(container).get("exitCode", 0) != 0
    is_often = not container.get("ready") and container.get("restartCount", 0) >= _LEAST_RESTARTS
    return _waiting(container).get("reason") == "CrashLoopBackOff" or (has_failed and is_often)


def _is_not_started(container: Json) -> bool:
    return _waiting(container).get("reason") in _NOT_STARTED


def _described(pod: Json, container: Json, previous_logs: Logs) -> str:
    waiting, dead = _waiting(container), _end(container)
    has_failed = dead.get("exitCode", 0) != 0
    cause = waiting.get("reason") or dead.get("reason") or "Error"
    if has_failed:
        cause += f", exit code {dead['exitCode']}"
    message = dead.get("message") or (waiting.get("message") if not has_failed else "")
    if message:
        cause += f" ({_shortened(message)})"
    name = pod["metadata"]["name"]
    log = " ".join(previous_logs(name, container["name"]).split())[-_MAX_CHARACTERS:]
    return f"{container['name']} of pod {name}: {cause}" + (f": {log}" if log else "")


def _waiting(container: Json) -> Json:
    return container.get("state", {}).get("waiting") or {}


def _end(container: Json) -> Json:
    """How the container ended last; empty if it has not ended yet."""
    return container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated") or {}


def _shortened(text: str) -> str:
    return " ".join(text.split())[:_MAX_CHARACTERS]
