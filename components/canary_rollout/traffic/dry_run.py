"""The patches that a rollout would write, in a cluster that applies each one at once.

The API server validates the patches; nothing is stored. Everything but :func:`validated` is pure.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

from content_arena.components.canary_rollout.kube.client import AwayError, ClusterError, Json
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Stable
from content_arena.components.canary_rollout.traffic.mode import Aim, Goal, Mode, Patch, TrafficError, View
from content_arena.components.canary_rollout.traffic.mover import Mover

_MAX_PATCHES = 10


@dataclass(frozen=True)
class PlannedPatch:
    """One patch of a rollout.

    Attributes:
        goal: The goal that it helps to reach.
        patch: What would be written.
        whole: This patch and all before it, as one JSON merge patch to the service as it is today.
        objection: The API server's message if it would refuse it today; empty if it would accept it.
    """

    goal: Goal
    patch: Patch
    whole: Patch
    objection: str = ""


def planned_patches(
    mode: Mode, view: View, stable: Stable, challenger: Challenger, parameters: Parameters
) -> Iterator[PlannedPatch]:
    """Every patch from here to the promotion, in order.

    Raises:
        TrafficError: A goal can not be reached.
    """
    goals = [
        Goal(Aim.STAGED),
        *(Goal(Aim.SHIFTED, percent) for percent in parameters.path[1:]),
        Goal(Aim.PROMOTED, 100, keeps=parameters.keep_seconds > 0),
    ]
    service: Json = view.service
    whole: Json = {}
    for goal in goals:
        for _ in range(_MAX_PATCHES):
            step = mode.next_step(mode.converged(service, stable, challenger), goal, stable, challenger)
            if not isinstance(step, Patch):
                break
            whole = _merged(whole, step.body, keeps_null=True)
            yield PlannedPatch(goal, step, Patch(whole, step.why))
            service = _merged(service, step.body)
        else:
            raise TrafficError(f"{goal} takes more than {_MAX_PATCHES} patches")


def validated(mover: Mover, view: View, planned: PlannedPatch) -> PlannedPatch:
    """Has the API server check a patch and all before it, as a dry run against the service as it is today.

    A policy that lets a new model in without users alone, which is right, refuses the sum of the patches up to a share.
    After the first patch the API server may therefore take the patch by itself instead.

    Raises:
        ClusterError: It would refuse the patch. The promotion is an exception: an admission webhook that only promotes
            what has been a canary is right to refuse it today, so its message is kept as an objection.
    """
    try:
        mover.check(view, planned.whole)
    except AwayError:
        raise
    except ClusterError as error:
        if planned.goal.aim is Aim.STAGED or not _is_taken_alone(mover, view, planned.patch):
            if planned.goal.aim is not Aim.PROMOTED:
                raise
            return replace(planned, objection=str(error))
    return planned


def _is_taken_alone(mover: Mover, view: View, patch: Patch) -> bool:
    try:
        mover.check(view, patch)
    except AwayError:
        raise
    except ClusterError:
        return False
    return True


def _merged(target: Json | None, patch: Json, *, keeps_null: bool = False) -> Json:
    """Applies a JSON merge patch (RFC 7386).

    Args:
        target: What the patch is applied to; None for nothing.
        patch: The patch.
        keeps_null: Keep deletions as nulls, for a target that is a patch itself.
    """
    found = dict(target or {})
    for key, value in patch.items():
        if value is None and not keeps_null:
            found.pop(key, None)
        elif isinstance(value, dict):
            before = found.get(key)
            found[key] = _merged(before if isinstance(before, dict) else None, value, keeps_null=keeps_null)
        else:
            found[key] = copy.deepcopy(value)
    return found
