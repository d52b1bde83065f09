"""How many pods stable has in Standard mode: during a rollout, while the challenger is withdrawn, and afterwards."""

from __future__ import annotations

import json

from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.traffic.availability import replacing, slack
from content_arena.components.canary_rollout.traffic.mode import Patch, StableSpec, View, Wait


def least_pods(spec: StableSpec) -> int:
    """Pods that stable has without any traffic."""
    return max(1, spec.min_replicas or 1)


def full_pods(spec: StableSpec) -> int:
    """Pods that all of the traffic needed when the rollout began."""
    running = spec.pods or 0
    if spec.max_replicas is not None:
        # During a rolling update there are more for a while.
        running = min(running, spec.max_replicas)
    return max(least_pods(spec), running)


def replicas(spec: StableSpec) -> Json:
    """Stable's own limits."""
    return {"minReplicas": spec.min_replicas, "maxReplicas": spec.max_replicas}


def replicas_for_all_traffic(spec: StableSpec) -> Json:
    """Stable's own limits, with a minimum that is enough for all of the traffic.

    The autoscaler does not know the load that is about to come: during the rollout it was kept at more pods than it
    requested, or it is new. With stable's own minimum it would remove pods just when they are needed.
    """
    own = replicas(spec)
    return own | {"minReplicas": full_pods(spec)} if full_pods(spec) > least_pods(spec) else own


def with_more(limits: Json, pods: int) -> Json:
    """Limits of stable with so many additional pods."""
    least, most = limits["minReplicas"], limits["maxReplicas"]
    if not pods:
        return limits
    return {"minReplicas": (least or 1) + pods, "maxReplicas": None if most is None else most + pods}


def restore_settings(view: View, spec: StableSpec, kept: int = 0) -> Patch | Wait | None:
    """Restores stable's own settings once its autoscaler has seen the load; None if they are restored.

    Args:
        view: The service as just read.
        spec: Has stable's own settings.
        kept: Pods of the version before, which KServe takes off stable's. The slack stays as long as there are any.
    """
    own = with_more(replicas(spec), kept)
    is_scaled = all(view.predictor.get(name) == value for name, value in own.items())
    is_restored = bool(spec.strategy) and not kept
    strategy = json.loads(spec.strategy) if is_restored else view.predictor.get("deploymentStrategy")
    if is_scaled and view.predictor.get("deploymentStrategy") == strategy:
        return None
    if not is_scaled and not view.autoscaler_stabilized and replicas_for_all_traffic(spec) != replicas(spec):
        return Wait("stable's autoscaler has not seen all of the traffic yet")
    body = dict(own)
    if is_restored:
        body["deploymentStrategy"] = replacing(view.predictor.get("deploymentStrategy"), strategy)
    return Patch({"spec": {"predictor": body}}, "stable's own number of pods is back")


def raised(spec: StableSpec, pods: int) -> Json:
    """Stable's limits with so many additional pods, and the slack that keeps the route moving."""
    limit = None if spec.max_replicas is None else spec.max_replicas + pods
    limits: Json = {"minReplicas": full_pods(spec) + pods, "maxReplicas": limit}
    return limits | {"deploymentStrategy": slack(1)} if spec.strategy else limits
