"""The challenger's entry in ``spec.canary``, in Standard mode."""

from __future__ import annotations

from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.plan.state import Challenger
from content_arena.components.canary_rollout.traffic.availability import slack
from content_arena.components.canary_rollout.traffic.mode import TrafficError, View
from content_arena.components.canary_rollout.traffic.model import Model, model_of, runtime_of, storage_uri

#: KServe merges a canary's model into the serving container of this name, and its definition requires it.
_CONTAINER = "kserve-container"


def canary_of(view: View, challenger: Challenger) -> Json | None:
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


def other_canaries(view: View, name: str) -> list[Json] | None:
    """The entries of ``spec.canary`` but the one with this name; None if there are none."""
    canaries = view.service["spec"].get("canary") or []
    return [canary for canary in canaries if canary["predictor"].get("name") != name] or None


def entry(view: View, challenger: Challenger, percent: int, pods: int) -> Json:
    """A patch with the whole of ``spec.canary``: a merge patch replaces lists."""
    own = entry_of(view, challenger, percent, pods)
    return {"spec": {"canary": [*(other_canaries(view, challenger.name) or []), own]}}


def entry_of(view: View, challenger: Challenger, percent: int, pods: int, serving_runtime: str = "") -> Json:
    """A version's entry in ``spec.canary``.

    Args:
        view: The service as just read.
        challenger: The version.
        percent: Its share.
        pods: Its pods.
        serving_runtime: The runtime that stable gets in the same patch; empty if it keeps its own. An entry without a
            runtime has stable's.
    """
    model = model_of(view.predictor, Model.of(challenger))
    serving = serving_runtime or runtime_of(view.predictor)
    if challenger.runtime not in ("", serving):
        model["runtime"] = challenger.runtime
    model |= {"name": _CONTAINER, "modelFormat": view.predictor["model"]["modelFormat"]}
    # Its own strategy: with stable's slack, a canary of one pod would count as ready without any.
    predictor = {"name": challenger.name, "minReplicas": pods, "model": model, "deploymentStrategy": slack(0)}
    return {"trafficPercent": percent, "predictor": predictor}


def has_taken_over(view: View, challenger: Challenger) -> bool:
    """Whether the challenger is stable."""
    if view.predictor.get("name") != challenger.name or storage_uri(view.predictor) != challenger.storage_uri:
        return False
    return canary_of(view, challenger) is None
