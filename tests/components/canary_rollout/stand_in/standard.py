"""KServe's controller for an InferenceService in Standard mode, as it was observed to behave. Pure.

It has KServe's pitfalls: a canary's ready pods are subtracted from stable's, workloads that the spec no longer names
are removed at once, the route follows only afterwards and not at all while PredictorReady is False, and annotations and
labels of the service are copied to the template of the pods.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from content_arena.components.canary_rollout.kube.client import Json
from tests.components.canary_rollout.stand_in.objects import copied_to_pods

#: Fields of a predictor that are not in the template of its pods.
_NOT_IN_TEMPLATE = ("name", "minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "deploymentStrategy")


@dataclass(frozen=True)
class Wanted:
    """The objects that the controller wants.

    Attributes:
        pods: Number of pods of each Deployment; there is a Service of each name.
        uris: The bundle that each Deployment's pods load.
        weights: Of the route, by Service.
        canaries: ``status.canaryStatuses``.
        templates: A digest of the pods' template of each Deployment. Another one replaces the pods.
        unavailable: How many pods of each Deployment a rolling update may take away.
        is_available: Whether stable has its pods: PredictorReady.
    """

    pods: dict[str, int]
    uris: dict[str, str]
    weights: dict[str, int]
    canaries: list[Json]
    templates: dict[str, str]
    unavailable: dict[str, int]
    is_available: bool


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
    predictors = {stable: predictor}
    for entry in service["spec"].get("canary") or []:
        percent, canary = entry["trafficPercent"], entry["predictor"]
        own = workload(name, canary["name"])
        predictors[own] = inherited(predictor, canary)
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
    unavailable = {own: max_unavailable(given, pods[own]) for own, given in predictors.items()}
    templates = {own: _template(service, given) for own, given in predictors.items()}
    is_available = ready.get(stable, 0) >= pods[stable] - unavailable[stable]
    return Wanted(pods, uris, weights, canaries, templates, unavailable, is_available)


def inherited(stable: Json, canary: Json) -> Json:
    """A canary's predictor: stable's, overridden by the canary's own fields."""
    merged = stable | canary
    merged["model"] = stable["model"] | canary.get("model", {})
    return merged


def max_unavailable(predictor: Json, pods: int) -> int:
    """Of a Deployment with so many pods. KServe's default is a quarter; percentages are rounded down."""
    strategy = predictor.get("deploymentStrategy") or {}
    if strategy.get("type") == "Recreate":
        return 0
    given = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%")
    return pods * int(given.removesuffix("%")) // 100 if isinstance(given, str) else int(given)


def _template(service: Json, predictor: Json) -> str:
    own = {name: value for name, value in predictor.items() if name not in _NOT_IN_TEMPLATE}
    # The name of the container, which a canary has to name.
    own["model"] = {name: value for name, value in own["model"].items() if name != "name"}
    return json.dumps([own, copied_to_pods(service)], sort_keys=True)


def status(service: Json, wanted: Wanted) -> Json:
    is_ready = all(canary["ready"] for canary in wanted.canaries)
    stable = {"status": "True"} if wanted.is_available else {"status": "False", "reason": "MinimumReplicasUnavailable"}
    conditions = [{"type": "IngressReady", "status": "True"}, {"type": "PredictorReady"} | stable,
                  {"type": "Ready"} | stable]  # fmt: skip
    if wanted.canaries:
        condition = {"type": "CanaryPredictorReady", "severity": "Info", "status": "True", "reason": "AllCanariesReady"}
        conditions.append(condition if is_ready else condition | {"status": "False", "reason": "CanariesNotReady"})
    return {"deploymentMode": "Standard", "canaryStatuses": wanted.canaries, "conditions": conditions}
