"""What a run on Kubeflow Pipelines is doing, in lines for a person: the stages by their titles, and nothing else.

Kubeflow Pipelines tells a run's state as the nodes of an Argo workflow: a driver for every task, a node for the task
itself, and below it ``executor`` nodes, which are the tries of its pod. A task's node is called running while its pod
still waits for a node of the cluster, so whether it waits is read from the executors.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from content_arena.pipelines.definitions.stage_table import STAGES, Stage

#: By the name that Kubeflow Pipelines gives a stage's task, and by its title.
_STAGES = {name: stage for stage in STAGES for name in (stage.name.replace("_", "-"), stage.title)}
#: What Argo puts behind the name of a node that is one of several tries or items.
_NUMBER = re.compile(r"\(.*\)$")
_EXECUTOR = "executor"
#: Seconds that a pod may wait before that is said.
_PATIENCE = 60.0
_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"})


class _Child(Protocol):
    pod_name: str | None


class _Error(Protocol):
    message: str | None


class Node(Protocol):
    """A node of a run, as the client of Kubeflow Pipelines gives it; the client ships no types."""

    task_id: str
    display_name: str | None
    state: str | None
    pod_name: str | None
    child_tasks: Sequence[_Child] | None
    start_time: datetime | None
    end_time: datetime | None
    error: _Error | None


class Follower:
    """Turns each reading of a run into the lines that are new since the reading before."""

    def __init__(self, run_id: str, namespace: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts with nothing seen.

        Args:
            run_id: Of the run, for commands that lines name.
            namespace: Where its pods are.
            clock: Seconds.
        """
        self._run_id, self._namespace, self._clock = run_id, namespace, clock
        self._states: dict[str, str] = {}
        self._titles: dict[str, str] = {}
        self._waiting_since: dict[str, float] = {}

    def lines(self, nodes: Sequence[Node]) -> Iterator[str]:
        """The new lines, one for each stage whose state changed, and one for a pod that waits too long."""
        by_pod = {node.pod_name: node for node in nodes if node.pod_name}
        for node in nodes:
            stage = _STAGES.get(_NUMBER.sub("", node.display_name or ""))
            if stage is None or not node.state:
                continue
            state = _state(node, by_pod)
            title = self._title(node.task_id, stage)
            if state == "PENDING":
                yield from self._pending(node.task_id, title, stage)
            elif self._states.get(node.task_id) != state:
                self._states[node.task_id] = state
                self._waiting_since.pop(node.task_id, None)
                yield f"{title}: {self._described(node, state, stage)}"

    def _title(self, task_id: str, stage: Stage) -> str:
        """The stage's title, numbered where it has several tasks, as the shards of a battle."""
        if task_id not in self._titles:
            others = sum(title.startswith(stage.title) for title in self._titles.values())
            self._titles[task_id] = f"{stage.title} {others + 1}" if others else stage.title
        return self._titles[task_id]

    def _pending(self, task_id: str, title: str, stage: Stage) -> Iterator[str]:
        since = self._waiting_since.setdefault(task_id, self._clock())
        if self._clock() - since >= _PATIENCE and self._states.get(task_id) != "PENDING":
            self._states[task_id] = "PENDING"
            yield (
                f"{title}: its pod has waited for {_PATIENCE:.0f} s; `kubectl describe pods {self._selector(stage)}` "
                "says for what"
            )

    def _described(self, node: Node, state: str, stage: Stage) -> str:
        """The state in words: how long it took, and where to look after a failure."""
        words = state.lower()
        if state in _ENDED and node.start_time and node.end_time:
            words += f", {(node.end_time - node.start_time).total_seconds():.0f} s"
        if state == "FAILED":
            reason = f" ({' '.join(node.error.message.split())})" if node.error and node.error.message else ""
            words += f"{reason}; `kubectl logs {self._selector(stage)} --container main --tail 5` shows why"
        return words

    def _selector(self, stage: Stage) -> str:
        """Options of kubectl that select the stage's pods."""
        return (
            f"--namespace {self._namespace} --selector pipeline/runid={self._run_id},content-arena/stage={stage.name}"
        )


def _state(node: Node, by_pod: dict[str, Node]) -> str:
    """The state of a task: PENDING while its pod, the latest try, waits for a node."""
    state = node.state or ""
    tries = list(_tries(node, by_pod))
    return "PENDING" if state == "RUNNING" and tries and tries[-1].state == "PENDING" else state


def _tries(node: Node, by_pod: dict[str, Node]) -> Iterator[Node]:
    """The executors below a node. Argo names whatever comes next as a child too; that is none of the task's."""
    for child in node.child_tasks or ():
        found = by_pod.get(child.pod_name or "")
        if found is not None and _NUMBER.sub("", found.display_name or "") == _EXECUTOR:
            yield found
            yield from _tries(found, by_pod)
