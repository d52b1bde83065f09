"""KServe's controller for an InferenceService in Standard mode, as it was observed to behave. Pure.

It has KServe's pitfalls: a canary's ready pods are subtracted from stable's, workloads that the spec no longer names
are removed at once, and the route follows only afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from content_arena.components.canary_rollout.kube.client import Json


@dataclass(frozen=True)
class Wanted:
    """The objects that the controller wants.

    Attributes:
        pods: Number of pods of each Deployment; there is a Service of each name.
        uris: The bundle that each Deployment's pods load.
        weights: Of the route, by Service.
        canaries: ``status.canaryStatuses``.
    """

    pods: dict[str, int]
    uris: dict[str, str]
    weights: dict[str, int]
    canaries: list[Json]


def workload(service: str, variant: str | None) -> str:
    return f"{service}-{variant}-predictor" if variant else f"{service}-predictor"


def reconcile(service: Json, ready: Mapping[str, int], autoscaled: int = 0) -> Wanted:
    """One iteration of the controller, from the spec and each Deployment's ready pods.

    ``autoscaled``: pods that stable's autoscaler wants; a canary has none.
    """
    name, predictor = service["metadata"]["name"], service["spec"]["predictor"]
    stable = workload(name, predictor.get("name"))
    least = predictor.get("minReplicas") or 1
    pods, uris, weights, canaries = {}, {stable: predictor["model"]["storageUri"]}, {}, []
    for entry in service["spec"].get("canary") or []:
        percent, canary = entry["trafficPercent"], entry["predictor"]
        own = workload(name, canary["name"])
        pods[own] = canary.get("minReplicas") or max(1, math.ceil(least * percent / 100))
        uris[own] = canary.get("model", {}).get("storageUri", predictor["model"]["storageUri"])
        is_ready = ready.get(own, 0) >= pods[own]
        # A canary that is not ready keeps no share, and one that has had it loses it.
        weights[own] = percent if is_ready else 0
        canaries.append({"name": canary["name"], "ready": is_ready, "trafficPercent": percent,
                         "modelStatus": {"transitionStatus": ""}})  # fmt: skip
    taken = sum(ready.get(own, 0) for own in pods)
    weights[stable] = 100 - sum(weights.values())
    pods[stable] = max(1, least - taken, min(autoscaled, predictor.get("maxReplicas") or autoscaled))
    return Wanted(pods, uris, weights, canaries)


def status(service: Json, wanted: Wanted) -> Json:
    is_ready = all(canary["ready"] for canary in wanted.canaries)
    conditions = [{"type": "IngressReady", "status": "True"}, {"type": "PredictorReady", "status": "True"},
                  {"type": "Ready", "status": "True"}]  # fmt: skip
    if wanted.canaries:
        condition = {"type": "CanaryPredictorReady", "severity": "Info", "status": "True", "reason": "AllCanariesReady"}
        conditions.append(condition if is_ready else condition | {"status": "False", "reason": "CanariesNotReady"})
    return {"deploymentMode": "Standard", "canaryStatuses": wanted.canaries, "conditions": conditions}
