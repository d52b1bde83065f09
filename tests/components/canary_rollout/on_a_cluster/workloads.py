"""Deployments as KServe makes them, for both controllers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Protocol

from tests.components.canary_rollout.on_a_cluster.api import Api, Json
from tests.components.canary_rollout.stand_in.objects import copied_to_pods

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


class Runtimes:
    """The ServingRuntimes of a namespace, which a test creates before its service and never changes."""

    def __init__(self, api: Api) -> None:
        self._api, self._known = api, dict[str, Json]()

    def of(self, predictor: Json) -> Json:
        """The runtime that a predictor names; the tests' services always name one."""
        name = predictor["model"]["runtime"]
        if name not in self._known:
            found = self._api.get("servingruntimes", name)
            assert found, f"no ServingRuntime {name}"
            self._known[name] = found
        return self._known[name]


def strategy_of(predictor: Json) -> Json:
    """The strategy of a predictor's Deployment; KServe's default where it names none."""
    rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
    given = predictor.get("deploymentStrategy") or {}
    return {"type": "RollingUpdate", "rollingUpdate": rolling | (given.get("rollingUpdate") or {})}


def with_metadata_of(service: Json, pods: Json) -> Json:
    """The template with the annotations and labels of the service, which KServe copies to it. Its own labels win."""
    copied, metadata = copied_to_pods(service), pods["metadata"]
    # The API server may have removed empty maps.
    labels = copied["labels"] | metadata.get("labels", {})
    return pods | {"metadata": metadata | {"annotations": copied["annotations"], "labels": labels}}


def apply(
    api: Api, before: Json | None, name: str, replicas: int, labels: Mapping[str, str], pods: Json, owner: Json,
    strategy: Json | None = None,
) -> None:  # fmt: skip
    """Creates a Deployment, or changes it as far as it differs."""
    strategy = strategy or strategy_of({})
    digest = hashlib.sha256(json.dumps(pods, sort_keys=True).encode()).hexdigest()[:16]
    metadata = {"name": name, "labels": dict(labels), "annotations": {_HASH: digest}, "ownerReferences": [owner]}
    if before is None:
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": labels["app"]}}, "strategy": strategy}
        api.create("deployments", {"metadata": metadata, "spec": spec | {"template": pods}})
        return
    change: Json = {}
    if before["metadata"]["annotations"].get(_HASH) != digest:
        change = {"metadata": {"annotations": {_HASH: digest}}, "spec": {"template": pods}}
    for field, value in (("replicas", replicas), ("strategy", strategy)):
        if before["spec"][field] != value:
            change["spec"] = change.get("spec", {}) | {field: value}
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
