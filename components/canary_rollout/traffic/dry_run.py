"""What a rollout would write, in a cluster that follows at once; the API server says whether it would take it.

Pure but for :func:`validated`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from content_arena.components.canary_rollout.kube.client import AwayError, ClusterError, Json
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Stable
from content_arena.components.canary_rollout.traffic.mode import (
    Aim,
    Goal,
    Mode,
    Patch,
    TrafficError,
    View,
    storage_uri,
)
from content_arena.components.canary_rollout.traffic.mover import Mover
from content_arena.components.canary_rollout.traffic.standard import Standard, workload

_MAX_PATCHES = 10
_REVISION = "the-challengers"


@dataclass(frozen=True)
class Rehearsed:
    """One patch of a rollout.

    Attributes:
        goal: On the way to what.
        patch: What would be written.
        whole: That and all before it, as one JSON merge patch to the service as it is today.
        objection: The API server's words if it would not take it today; empty if it would.
    """

    goal: Goal
    patch: Patch
    whole: Patch
    objection: str = ""


def rehearse(
    mode: Mode, view: View, stable: Stable, challenger: Challenger, parameters: Parameters
) -> Iterator[Rehearsed]:
    """Every patch from here to the promotion, in order.

    Raises:
        TrafficError: There is no way.
    """
    goals = [
        Goal(Aim.STAGED),
        *(Goal(Aim.SHIFTED, percent) for percent in parameters.path[1:]),
        Goal(Aim.PROMOTED, 100),
    ]
    service, whole = view.service, {}
    for goal in goals:
        for _ in range(_MAX_PATCHES):
            step = mode.next_step(_followed(mode, service, stable, challenger), goal, stable, challenger)
            if not isinstance(step, Patch):
                break
            whole = _merged(whole, step.body, keeps_null=True)
            yield Rehearsed(goal, step, Patch(whole, step.why))
            service = _merged(service, step.body)
        else:
            raise TrafficError(f"{goal} takes more than {_MAX_PATCHES} patches")


def validated(mover: Mover, view: View, rehearsed: Rehearsed) -> Rehearsed:
    """With what the API server says to it and all before it, as a dry run against the service as it is today.

    Raises:
        ClusterError: It would not take it. The last patch is an exception: a guard against promotions of what has never
            been a canary is right to refuse it today.
    """
    try:
        mover.check(view, rehearsed.whole)
    except AwayError:
        raise
    except ClusterError as error:
        if rehearsed.goal.aim is not Aim.PROMOTED:
            raise
        return replace(rehearsed, objection=str(error))
    return rehearsed


def _followed(mode: Mode, service: Json, stable: Stable, challenger: Challenger) -> View:
    """The service in a cluster that has done all that its spec asks for."""
    if mode.name == Standard.name:
        return _standard(service)
    predictor = service["spec"]["predictor"]
    is_challenger = storage_uri(predictor) == challenger.storage_uri
    latest = _REVISION if is_challenger else stable.revision
    percent = predictor.get("canaryTrafficPercent")
    shares = {latest: 100 if percent is None else percent}
    shares[stable.revision] = shares.get(stable.revision, 0) + 100 - sum(shares.values())
    serving = {
        "latestCreatedRevision": latest,
        "latestReadyRevision": latest,
        "traffic": [{"revisionName": name, "percent": share} for name, share in shares.items() if share],
    }
    status = {"observedGeneration": service["metadata"].get("generation"), "components": {"predictor": serving}}
    return View(service | {"status": status}, gateway_converged=True, autoscaler_stabilized=True)


def _standard(service: Json) -> View:
    name, predictor = service["metadata"]["name"], service["spec"]["predictor"]
    canaries = service["spec"].get("canary") or []
    given = {workload(name, canary["predictor"]["name"]): canary["trafficPercent"] for canary in canaries}
    weights = given | {workload(name, predictor.get("name", "")): 100 - sum(given.values())}
    pods = {
        workload(name, canary["predictor"]["name"]): canary["predictor"].get("minReplicas", 1) for canary in canaries
    }
    pods[workload(name, predictor.get("name", ""))] = predictor.get("minReplicas") or 1
    refs = [{"name": key, "weight": weight} for key, weight in weights.items()]
    accepted = {"parents": [{"conditions": [{"type": "Accepted", "status": "True"}]}]}
    route = {"metadata": {"name": name}, "spec": {"rules": [{"backendRefs": refs}]}, "status": accepted}
    status = {"canaryStatuses": [{"name": canary["predictor"]["name"], "ready": True} for canary in canaries]}
    return View(service | {"status": status}, route, pods, gateway_converged=True, autoscaler_stabilized=True)


def _merged(target: Any, patch: Any, *, keeps_null: bool = False) -> Any:  # noqa: ANN401
    """RFC 7386; ``keeps_null`` where the target is a patch itself, and what the second takes away is to be told."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None and not keeps_null:
            found.pop(key, None)
        else:
            found[key] = _merged(found.get(key), value, keeps_null=keeps_null)
    return found
