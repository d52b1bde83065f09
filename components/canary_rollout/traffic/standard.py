"""Standard mode: Deployments, ``spec.canary``, and an HTTPRoute that carries the weights.

KServe subtracts a canary's ready pods from stable's. Therefore stable gets as many additional pods before the canary
gets any, and keeps them as long as there is a canary. How many pods a share needs is computed from the pods that stable
had when the rollout began. ``minReplicas`` would be wrong: a canary has a fixed number of pods, and an autoscaler may
have raised stable's far above its minimum.

KServe leaves the route alone while ``PredictorReady`` is False, which it is as soon as more of stable's pods are
missing than a rolling update may take away. So that number is 1 during a rollout, unless stable has a single pod. If
more of them are missing, stable is asked for fewer in the same patch that takes the challenger's share away.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace

from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.plan.state import Challenger, Stable
from content_arena.components.canary_rollout.traffic.availability import (
    frozen,
    max_unavailable,
    needs_slack,
    standing,
)
from content_arena.components.canary_rollout.traffic.canary_entry import (
    canary_of,
    entry,
    entry_of,
    has_taken_over,
    other_canaries,
)
from content_arena.components.canary_rollout.traffic.capacity import (
    full_pods,
    least_pods,
    raised,
    replicas_for_all_traffic,
    restore_settings,
)
from content_arena.components.canary_rollout.traffic.kept import (
    former,
    kept_entry,
    kept_runtime_differs,
    let_go,
    own_limits,
    pods_of,
    without_kept,
)
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
)
from content_arena.components.canary_rollout.traffic.model import (
    Model,
    configured_sha256,
    configured_version,
    model_of,
    runtime_of,
    storage_uri,
    version_of,
)
from content_arena.components.canary_rollout.traffic.routes import accepted_route, weights, workload
from content_arena.components.canary_rollout.traffic.stopped import stopped
from content_arena.components.canary_rollout.traffic.withdrawal import withdraw

_APP = "app=isvc."


class Standard:
    """See :class:`~content_arena.components.canary_rollout.traffic.mode.Mode`."""

    name = "Standard"

    def reads(self) -> frozenset[Part]:
        """The route has the shares; the Deployments have the ready pods."""
        return frozenset({Part.ROUTE, Part.READY_PODS})

    def stable(self, view: View, before: Stable | None = None) -> Stable:
        """What serves now."""
        if stopped(view.service):
            raise TrafficError(stopped(view.service))
        kept = kept_entry(view, former(before).name, before.storage_uri) if before is not None else None
        _require_canary_support(view, kept)
        predictor = view.predictor
        serving = workload(view.name, predictor.get("name", ""))
        shares = weights(view.route)
        if kept is not None and before is not None and shares is not None:
            shares = {name: share for name, share in shares.items() if share or name == serving}
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
            sha256=configured_sha256(predictor),
            runtime=runtime_of(predictor),
            pods=view.ready_pods.get(serving, 0),
        )
        if kept is not None and before is not None:
            own = own_limits(view, pods_of(kept), StableSpec.of(before))
            spec = replace(
                spec, min_replicas=own.min_replicas, max_replicas=own.max_replicas, strategy=own.strategy,
                kept=former(before).name,
            )  # fmt: skip
        elif needs_slack(predictor, full_pods(spec)):
            spec = replace(spec, strategy=json.dumps(predictor.get("deploymentStrategy")))
        return Stable(version_of(predictor), storage_uri(predictor), spec.as_state())

    def shares(self, view: View, stable: Stable, challenger: Challenger) -> Shares:
        """What users get."""
        shares, spec = weights(view.route), StableSpec.of(stable)
        own = workload(view.name, challenger.name)
        canary = canary_of(view, challenger)
        wanted = canary["predictor"].get("minReplicas", 1) if canary else least_pods(spec)
        ready = view.ready_pods.get(own, 0) >= wanted
        if canary is None:
            # Pods that are left of an entry that was just removed are none of this rollout's.
            ready = ready and has_taken_over(view, challenger)
        else:
            ready = ready and not kept_runtime_differs(view, spec, challenger)
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
            return withdraw(view, spec, challenger)
        if goal.aim is Aim.ALONE:
            return let_go(view, spec, former(stable), challenger)
        if goal.aim is Aim.PROMOTED and has_taken_over(view, challenger):
            return _after_promotion(view, spec, challenger, former(stable))
        if view.predictor.get("name", "") != spec.name or storage_uri(view.predictor) != stable.storage_uri:
            raise TrafficError(
                f"{view.name} serves {storage_uri(view.predictor)}, the rollout began with {stable.storage_uri}"
            )
        now = self.shares(view, stable, challenger)
        if goal.aim is Aim.PROMOTED:
            return _promote(view, now, spec, challenger, former(stable) if goal.keeps else None)
        return _shift(view, now, goal, spec, challenger)

    def is_kept(self, view: View, stable: Stable) -> bool:
        """Whether what served before the rollout has its pods still, though the challenger has taken over."""
        before = former(stable)
        return kept_entry(view, before.name, before.storage_uri) is not None

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

    def caveats(self, view: View, stable: Stable) -> tuple[str, ...]:
        """That the service is stopped, or that the route stands still, or that it may."""
        if stopped(view.service):
            return (stopped(view.service),)
        spec, why = StableSpec.of(stable), frozen(view)
        lines = [f"KServe does not change the HTTPRoute of {view.name} while {why}"] if why else []
        if max_unavailable(view.predictor, full_pods(spec)) == 0 and not spec.strategy:
            lines.append(
                f"KServe does not change the HTTPRoute of {view.name} while one of stable's pods is missing: with two "
                "pods or more and deploymentStrategy RollingUpdate one may be"
            )
        return tuple(lines)

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


def _require_canary_support(view: View, kept: Json | None = None) -> None:
    """Raises TrafficError if the service can have no canary, or has one already that no promotion kept at 0 %."""
    if view.route is None:
        raise TrafficError(
            f"{view.name} has no HTTPRoute, so nothing would ever be sent to a canary: install the Gateway API and "
            "set enableGatewayApi in KServe's inferenceservice-config. A service with disableIngressCreation there, or "
            "with the label networking.kserve.io/visibility: cluster-local, has none either"
        )
    others = [part for part in ("transformer", "explainer") if view.service["spec"].get(part)]
    if others:
        raise TrafficError(f"{view.name} has a {others[0]}, whose route names no predictor: it can have no canary")
    canaries = view.service["spec"].get("canary") or []
    if kept is not None and kept["trafficPercent"] == 0:
        canaries = [canary for canary in canaries if canary is not kept]
    if canaries:
        names = ", ".join(canary["predictor"].get("name", "?") for canary in canaries)
        raise TrafficError(f"{view.name} has a canary of no rollout ({names}): give it weight 0 and remove it")


def _shift(view: View, now: Shares, goal: Goal, spec: StableSpec, challenger: Challenger) -> Step:
    """Adds pods to stable, then to the canary, then moves traffic."""
    if challenger.name != spec.kept or kept_runtime_differs(view, spec, challenger):
        gone = without_kept(view, spec, pods=1)
        if gone is not None:
            return gone
    canary = canary_of(view, challenger)
    if canary is None and goal.aim is not Aim.STAGED:
        raise TrafficError(f"the canary {challenger.name} was removed from {view.name}")
    has = canary["predictor"].get("minReplicas", 1) if canary else 0
    pods = max(has, math.ceil(full_pods(spec) * goal.percent / 100), 1)
    limits = raised(spec, pods)
    if (view.predictor.get("minReplicas") or 1) < limits["minReplicas"]:
        return Patch({"spec": {"predictor": limits}}, f"pods of stable: {pods} more, which KServe takes for the canary")
    if has < pods:
        needed = full_pods(spec) + pods - has
        if view.ready_pods.get(workload(view.name, spec.name), 0) < needed:
            return Wait(f"stable has fewer than {needed} ready pods")
        if canary is None and _is_still_reported(view, challenger.name):
            # The guard of the manifests refuses the entry until then: the status would tell of an older one.
            return Wait(f"status.canaryStatuses still lists an earlier {challenger.name}")
        percent = canary["trafficPercent"] if canary else 0
        return Patch(entry(view, challenger, percent, pods), f"pods of {challenger.name}: {pods}, at {percent} %")
    if not now.ready:
        return Wait(f"not all of the {pods} pods of {challenger.name} are ready")
    if canary and canary["trafficPercent"] != goal.percent:
        return Patch(entry(view, challenger, goal.percent, pods), f"{goal.percent} % for {challenger.name}")
    if now.challenger != goal.percent:
        unfollowed = 0.0 if frozen(view) else view.requested_seconds
        return Wait(f"the HTTPRoute does not show {goal.percent} % for {challenger.name}{standing(view)}", unfollowed)
    return Done() if view.gateway_converged else Wait("the gateway may still use an older route")


def _is_still_reported(view: View, name: str) -> bool:
    statuses = view.service.get("status", {}).get("canaryStatuses") or []
    return any(status["name"] == name for status in statuses)


def _promote(view: View, now: Shares, spec: StableSpec, challenger: Challenger, kept: Challenger | None = None) -> Step:
    """Makes the challenger stable. What served before goes, or becomes a canary of 0 % with the pods that it has."""
    canary = canary_of(view, challenger)
    if canary is None or canary["trafficPercent"] != 100:
        raise TrafficError(f"{challenger.name} does not have 100 % of {view.name}, so it can not take over")
    if now.challenger != 100 or not now.ready or not view.gateway_converged:
        return Wait(f"the route does not yet show all traffic at a ready {challenger.name}{standing(view)}")
    predictor = {"name": challenger.name, **replicas_for_all_traffic(spec)}
    predictor["model"] = model_of(view.predictor, Model.of(challenger))
    canaries = other_canaries(view, challenger.name)
    if kept is None:
        body = {"spec": {"predictor": predictor, "canary": canaries}}
        return Patch(body, f"{challenger.name} becomes stable")
    pods = full_pods(spec)
    body = {"spec": {"predictor": predictor | raised(spec, pods), "canary": [
        *(canaries or []), entry_of(view, kept, 0, pods, challenger.runtime)
    ]}}  # fmt: skip
    return Patch(body, f"{challenger.name} becomes stable, {kept.name} keeps its pods at 0 %")


def _after_promotion(view: View, spec: StableSpec, challenger: Challenger, before: Challenger) -> Step:
    shares, kept = weights(view.route), kept_entry(view, before.name, before.storage_uri)
    alone = {workload(view.name, challenger.name): 100}
    if shares is None or shares not in (alone, alone | {workload(view.name, before.name): 0} if kept else alone):
        return Wait(f"the route does not show all traffic at {challenger.name}{standing(view)}")
    if not view.gateway_converged:
        return Wait("the gateway may still use an older route")
    return restore_settings(view, spec, pods_of(kept)) or Done()
