"""Standard mode: Deployments, ``spec.canary``, and an HTTPRoute that carries the weights.

KServe takes a canary's ready pods off stable's. So stable gets as many more for as long, before the canary gets any.
How many that is goes by the pods that stable had when the rollout began: a canary has a fixed number of its own, and an
autoscaler's ``minReplicas`` may be far below what the traffic takes.
"""

from __future__ import annotations

import json
import math

from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.plan.state import Challenger, Stable
from content_arena.components.canary_rollout.traffic.mode import (
    Aim,
    Done,
    Goal,
    Patch,
    Shares,
    Step,
    TrafficError,
    View,
    Wait,
    model_of,
    storage_uri,
    told_version,
    version_of,
)

#: The only name that KServe merges into the pod's serving container; its definition asks for it in a canary.
_CONTAINER = "kserve-container"


def workload(service: str, variant: str) -> str:
    """Name of a variant's Deployment and Service."""
    return f"{service}-{variant}-predictor" if variant else f"{service}-predictor"


def weights(route: Json | None) -> dict[str, int] | None:
    """Percentage of each Service by its name; None if the gateway has not accepted the route as it stands."""
    if route is None or not _is_accepted(route):
        return None
    rules = [_percentages(rule) for rule in route["spec"].get("rules") or []]
    # Rules that disagree are being rewritten.
    if not rules or any(rule != rules[0] for rule in rules):
        return None
    return rules[0]


class Standard:
    """See :class:`~content_arena.components.canary_rollout.traffic.mode.Mode`."""

    name = "Standard"

    def stable(self, view: View) -> Stable:
        """What serves now."""
        if view.route is None:
            raise TrafficError(
                f"{view.name} has no HTTPRoute, so nothing would ever be sent to a canary: install the Gateway API and "
                "set enableGatewayApi in KServe's inferenceservice-config"
            )
        beside = [part for part in ("transformer", "explainer") if view.service["spec"].get(part)]
        if beside:
            raise TrafficError(f"{view.name} has a {beside[0]}: its route does not tell predictors apart, so no canary")
        canaries = view.service["spec"].get("canary") or []
        if canaries:
            names = ", ".join(canary["predictor"].get("name", "?") for canary in canaries)
            raise TrafficError(f"{view.name} has a canary that no rollout knows of ({names}): remove it at weight 0")
        predictor = view.predictor
        serving = workload(view.name, predictor.get("name", ""))
        told = weights(view.route)
        if told != {serving: 100}:
            raise TrafficError(
                f"{view.name} is not settled: its HTTPRoute has to be accepted by the gateway and to name {serving} "
                f"alone, it says {'nothing yet' if told is None else told}"
            )
        return Stable(
            predictor.get("name", ""), version_of(predictor), storage_uri(predictor),
            predictor.get("minReplicas"), predictor.get("maxReplicas"), told_version(predictor),
            pods=view.ready_pods.get(serving, 0),
        )  # fmt: skip

    def shares(self, view: View, stable: Stable, challenger: Challenger) -> Shares:
        """What users meet."""
        told = weights(view.route)
        workloads = workload(view.name, challenger.name)
        canary = _canary(view, challenger)
        wanted = canary["predictor"].get("minReplicas", 1) if canary else _least(stable)
        ready = view.ready_pods.get(workloads, 0) >= wanted
        if canary:
            ready = ready and any(
                status["name"] == challenger.name and status["ready"]
                for status in view.service.get("status", {}).get("canaryStatuses") or []
            )
        return Shares(None if told is None else told.get(workloads, 0), ready)

    def next_step(self, view: View, goal: Goal, stable: Stable, challenger: Challenger) -> Step:
        """What is missing to reach a goal."""
        if challenger.name == stable.name:
            raise TrafficError(f"stable is called {stable.name} already, like the challenger")
        if goal.aim is Aim.ROLLED_BACK:
            return _withdraw(view, stable, challenger)
        if goal.aim is Aim.PROMOTED and _is_taken_over(view, challenger):
            return self._after_promotion(view, stable, challenger)
        if view.predictor.get("name", "") != stable.name or storage_uri(view.predictor) != stable.storage_uri:
            raise TrafficError(
                f"{view.name} serves {storage_uri(view.predictor)}, this began with {stable.storage_uri}"
            )
        if goal.aim is Aim.PROMOTED:
            return self._promote(view, stable, challenger)
        return self._shift(view, goal, stable, challenger)

    def route_key(self, view: View) -> str:
        """Equal for two views if the gateway was told the same."""
        return json.dumps(weights(view.route), sort_keys=True)

    def pod_labels(self, view: View, stable: Stable, challenger: Challenger) -> str:
        """Label selector of the challenger's pods."""
        return f"app=isvc.{workload(view.name, challenger.name)}"

    def _shift(self, view: View, goal: Goal, stable: Stable, challenger: Challenger) -> Step:
        """Stable's pods, then the canary's, then the traffic."""
        canary = _canary(view, challenger)
        if canary is None and goal.aim is not Aim.STAGED:
            raise TrafficError(f"the canary {challenger.name} is gone from {view.name}")
        has = canary["predictor"].get("minReplicas", 1) if canary else 0
        pods = max(has, math.ceil(_strength(stable) * goal.percent / 100), 1)
        raised = _raised(stable, pods)
        if (view.predictor.get("minReplicas") or 1) < raised["minReplicas"]:
            return Patch({"spec": {"predictor": raised}}, f"pods of stable: {pods} more, KServe takes them off again")
        if has < pods:
            needed = _strength(stable) + pods - has
            if view.ready_pods.get(workload(view.name, stable.name), 0) < needed:
                return Wait(f"stable has fewer than {needed} ready pods")
            percent = canary["trafficPercent"] if canary else 0
            return Patch(_entry(view, challenger, percent, pods), f"pods of {challenger.name}: {pods}, at {percent} %")
        now = self.shares(view, stable, challenger)
        if not now.ready:
            return Wait(f"not all of the {pods} pods of {challenger.name} are ready")
        if canary and canary["trafficPercent"] != goal.percent:
            return Patch(_entry(view, challenger, goal.percent, pods), f"{goal.percent} % for {challenger.name}")
        if now.challenger != goal.percent:
            return Wait(f"the route does not show {goal.percent} % for {challenger.name}")
        return Done() if view.gateway_converged else Wait("the gateway settles")

    def _promote(self, view: View, stable: Stable, challenger: Challenger) -> Step:
        canary = _canary(view, challenger)
        if canary is None or canary["trafficPercent"] != 100:
            raise TrafficError(f"{challenger.name} does not have 100 % of {view.name}, so it can not take over")
        now = self.shares(view, stable, challenger)
        if now.challenger != 100 or not now.ready or not view.gateway_converged:
            return Wait(f"the route does not yet show all traffic at a ready {challenger.name}")
        predictor = {"name": challenger.name, **_held(stable)}
        predictor["model"] = model_of(view.predictor, challenger.storage_uri, challenger.version)
        body = {"spec": {"predictor": predictor, "canary": _others(view, challenger)}}
        return Patch(body, f"{challenger.name} takes over the name")

    def _after_promotion(self, view: View, stable: Stable, challenger: Challenger) -> Step:
        told = weights(view.route)
        if told is None or told != {workload(view.name, challenger.name): 100}:
            return Wait(f"the route does not name {challenger.name} alone")
        if not view.gateway_converged:
            return Wait("the gateway settles")
        return _put_back(view, stable) or Done()


def _withdraw(view: View, stable: Stable, challenger: Challenger) -> Step:
    """The share first, then the pods: a Service that goes before its share loses requests."""
    if _is_taken_over(view, challenger):
        raise TrafficError(f"stable is {challenger.name} already: `arena rollout` the version before to go back")
    canary = _canary(view, challenger)
    told = weights(view.route)
    has_stable = view.ready_pods.get(workload(view.name, stable.name), 0) > 0
    if canary is None:
        return _after_withdrawal(view, stable, challenger)
    if canary["trafficPercent"] > 0:
        if not has_stable:
            return Wait("stable has no ready pod, so nothing is sent back to it")
        pods = canary["predictor"].get("minReplicas", 1)
        return Patch(_entry(view, challenger, 0, pods), f"0 % for {challenger.name}")
    if told is None or told.get(workload(view.name, challenger.name), 0) != 0 or not view.gateway_converged:
        return Wait(f"the route does not yet show 0 % for {challenger.name}")
    body = {"spec": {"canary": _others(view, challenger), "predictor": _held(stable)}}
    return Patch(body, f"{challenger.name} is withdrawn, stable has as many pods as before")


def _after_withdrawal(view: View, stable: Stable, challenger: Challenger) -> Step:
    told = weights(view.route)
    if told is None or workload(view.name, challenger.name) in told:
        return Wait(f"the route still names {challenger.name}")
    lacking = _put_back(view, stable)
    if lacking:
        return lacking
    if view.ready_pods.get(workload(view.name, stable.name), 0) < _least(stable):
        return Wait("stable is not at full strength")
    return Done()


def _least(stable: Stable) -> int:
    """Pods that stable has whatever the traffic."""
    return max(1, stable.min_replicas or 1)


def _strength(stable: Stable) -> int:
    """Pods that all of the traffic took when the rollout began."""
    running = stable.pods or 0
    if stable.max_replicas is not None:
        # A rolling update has some more for a while.
        running = min(running, stable.max_replicas)
    return max(_least(stable), running)


def _replicas(stable: Stable) -> Json:
    return {"minReplicas": stable.min_replicas, "maxReplicas": stable.max_replicas}


def _held(stable: Stable) -> Json:
    """Stable's own number of pods, and no fewer than all of the traffic takes.

    An autoscaler that stable was kept from with more pods than it wanted, or that begins with a new stable, does not
    know the load that comes: with its own least it would take pods away just then.
    """
    replicas = _replicas(stable)
    return replicas | {"minReplicas": _strength(stable)} if _strength(stable) > _least(stable) else replicas


def _put_back(view: View, stable: Stable) -> Patch | Wait | None:
    """Stable's own number of pods, once its autoscaler has seen the load; None if it is back."""
    replicas = _replicas(stable)
    if all(view.predictor.get(name) == value for name, value in replicas.items()):
        return None
    if not view.autoscaler_stabilized and _held(stable) != replicas:
        return Wait("stable's autoscaler has not seen all of the traffic yet")
    return Patch({"spec": {"predictor": replicas}}, "stable's own number of pods is back")


def _raised(stable: Stable, pods: int) -> Json:
    limit = None if stable.max_replicas is None else stable.max_replicas + pods
    return {"minReplicas": _strength(stable) + pods, "maxReplicas": limit}


def _canary(view: View, challenger: Challenger) -> Json | None:
    """The challenger's entry.

    Raises:
        TrafficError: Its name is somebody else's.
    """
    for canary in view.service["spec"].get("canary") or []:
        if canary["predictor"].get("name") == challenger.name:
            if storage_uri(canary["predictor"]) != challenger.storage_uri:
                raise TrafficError(f"the canary {challenger.name} is {storage_uri(canary['predictor'])} by now")
            return canary
    return None


def _others(view: View, challenger: Challenger) -> list[Json] | None:
    canaries = view.service["spec"].get("canary") or []
    return [canary for canary in canaries if canary["predictor"].get("name") != challenger.name] or None


def _entry(view: View, challenger: Challenger, percent: int, pods: int) -> Json:
    """``spec.canary`` with the challenger's entry; a merge patch replaces the whole list."""
    model = model_of(view.predictor, challenger.storage_uri, challenger.version)
    model |= {"name": _CONTAINER, "modelFormat": view.predictor["model"]["modelFormat"]}
    predictor = {"name": challenger.name, "minReplicas": pods, "model": model}
    mine = {"trafficPercent": percent, "predictor": predictor}
    return {"spec": {"canary": [*(_others(view, challenger) or []), mine]}}


def _is_taken_over(view: View, challenger: Challenger) -> bool:
    return (
        view.predictor.get("name") == challenger.name and storage_uri(view.predictor) == challenger.storage_uri
        and _canary(view, challenger) is None
    )  # fmt: skip


def _is_accepted(route: Json) -> bool:
    generation = route["metadata"].get("generation")
    parents = route.get("status", {}).get("parents") or []
    return bool(parents) and all(
        any(
            condition["type"] == "Accepted"
            and condition["status"] == "True"
            and condition.get("observedGeneration", generation) == generation
            for condition in parent.get("conditions") or []
        )
        for parent in parents
    )


def _percentages(rule: Json) -> dict[str, int]:
    parts = {ref["name"]: ref.get("weight", 1) for ref in rule.get("backendRefs") or []}
    total = sum(parts.values())
    return {name: round(100 * weight / total) for name, weight in parts.items()} if total else {}
