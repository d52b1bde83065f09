"""The version before a promotion, kept at 0 % for a while in Standard mode, so that an undo needs no new pods.

KServe takes the ready pods of a canary off stable's even at 0 %. Therefore stable is asked for as many more.
"""

from __future__ import annotations

from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.plan.state import Challenger, Stable
from content_arena.components.canary_rollout.traffic.canary_entry import other_canaries
from content_arena.components.canary_rollout.traffic.capacity import (
    raised,
    replicas,
    replicas_for_all_traffic,
    restore_settings,
    with_more,
)
from content_arena.components.canary_rollout.traffic.mode import (
    Done,
    Patch,
    StableSpec,
    Step,
    TrafficError,
    View,
    Wait,
)
from content_arena.components.canary_rollout.traffic.model import runtime_of, storage_uri
from content_arena.components.canary_rollout.traffic.routes import weights, workload


def former(stable: Stable) -> Challenger:
    """What served before, as the variant that an undo brings back."""
    spec = StableSpec.of(stable)
    return Challenger(stable.version, stable.storage_uri, spec.sha256, spec.runtime)


def kept_entry(view: View, name: str, uri: str | None = None) -> Json | None:
    """The entry of a kept variant in ``spec.canary``; None if it is gone, or has another bundle by now."""
    for canary in view.service["spec"].get("canary") or []:
        predictor = canary["predictor"]
        if predictor.get("name") == name and uri in (None, storage_uri(predictor)):
            entry: Json = canary
            return entry
    return None


def kept_runtime_differs(view: View, spec: StableSpec, challenger: Challenger) -> bool:
    """Whether the kept variant is the challenger with another runtime: then its pods are no use for a rollout."""
    entry, serving = kept_entry(view, spec.kept) if spec.kept else None, runtime_of(view.predictor)
    if entry is None or challenger.name != spec.kept:
        return False
    return (runtime_of(entry["predictor"]) or serving) != (challenger.runtime or serving)


def pods_of(entry: Json | None) -> int:
    """Pods of a kept variant."""
    return int(entry["predictor"].get("minReplicas", 1)) if entry else 0


def own_limits(view: View, kept: int, before: StableSpec) -> StableSpec:
    """Stable's own limits while another variant is kept: without the pods that were added for it."""
    now, own = view.predictor, with_more(replicas(before), kept)
    is_as_left = all(now.get(name) == value for name, value in own.items())
    if is_as_left:
        return before
    least, most = now.get("minReplicas"), now.get("maxReplicas")
    return StableSpec(
        name=before.name,
        min_replicas=None if least is None else max(1, least - kept),
        max_replicas=None if most is None else max(1, most - kept),
        strategy=before.strategy,
    )


def without_kept(view: View, spec: StableSpec, pods: int = 0) -> Patch | None:
    """Lets go of a variant that the last promotion kept, at the beginning of another rollout; None if it is gone.

    Args:
        view: The service as just read.
        spec: As the rollout began.
        pods: How many more pods stable gets in the same patch.
    """
    if not spec.kept or kept_entry(view, spec.kept) is None:
        return None
    limits = raised(spec, pods) if pods else replicas_for_all_traffic(spec)
    body = {"spec": {"canary": other_canaries(view, spec.kept), "predictor": limits}}
    return Patch(body, f"{spec.kept} is no longer kept")


def let_go(view: View, spec: StableSpec, before: Challenger, challenger: Challenger) -> Step:
    """What is missing until the version before is gone. It has had no traffic since the promotion.

    Raises:
        TrafficError: It has a share: somebody gave it one.
    """
    entry, shares = kept_entry(view, before.name, before.storage_uri), weights(view.route)
    if entry is not None and entry["trafficPercent"] > 0:
        raise TrafficError(f"{before.name} was kept at 0 % and has {entry['trafficPercent']} %: it is left alone")
    if shares is None or shares.get(workload(view.name, challenger.name)) != 100:
        return Wait(f"the route does not show all traffic at {challenger.name}")
    if entry is not None:
        pods = pods_of(entry)
        # Before the autoscaler has seen the load, stable keeps the pods that all of the traffic needs.
        is_settled = view.predictor.get("minReplicas") == with_more(replicas(spec), pods)["minReplicas"]
        limits = replicas(spec) if is_settled else replicas_for_all_traffic(spec)
        body = {"spec": {"canary": other_canaries(view, before.name), "predictor": limits}}
        return Patch(body, f"{before.name} is no longer kept")
    if workload(view.name, before.name) in shares or not view.gateway_converged:
        return Wait(f"the route still names {before.name}")
    return restore_settings(view, spec) or Done()
