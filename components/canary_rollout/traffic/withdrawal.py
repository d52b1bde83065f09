"""How a challenger is taken back in Standard mode: its share first, its pods afterwards."""

from __future__ import annotations

from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.plan.state import Challenger
from content_arena.components.canary_rollout.traffic.availability import frozen, max_unavailable, standing
from content_arena.components.canary_rollout.traffic.canary_entry import (
    canary_of,
    entry,
    has_taken_over,
    other_canaries,
)
from content_arena.components.canary_rollout.traffic.capacity import (
    least_pods,
    replicas_for_all_traffic,
    restore_settings,
)
from content_arena.components.canary_rollout.traffic.kept import without_kept
from content_arena.components.canary_rollout.traffic.mode import (
    Done,
    Patch,
    StableSpec,
    Step,
    TrafficError,
    View,
    Wait,
)
from content_arena.components.canary_rollout.traffic.routes import weights, workload


def withdraw(view: View, spec: StableSpec, challenger: Challenger) -> Step:
    """Takes back the share first and the pods afterwards: a Service that goes before its share loses requests."""
    if has_taken_over(view, challenger):
        raise TrafficError(f"stable is {challenger.name} already: roll out the version before it to go back")
    canary = canary_of(view, challenger)
    shares = weights(view.route)
    if canary is None:
        return _after_withdrawal(view, spec, challenger)
    given_back = _given_back(view, spec, challenger)
    if canary["trafficPercent"] > 0:
        if view.ready_pods.get(workload(view.name, spec.name), 0) == 0:
            return Wait("stable has no ready pod, so nothing is sent back to it")
        return Patch(_without_traffic(view, canary, challenger, given_back), f"0 % for {challenger.name}")
    is_moved = shares is not None and shares.get(workload(view.name, challenger.name), 0) == 0
    if not is_moved or not view.gateway_converged:
        if given_back and not is_moved:
            why = f"fewer pods of stable, so that the route shows 0 % for {challenger.name}"
            return Patch(_without_traffic(view, canary, challenger, given_back), why)
        return Wait(f"the route does not yet show 0 % for {challenger.name}{standing(view)}")
    body = {"spec": {"canary": other_canaries(view, challenger.name), "predictor": replicas_for_all_traffic(spec)}}
    return Patch(body, f"{challenger.name} is withdrawn, stable has as many pods as before")


def _without_traffic(view: View, canary: Json, challenger: Challenger, given_back: Json) -> Json:
    """The patch that takes a canary's share away, and gives capacity back that stable does not get anyway."""
    pods = canary["predictor"].get("minReplicas", 1)
    if given_back:
        # KServe takes a canary's ready pods off stable's, and those that are not ready might become so.
        pods = max(1, min(pods, view.ready_pods.get(workload(view.name, challenger.name), 0)))
    body = entry(view, challenger, 0, pods)
    return {"spec": body["spec"] | {"predictor": given_back}} if given_back else body


def _given_back(view: View, spec: StableSpec, challenger: Challenger) -> Json:
    """Limits of stable that its ready pods meet; empty unless missing pods keep the route from moving.

    KServe would leave users with the challenger for as long as stable's pods are missing, on a full node for ever.
    """
    ready = view.ready_pods.get(workload(view.name, spec.name), 0)
    if not frozen(view) or ready == 0:
        return {}
    taken = view.ready_pods.get(workload(view.name, challenger.name), 0)
    least = ready + max_unavailable(view.predictor, ready) + taken
    limit = None if spec.max_replicas is None else least
    has, may = view.predictor.get("minReplicas") or 1, view.predictor.get("maxReplicas")
    is_lower = has > least or (limit is not None and may is not None and may > limit)
    return {"minReplicas": min(has, least), "maxReplicas": limit} if is_lower else {}


def _after_withdrawal(view: View, spec: StableSpec, challenger: Challenger) -> Step:
    gone = without_kept(view, spec)
    if gone is not None:
        return gone
    shares = weights(view.route)
    if shares is None or workload(view.name, challenger.name) in shares:
        return Wait(f"the route still names {challenger.name}{standing(view)}")
    missing = restore_settings(view, spec)
    if missing:
        return missing
    if view.ready_pods.get(workload(view.name, spec.name), 0) < least_pods(spec):
        return Wait("stable does not have all its pods yet")
    return Done()
