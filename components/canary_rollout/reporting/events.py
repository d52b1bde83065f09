"""Kubernetes Events on the service: `kubectl describe` and `kubectl events` show what a rollout did."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from content_arena.components.canary_rollout.kube.client import ClusterError, Json, RolloutClient
from content_arena.components.canary_rollout.log import LOG
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
    Phase.WITHDRAWN: "RolloutWithdrawn",
}
_WARNINGS = (Phase.WAITING, Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.WITHDRAWN)


class Events:
    """Creates Events on one service."""

    def __init__(self, cluster: RolloutClient, instance: str = "") -> None:
        """Creates nothing yet.

        Args:
            cluster: Where they are created.
            instance: The process that reports.
        """
        self._cluster, self._instance = cluster, instance

    def entered(self, service: Json, state: State) -> str:
        """Reports a new phase or step; returns the text of the Event, empty if none could be created."""
        note = f"version {state.challenger} at {state.percent} %: {state.reason}"
        if state.gate:
            note += f" (waits for {state.gate})"
        kind = "Warning" if state.phase in _WARNINGS else "Normal"
        return self._create(service, kind, _REASONS[state.phase], state.phase.value, note)

    def moved(self, service: Json, why: str) -> str:
        """Reports a patch; returns the text of the Event, empty if none could be created."""
        return self._create(service, "Normal", "RolloutMove", "patch", why)

    def _create(self, service: Json, kind: str, reason: str, action: str, note: str) -> str:
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
            # A missing Event does not stop a rollout.
            LOG.warning("the Event could not be created: %s", error)
            return ""
        return note
