"""Watches the version that a promotion has kept at 0 %, until its time is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from content_arena.components.canary_rollout.controller.record import RecordStore
from content_arena.components.canary_rollout.kube import pod_failures
from content_arena.components.canary_rollout.kube.client import ClusterError, RolloutClient
from content_arena.components.canary_rollout.log import LOG
from content_arena.components.canary_rollout.plan.state import State
from content_arena.components.canary_rollout.traffic.mover import Mover


@dataclass(frozen=True)
class Keeper:
    """Says when the version before the last promotion has to go. Writes nothing.

    Attributes:
        client: Of the service's namespace.
        mover: Of the service.
        records: Of the service.
        now: Seconds since the epoch.
    """

    client: RolloutClient
    mover: Mover
    records: RecordStore
    now: Callable[[], float]

    def why_over(self, kept: State) -> str | None:
        """Why the time of a kept version is over; empty if it is not, None if it is no longer kept at all.

        Args:
            kept: The rollout that has kept it.
        """
        try:
            view = self.mover.read()
            state = self.records.read(view.service).state
            if state is None or state.rollout != kept.rollout or not state.kept_until:
                # A new rollout or an undo has begun, or somebody else let go of it.
                return None
            if self.now() >= state.kept_until:
                return "its time is over"
            labels = self.mover.mode.pod_labels(view, state.stable, state.candidate)
            trouble = pod_failures.trouble(self.client.pods(labels), self.client.previous_logs) if labels else ""
        except ClusterError as error:
            LOG.debug("the kept version is looked at later: %s", error)
            return ""
        return f"its room is needed: {trouble}" if " has no node: " in trouble else ""
