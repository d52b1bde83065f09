"""Deployments as KServe makes them, for both controllers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Protocol

from tests.components.canary_rollout.on_a_cluster.api import Api, Json

SERVICE_LABEL = "serving.kserve.io/inferenceservice"
_HASH = "stand-in/template"


class PodRunner(Protocol):
    """Runs the pods of one namespace."""

    def template(self, predictor: Json, runtime: Json, labels: Mapping[str, str]) -> Json:
        """The pod template of a predictor."""
        ...

    def reconcile_once(self) -> None:
        """One iteration; called periodically."""
        ...

    def kill(self, name: str) -> None:
        """Kills the process of a pod, as a node that runs out of memory does."""
        ...

    def close(self) -> None:
        """Stops all pods."""
        ...


def inherited(stable: Json, canary: Json) -> Json:
    """A canary's predictor: stable's, overridden by the canary's own fields."""
    merged = stable | canary
    merged["model"] = stable["model"] | canary.get("model", {})
    return merged


def apply(
    api: Api, before: Json | None, name: str, replicas: int, labels: Mapping[str, str], pods: Json, owner: Json
) -> None:
    """Creates a Deployment, or changes it as far as it differs."""
    digest = hashlib.sha256(json.dumps(pods, sort_keys=True).encode()).hexdigest()[:16]
    metadata = {"name": name, "labels": dict(labels), "annotations": {_HASH: digest}, "ownerReferences": [owner]}
    if before is None:
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": labels["app"]}}, "strategy": strategy}
        api.create("deployments", {"metadata": metadata, "spec": spec | {"template": pods}})
        return
    change: Json = {}
    if before["metadata"]["annotations"].get(_HASH) != digest:
        change = {"metadata": {"annotations": {_HASH: digest}}, "spec": {"template": pods}}
    if before["spec"]["replicas"] != replicas:
        change["spec"] = change.get("spec", {}) | {"replicas": replicas}
    if change:
        api.merge("deployments", name, change)


def owner_of(service: Json) -> Json:
    """The owner reference by which an object is deleted with its service."""
    metadata = service["metadata"]
    reference = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "controller": True}
    return reference | {"name": metadata["name"], "uid": metadata["uid"]}


def ready(deployment: Json) -> int:
    """Ready pods of a Deployment."""
    return deployment.get("status", {}).get("readyReplicas", 0)


def is_ready(pod: Json) -> bool:
    conditions = {item["type"]: item["status"] for item in pod.get("status", {}).get("conditions") or []}
    return conditions.get("Ready") == "True" and not pod["metadata"].get("deletionTimestamp")
