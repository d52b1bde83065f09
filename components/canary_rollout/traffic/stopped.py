"""A service that a person stopped: KServe deletes its pods and its route, and keeps the InferenceService."""

from __future__ import annotations

from content_arena.components.canary_rollout.kube.client import Json

STOP_ANNOTATION = "serving.kserve.io/stop"


def stopped(service: Json) -> str:
    """That a service is stopped, and what to do; empty if it is not."""
    metadata, status = service["metadata"], service.get("status", {})
    is_asked = (metadata.get("annotations") or {}).get(STOP_ANNOTATION) == "true"
    conditions = status.get("conditions") or []
    if not is_asked and not any(one["type"] == "Stopped" and one.get("status") == "True" for one in conditions):
        return ""
    name = metadata["name"]
    return (
        f"{name} is stopped and answers nobody: `kubectl annotate inferenceservice {name} {STOP_ANNOTATION}-` starts it"
    )
