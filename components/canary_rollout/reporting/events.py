"""Kubernetes Events on the service: `kubectl describe` and `kubectl events` show what a rollout did."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from content_arena.components.canary_rollout.kube.client import ClusterError, Json, RolloutClient
from content_arena.components.canary_rollout.plan.state import Phase, State

CONTROLLER = "content-arena/rollout"
#: Bytes, not characters: the API server refuses an Event with a longer note.
_MAX_NOTE = 1024
_REASONS = {
    Phase.STAGING: "RolloutStarted",
    Phase.SHIFTING: "RolloutShifting",
    Phase.BAKING: "RolloutMeasuring",
    Phase.WAITING: "RolloutHeld",
    Phase.PROMOTING: "RolloutPromoting",
    Phase.ROLLING_BACK: "RolloutRollingBack",
    Phase.PROMOTED: "RolloutPromoted",
    Phase.ROLLED_BACK: "RolloutRolledBack",
}
_WARNINGS = (Phase.WAITING, Phase.ROLLING_BACK, Phase.ROLLED_BACK)


class Events:
    """Tells of one service."""

    def __init__(self, cluster: RolloutClient, instance: str, say: Callable[[str], None]) -> None:
        """Tells nothing yet.

        Args:
            cluster: Where they are made.
            instance: Who tells.
            say: Where it is said that an Event could not be made.
        """
        self._cluster, self._instance, self._say = cluster, instance, say

    def entered(self, service: Json, state: State) -> str:
        """A phase was entered, or a step begun."""
        note = f"version {state.challenger} at {state.percent} %: {state.reason}"
        if state.gate:
            note += f" (waits for {state.gate})"
        kind = "Warning" if state.phase in _WARNINGS else "Normal"
        return self._tell(service, kind, _REASONS[state.phase], state.phase.value, note)

    def moved(self, service: Json, why: str) -> str:
        """A patch was made."""
        return self._tell(service, "Normal", "RolloutMove", "patch", why)

    def _tell(self, service: Json, kind: str, reason: str, action: str, note: str) -> str:
        metadata = service["metadata"]
        namespace = metadata.get("namespace", "default")
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}", "namespace": namespace},
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance[:128],
            "action": action,
            "reason": reason,
            "type": kind,
            "note": note.encode()[:_MAX_NOTE].decode(errors="ignore"),
            "regarding": {
                "apiVersion": service.get("apiVersion", "serving.kserve.io/v1beta1"),
                "kind": "InferenceService",
                "name": metadata["name"],
                "namespace": namespace,
                "uid": metadata.get("uid", ""),
            },
        }
        try:
            self._cluster.create_event(body)
        except ClusterError as error:
            # Traffic does not wait for a message about it.
            self._say(f"no Event could be made: {error}")
            return ""
        return note
