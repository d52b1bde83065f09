"""Standard mode: Deployments, ``spec.canary``, and an HTTPRoute that carries the weights.

KServe subtracts a canary's ready pods from stable's. Therefore stable gets as many additional pods before the canary
gets any, and keeps them as long as there is a canary. How many pods a share needs is computed from the pods that stable
had when the rollout began. ``minReplicas`` would be wrong: a canary has a fixed number of pods, and an autoscaler may
have raised stable's far above its minimum.
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
    Part,
    Patch,
    Shares,
    StableSpec,
    Step,
    TrafficError,
    View,
    Wait,
    configured_version,
    model_of,
    storage_uri,
    version_of,
)
from content_arena.components.canary_rollout.traffic.routes import accepted_route, weights, workload

#: KServe merges a canary's model into the serving container of this name, and its definition requires it.
_CONTAINER = "kserve-container"
_APP = "app=isvc."


class Standard:
    """See :class:`~content_arena.components.canary_rollout.traffic.mode.Mode`."""

    name = "Standard"

    def reads(self) -> frozenset[Part]:
        """The route has the shares; the Deployments have the ready pods."""
        return frozenset({Part.ROUTE, Part.READY_PODS})

    def stable(self, view: View) -> Stable:
        """What serves now."""
        _require_canary_support(view)
        predictor = view.predictor
        serving = workload(view.name, predictor.get("name", ""))
        shares = weights(view.route)
        if shares != {serving: 100}:
            raise TrafficError(
                f"{view.name} is in the middle of a change: its HTTPRoute has to be accepted by the gateway and to "
                f"name {serving} alone, it names {'nothing yet' if shares is None else shares}"
            )
        spec = StableSpec(
            name=predictor.get("name", ""),
            min_replicas=predictor.get("minReplicas"),
            max_replicas=predictor.get("maxReplicas"),
            configured_version=configured_version(predictor),
            pods=view.ready_pods.get(serving, 0),
        )
        return Stable(version_of(predictor), storage_uri(predictor), spec.as_state())

    def shares(self, view: View, stable: Stable, challenger: Challenger) -> Shares:
        """What users get."""
        shares = weights(view.route)
        own = workload(view.name, challenger.name)
        canary = _canary(view, challenger)
        wanted = canary["predictor"].get("minReplicas", 1) if canary else _least_pods(StableSpec.of(stable))
        ready = view.ready_pods.get(own, 0) >= wanted
        if canary:
            ready = ready and any(
                status["name"] == challenger.name and status["ready"]
                for status in view.service.get("status", {}).get("canaryStatuses") or []
            )
        return Shares(None if shares is None else shares.get(own, 0), ready)

    def next_step(self, view: View, goal: Goal, stable: Stable, challenger: Challenger) -> Step:
        """What is missing to reach a goal."""
        spec = StableSpec.of(stable)
        if challenger.name == spec.name:
            raise TrafficError(f"stable is called {spec.name} already, like the challenger")
        if goal.aim is Aim.ROLLED_BACK:
            return _withdraw(view, spec, challenger)
        if goal.aim is Aim.PROMOTED and _has_taken_over(view, challenger):
            return _after_promotion(view, spec, challenger)
        if view.predictor.get("name", "") != spec.name or storage_uri(view.predictor) != stable.storage_uri:
            raise TrafficError(
                f"{view.name} serves {storage_uri(view.predictor)}, the rollout began with {stable.storage_uri}"
            )
        now = self.shares(view, stable, challenger)
        if goal.aim is Aim.PROMOTED:
            return _promote(view, now, spec, challenger)
        return _shift(view, now, goal, spec, challenger)

    def route_key(self, view: View) -> str:
        """A text that is equal for two views if the gateway has the same configuration in both."""
        return json.dumps(weights(view.route), sort_keys=True)

    def stable_labels(self, view: View, stable: Stable) -> str:
        """Label selector of stable's pods."""
        return f"{_APP}{workload(view.name, StableSpec.of(stable).name)}"

    def pod_labels(self, view: View, stable: Stable, challenger: Challenger) -> str:
        """Label selector of the challenger's pods."""
        return f"{_APP}{workload(view.name, challenger.name)}"

    def deployment_of(self, labels: str) -> str:
        """Name of the Deployment whose pods a label selector matches."""
        return labels.removeprefix(_APP)

    def converged(self, service: Json, stable: Stable, challenger: Challenger) -> View:
        """The view of a cluster that has applied the service's spec completely."""
        name, predictor = service["metadata"]["name"], service["spec"]["predictor"]
        serving = workload(name, predictor.get("name", ""))
        canaries = service["spec"].get("canary") or []
        names = [workload(name, canary["predictor"]["name"]) for canary in canaries]
        shares = dict(zip(names, (canary["trafficPercent"] for canary in canaries), strict=True))
        shares[serving] = 100 - sum(shares.values())
        pods = dict(zip(names, (canary["predictor"].get("minReplicas", 1) for canary in canaries), strict=True))
        pods[serving] = predictor.get("minReplicas") or 1
        status = {"canaryStatuses": [{"name": canary["predictor"]["name"], "ready": True} for canary in canaries]}
        route = accepted_route(name, shares)
        return View(service | {"status": status}, route, pods, gateway_converged=True, autoscaler_stabilized=True)


def _require_canary_support(view: View) -> None:
    """Raises TrafficError if the service can have no canary, or has one already."""
    if view.route is None:
        raise TrafficError(
            f"{view.name} has no HTTPRoute, so nothing would ever be sent to a canary: install the Gateway API and "
            "set enableGatewayApi in KServe's inferenceservice-config"
        )
    others = [part for part in ("transformer", "explainer") if view.service["spec"].get(part)]
    if others:
        raise TrafficError(f"{view.name} has a {others[0]}, whose route names no predictor: it can have no canary")
    canaries = view.service["spec"].get("canary") or []
    if canaries:
        names = ", ".join(canary["predictor"].get("name", "?") for canary in canaries)
        raise TrafficError(f"{view.name} has a canary of no rollout ({names}): give it weight 0 and remove it")


def _shift(view: View, now: Shares, goal: Goal, spec: StableSpec, challenger: Challenger) -> Step:
    """Adds pods to stable, then to the canary, then moves traffic."""
    canary = _canary(view, challenger)
    if canary is None and goal.aim is not Aim.STAGED:
        raise TrafficError(f"the canary {challenger.name} was removed from {view.name}")
    has = canary["predictor"].get("minReplicas", 1) if canary else 0
    pods = max(has, math.ceil(_full_pods(spec) * goal.percent / 100), 1)
    raised = _raised(spec, pods)
    if (view.predictor.get("minReplicas") or 1) < raised["minReplicas"]:
        return Patch({"spec": {"predictor": raised}}, f"pods of stable: {pods} more, which KServe takes for the canary")
    if has < pods:
        needed = _full_pods(spec) + pods - has
        if view.ready_pods.get(workload(view.name, spec.name), 0) < needed:
            return Wait(f"stable has fewer than {needed} ready pods")
        percent = canary["trafficPercent"] if canary else 0
        return Patch(_entry(view, challenger, percent, pods), f"pods of {challenger.name}: {pods}, at {percent} %")
    if not now.ready:
        return Wait(f"not all of the {pods} pods of {challenger.name} are ready")
    if canary and canary["trafficPercent"] != goal.percent:
        return Patch(_entry(view, challenger, goal.percent, pods), f"{goal.percent} % for {challenger.name}")
    if now.challenger != goal.percent:
        return Wait(f"the route does not show {goal.percent} % for {challenger.name}")
    return Done() if view.gateway_converged else Wait("the gateway may still use an older route")


def _promote(view: View, now: Shares, spec: StableSpec, challenger: Challenger) -> Step:
    canary = _canary(view, challenger)
    if canary is None or canary["trafficPercent"] != 100:
        raise TrafficError(f"{challenger.name} does not have 100 % of {view.name}, so it can not take over")
    if now.challenger != 100 or not now.ready or not view.gateway_converged:
        return Wait(f"the route does not yet show all traffic at a ready {challenger.name}")
    predictor = {"name": challenger.name, **_replicas_for_all_traffic(spec)}
    predictor["model"] = model_of(view.predictor, challenger.storage_uri, challenger.version)
    body = {"spec": {"predictor": predictor, "canary": _other_canaries(view, challenger)}}
    return Patch(body, f"{challenger.name} becomes stable")


def _after_promotion(view: View, spec: StableSpec, challenger: Challenger) -> Step:
    shares = weights(view.route)
    if shares is None or shares != {workload(view.name, challenger.name): 100}:
        return Wait(f"the route does not name {challenger.name} alone")
    if not view.gateway_converged:
        return Wait("the gateway may still use an older route")
    return _restore_replicas(view, spec) or Done()


def _withdraw(view: View, spec: StableSpec, challenger: Challenger) -> Step:
    """Takes back the share first and the pods afterwards: a Service that goes before its share loses requests."""
    if _has_taken_over(view, challenger):
        raise TrafficError(f"stable is {challenger.name} already: roll out the version before it to go back")
    canary = _canary(view, challenger)
    shares = weights(view.route)
    if canary is None:
        return _after_withdrawal(view, spec, challenger)
    if canary["trafficPercent"] > 0:
        if view.ready_pods.get(workload(view.name, spec.name), 0) == 0:
            return Wait("stable has no ready pod, so nothing is sent back to it")
        pods = canary["predictor"].get("minReplicas", 1)
        return Patch(_entry(view, challenger, 0, pods), f"0 % for {challenger.name}")
    if shares is None or shares.get(workload(view.name, challenger.name), 0) != 0 or not view.gateway_converged:
        return Wait(f"the route does not yet show 0 % for {challenger.name}")
    body = {"spec": {"canary": _other_canaries(view, challenger), "predictor": _replicas_for_all_traffic(spec)}}
    return Patch(body, f"{challenger.name} is withdrawn, stable has as many pods as before")


def _after_withdrawal(view: View, spec: StableSpec, challenger: Challenger) -> Step:
    shares = weights(view.route)
    if shares is None or workload(view.name, challenger.name) in shares:
        return Wait(f"the route still names {challenger.name}")
    missing = _restore_replicas(view, spec)
    if missing:
        return missing
    if view.ready_pods.get(workload(view.name, spec.name), 0) < _least_pods(spec):
        return Wait("stable does not have all its pods yet")
    return Done()


def _least_pods(spec: StableSpec) -> int:
    """Pods that stable has without any traffic."""
    return max(1, spec.min_replicas or 1)


def _full_pods(spec: StableSpec) -> int:
    """Pods that all of the traffic needed when the rollout began."""
    running = spec.pods or 0
    if spec.max_replicas is not None:
        # During a rolling update there are more for a while.
        running = min(running, spec.max_replicas)
    return max(_least_pods(spec), running)


def _replicas(spec: StableSpec) -> Json:
    return {"minReplicas": spec.min_replicas, "maxReplicas": spec.max_replicas}


def _replicas_for_all_traffic(spec: StableSpec) -> Json:
    """Stable's own limits, with a minimum that is enough for all of the traffic.

    The autoscaler does not know the load that is about to come: during the rollout it was kept at more pods than it
    requested, or it is new. With stable's own minimum it would remove pods just when they are needed.
    """
    replicas = _replicas(spec)
    return replicas | {"minReplicas": _full_pods(spec)} if _full_pods(spec) > _least_pods(spec) else replicas


def _restore_replicas(view: View, spec: StableSpec) -> Patch | Wait | None:
    """Restores stable's own limits once its autoscaler has seen the load; None if they are restored."""
    replicas = _replicas(spec)
    if all(view.predictor.get(name) == value for name, value in replicas.items()):
        return None
    if not view.autoscaler_stabilized and _replicas_for_all_traffic(spec) != replicas:
        return Wait("stable's autoscaler has not seen all of the traffic yet")
    return Patch({"spec": {"predictor": replicas}}, "stable's own number of pods is back")


def _raised(spec: StableSpec, pods: int) -> Json:
    """Stable's limits with so many additional pods."""
    limit = None if spec.max_replicas is None else spec.max_replicas + pods
    return {"minReplicas": _full_pods(spec) + pods, "maxReplicas": limit}


def _canary(view: View, challenger: Challenger) -> Json | None:
    """The challenger's entry in ``spec.canary``.

    Raises:
        TrafficError: Another bundle has its name.
    """
    canaries: list[Json] = view.service["spec"].get("canary") or []
    for canary in canaries:
        if canary["predictor"].get("name") == challenger.name:
            if storage_uri(canary["predictor"]) != challenger.storage_uri:
                bundle = storage_uri(canary["predictor"])
                raise TrafficError(f"the canary {challenger.name} has another bundle by now: {bundle}")
            return canary
    return None


def _other_canaries(view: View, challenger: Challenger) -> list[Json] | None:
    canaries = view.service["spec"].get("canary") or []
    return [canary for canary in canaries if canary["predictor"].get("name") != challenger.name] or None


def _entry(view: View, challenger: Challenger, percent: int, pods: int) -> Json:
    """A patch with the whole of ``spec.canary``: a merge patch replaces lists."""
    model = model_of(view.predictor, challenger.storage_uri, challenger.version)
    model |= {"name": _CONTAINER, "modelFormat": view.predictor["model"]["modelFormat"]}
    predictor = {"name": challenger.name, "minReplicas": pods, "model": model}
    own = {"trafficPercent": percent, "predictor": predictor}
    return {"spec": {"canary": [*(_other_canaries(view, challenger) or []), own]}}


def _has_taken_over(view: View, challenger: Challenger) -> bool:
    if view.predictor.get("name") != challenger.name or storage_uri(view.predictor) != challenger.storage_uri:
        return False
    return _canary(view, challenger) is None
