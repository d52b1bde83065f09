"""Knative mode: revisions, and ``canaryTrafficPercent`` between the latest revision and the one before.

Knative's "latest" means the latest revision that is ready. So the share that it reports for "latest" may be stable's.
Here the name of the revision decides: the challenger's is the latest created revision that is not stable's.

``status.observedGeneration`` is the Knative Service's own counter, so it tells nothing about whether the status
describes the present spec. Names and traffic entries do: a status that is too old names no revision of the challenger,
or another share than the one that was set.
"""

from __future__ import annotations

import json

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
from content_arena.components.canary_rollout.traffic.stopped import stopped

_REVISION_LABEL = "serving.knative.dev/revision="
#: Name of the challenger's revision in a view that no cluster produced.
_CONVERGED_REVISION = "the-challengers"


class Knative:
    """See :class:`~content_arena.components.canary_rollout.traffic.mode.Mode`."""

    name = "Knative"

    def reads(self) -> frozenset[Part]:
        """Nothing: the status of the service has shares and readiness."""
        return frozenset()

    def stable(self, view: View, before: Stable | None = None) -> Stable:
        """What serves now. Nothing is kept in this mode."""
        if stopped(view.service):
            raise TrafficError(stopped(view.service))
        predictor, serving = view.predictor, _component(view)
        revision = serving.get("latestReadyRevision", "")
        is_alone = revision and _percentages(view) == {revision: 100}
        if predictor.get("canaryTrafficPercent") is not None or not is_alone or not _is_latest_ready(view):
            raise TrafficError(
                f"{view.name} is in the middle of a change: one ready revision has to have all traffic, and "
                "canaryTrafficPercent to be unset; "
                f"it is {predictor.get('canaryTrafficPercent')}, with {_percentages(view)}"
            )
        spec = StableSpec(
            name=predictor.get("name", ""),
            min_replicas=predictor.get("minReplicas"),
            max_replicas=predictor.get("maxReplicas"),
            configured_version=configured_version(predictor),
            sha256=configured_sha256(predictor),
            runtime=runtime_of(predictor),
            revision=revision,
        )
        return Stable(version_of(predictor), storage_uri(predictor), spec.as_state())

    def shares(self, view: View, stable: Stable, challenger: Challenger) -> Shares:
        """What users get."""
        revision = _revision(view, stable, challenger)
        is_ready = bool(revision) and _is_latest_ready(view)
        if _strangers(view, stable, challenger):
            return Shares(None, is_ready)
        return Shares(_percentages(view).get(revision, 0) if revision else 0, is_ready)

    def next_step(self, view: View, goal: Goal, stable: Stable, challenger: Challenger) -> Step:
        """What is missing to reach a goal."""
        if goal.aim is Aim.ALONE:
            return Done()
        serves = storage_uri(view.predictor)
        if serves not in (stable.storage_uri, challenger.storage_uri):
            raise TrafficError(f"{view.name} serves {serves}, the rollout began with {stable.storage_uri}")
        if goal.aim is Aim.ROLLED_BACK:
            step = _restore if serves == stable.storage_uri else _withdraw
            return step(view, stable, challenger)
        if goal.aim is Aim.STAGED and serves == stable.storage_uri:
            # Both in one patch: a new model without a percentage would get all of the traffic.
            model = model_of(view.predictor, Model.of(challenger))
            body = {"spec": {"predictor": {"canaryTrafficPercent": 0, "model": model}}}
            return Patch(body, f"version {challenger.version} starts at 0 %")
        if serves != challenger.storage_uri:
            raise TrafficError(f"version {challenger.version} was removed from {view.name}")
        now = self.shares(view, stable, challenger)
        if goal.aim is Aim.PROMOTED:
            return _promote(view, now, challenger)
        if strangers := _strangers(view, stable, challenger):
            why = f"users are sent to {', '.join(strangers)}, a revision of neither version"
            return Wait(why, view.requested_seconds)
        return _shift(view, now, goal, challenger)

    def is_kept(self, view: View, stable: Stable) -> bool:
        """Never: Knative lets go of a revision as soon as ``canaryTrafficPercent`` is cleared."""
        return False

    def route_key(self, view: View) -> str:
        """A text that is equal for two views if the gateway has the same configuration in both."""
        return json.dumps(_percentages(view), sort_keys=True)

    def stable_labels(self, view: View, stable: Stable) -> str:
        """Label selector of stable's pods; empty if the revision is not known."""
        revision = StableSpec.of(stable).revision
        return f"{_REVISION_LABEL}{revision}" if revision else ""

    def pod_labels(self, view: View, stable: Stable, challenger: Challenger) -> str:
        """Label selector of the challenger's pods; empty while the status names no revision of it."""
        revision = _revision(view, stable, challenger)
        return f"{_REVISION_LABEL}{revision}" if revision else ""

    def deployment_of(self, labels: str) -> str:
        """Name of the Deployment whose pods a label selector matches."""
        return f"{labels.removeprefix(_REVISION_LABEL)}-deployment"

    def caveats(self, view: View, stable: Stable) -> tuple[str, ...]:
        """That the service is stopped. Knative moves traffic whatever the state of the pods."""
        return tuple(filter(None, (stopped(view.service),)))

    def converged(self, service: Json, stable: Stable, challenger: Challenger) -> View:
        """The view of a cluster that has applied the service's spec completely."""
        predictor, before = service["spec"]["predictor"], StableSpec.of(stable).revision
        latest = _CONVERGED_REVISION if storage_uri(predictor) == challenger.storage_uri else before
        percent = predictor.get("canaryTrafficPercent")
        shares = {latest: 100 if percent is None else percent}
        shares[before] = shares.get(before, 0) + 100 - sum(shares.values())
        serving = {
            "latestCreatedRevision": latest,
            "latestReadyRevision": latest,
            "traffic": [{"revisionName": name, "percent": share} for name, share in shares.items() if share],
        }
        return View(
            service | {"status": {"components": {"predictor": serving}}},
            gateway_converged=True,
            autoscaler_stabilized=True,
        )


def _shift(view: View, now: Shares, goal: Goal, challenger: Challenger) -> Step:
    percent = view.predictor.get("canaryTrafficPercent")
    if percent is None:
        raise TrafficError(f"canaryTrafficPercent of {view.name} was cleared: version {challenger.version} has all")
    if not now.ready:
        return Wait(f"the revision of version {challenger.version} is not ready")
    if percent != goal.percent:
        return Patch(_percent(goal.percent), f"{goal.percent} % for version {challenger.version}")
    if now.challenger != goal.percent:
        return Wait(f"the route does not show {goal.percent} % for version {challenger.version}")
    return Done() if view.gateway_converged else Wait("the gateway may still use an older route")


def _promote(view: View, now: Shares, challenger: Challenger) -> Step:
    percent = view.predictor.get("canaryTrafficPercent")
    if percent not in (None, 100):
        raise TrafficError(f"version {challenger.version} does not have 100 % of {view.name}, it can not take over")
    if now.challenger != 100 or not now.ready or not view.gateway_converged:
        return Wait(f"the route does not yet show all traffic at a ready version {challenger.version}")
    return Done() if percent is None else Patch(_percent(None), f"version {challenger.version} takes over")


def _withdraw(view: View, stable: Stable, challenger: Challenger) -> Step:
    """Sets the share to 0, then names stable's model in the spec.

    A share of 0 alone would leave a spec that promotes the challenger as soon as the percentage is cleared.
    """
    if view.predictor.get("canaryTrafficPercent") != 0:
        return Patch(_percent(0), f"0 % for version {challenger.version}")
    revision = _revision(view, stable, challenger)
    if not revision:
        return Wait(f"Knative has not made the revision of version {challenger.version} yet")
    if _percentages(view).get(revision, 0) != 0 or not view.gateway_converged:
        return Wait(f"the route does not yet show 0 % for version {challenger.version}")
    spec = StableSpec.of(stable)
    before = Model(stable.storage_uri, spec.configured_version, spec.sha256, spec.runtime)
    body = {"spec": {"predictor": {"canaryTrafficPercent": 0, "model": model_of(view.predictor, before)}}}
    return Patch(body, f"the spec names version {stable.version} again", {"left": revision})


def _restore(view: View, stable: Stable, challenger: Challenger) -> Step:
    """Clears the percentage once a new revision of stable's model is ready, and not before."""
    left = StableSpec.of(stable).left
    latest = _component(view).get("latestCreatedRevision", "")
    if view.predictor.get("canaryTrafficPercent") is None:
        is_alone = _is_latest_ready(view) and _percentages(view) == {latest: 100}
        if is_alone and view.gateway_converged:
            return Done()
        return Wait(f"version {stable.version} does not have all traffic yet")
    if not left:
        raise TrafficError(f"{view.name} has a canaryTrafficPercent that no rollout set")
    is_new = latest not in ("", left, StableSpec.of(stable).revision) and _is_latest_ready(view)
    if not is_new:
        why = f"the fresh revision of version {stable.version} is not ready, {challenger.version} has 0 %"
        return Wait(why, pods=f"{_REVISION_LABEL}{latest}" if latest not in ("", left) else "")
    return Patch(_percent(None), f"version {stable.version} has all traffic")


def _percent(percent: int | None) -> Json:
    return {"spec": {"predictor": {"canaryTrafficPercent": percent}}}


def _component(view: View) -> Json:
    component: Json = view.service.get("status", {}).get("components", {}).get("predictor", {})
    return component


def _is_latest_ready(view: View) -> bool:
    created = _component(view).get("latestCreatedRevision")
    return bool(created) and created == _component(view).get("latestReadyRevision")


def _revision(view: View, stable: Stable, challenger: Challenger) -> str:
    """Name of the challenger's revision; empty if there is none yet."""
    created = _component(view).get("latestCreatedRevision", "")
    is_challenger = storage_uri(view.predictor) == challenger.storage_uri
    return created if is_challenger and created != StableSpec.of(stable).revision else ""


def _strangers(view: View, stable: Stable, challenger: Challenger) -> list[str]:
    """Revisions with traffic that are neither stable's nor the challenger's.

    KServe takes a split over one revision for a rollback from 100 %, and sends users to the revision that had all
    traffic before that one. The status shows such a split when a rollout begins, if Knative applies the traffic before
    it makes the challenger's revision (kserve/kserve#1968).
    """
    if storage_uri(view.predictor) != challenger.storage_uri:
        return []
    known = {StableSpec.of(stable).revision, _revision(view, stable, challenger)}
    return sorted(set(_percentages(view)) - known)


def _percentages(view: View) -> dict[str, int]:
    """Percentage of each revision, whose entries are added up."""
    found: dict[str, int] = {}
    for entry in _component(view).get("traffic") or []:
        if entry.get("percent"):
            name = entry.get("revisionName", "")
            found[name] = found.get(name, 0) + entry["percent"]
    return found
