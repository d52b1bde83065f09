"""Carries out moves: reads the service, and writes the patch that the mode finds missing."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from content_arena.components.canary_rollout.kube.client import ClusterError, ConflictError, Json, RolloutClient
from content_arena.components.canary_rollout.plan.state import Challenger, Stable
from content_arena.components.canary_rollout.traffic.knative import Knative
from content_arena.components.canary_rollout.traffic.mode import (
    Goal,
    Mode,
    Part,
    Patch,
    Step,
    TrafficError,
    View,
    Wait,
    mode_of,
)
from content_arena.components.canary_rollout.traffic.standard import Standard

_ATTEMPTS = 5
#: How long an autoscaler may take to see a load: its own interval and that of its metrics, with a margin.
_STABILIZATION_SECONDS = 90.0
_MODES: dict[str, type[Mode]] = {"Standard": Standard, "Knative": Knative}


def fingerprint(service: Json) -> str:
    """A digest of a service's spec. An edit by a person changes it, a status written by a controller does not."""
    return hashlib.sha256(json.dumps(service["spec"], sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Announcement:
    """A patch that is about to be written.

    Attributes:
        patch: The patch.
        version: ``resourceVersion`` of the service that it is guarded by.
        fingerprint: Of the spec that it leads to.
    """

    patch: Patch
    version: str
    fingerprint: str


def _requested(service: Json) -> str:
    """The shares that a service requests, in either mode, and the annotations and labels that KServe copies to pods.

    A change of either is followed by another route or another revision, which the status may not show yet.
    """
    predictor, metadata = service["spec"]["predictor"], service["metadata"]
    canaries = [entry.get("trafficPercent") for entry in service["spec"].get("canary") or []]
    copied = [metadata.get("annotations"), metadata.get("labels")]
    return json.dumps([predictor.get("canaryTrafficPercent"), canaries, copied], sort_keys=True)


class Mover:
    """Moves the traffic of one service.

    It keeps in memory only since when the spec and the gateway's configuration have been the same. A process that
    resumes a rollout waits for that again, which costs seconds and no requests.
    """

    def __init__(
        self,
        client: RolloutClient,
        service: str,
        settle_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Finds the mode from the service itself.

        Args:
            client: Of the service's namespace.
            service: Name of the InferenceService.
            settle_seconds: How long a gateway may take to apply the configuration that its route shows.
            clock: Monotonic time in seconds.

        Raises:
            InputError: There is no such service, or its mode has no canaries.
        """
        self._client, self._service, self._clock = client, service, clock
        self._settle_seconds = settle_seconds
        self.mode = _MODES[mode_of(client.service(service))]()
        self._route_key, self._routed_at = "", clock()
        self._requested, self._requested_at = "", clock()

    def read(self) -> View:
        """The service as it is now."""
        service, parts = self._client.service(self._service), self.mode.reads()
        route = self._client.route(self._service) if Part.ROUTE in parts else None
        ready = self._client.ready_pods(self._service) if Part.READY_PODS in parts else {}
        route_key = self.mode.route_key(View(service, route, ready))
        now = self._clock()
        if route_key != self._route_key:
            self._route_key, self._routed_at = route_key, now
        # A share that was requested and withdrawn at once may not be in the route yet, which then looks unchanged.
        requested = _requested(service)
        if requested != self._requested:
            self._requested, self._requested_at = requested, now
        is_converged = now - max(self._routed_at, self._requested_at) >= self._settle_seconds
        is_stabilized = now - self._routed_at >= _STABILIZATION_SECONDS
        return View(
            service, route, ready, gateway_converged=is_converged, autoscaler_stabilized=is_stabilized,
            requested_seconds=now - self._requested_at,
        )  # fmt: skip

    def step(
        self,
        view: View,
        goal: Goal,
        stable: Stable,
        challenger: Challenger,
        announce: Callable[[Announcement], None] = lambda announcement: None,
    ) -> Step:
        """Takes the next step towards a goal: at most one patch.

        Args:
            view: The service as just read.
            goal: What to reach.
            stable: What served before.
            challenger: What is rolled out.
            announce: Called before each attempt to write a patch. So the record names the spec that it leads to.

        Returns:
            The patch that was written, or what is waited for, or that the goal is reached.

        Raises:
            TrafficError: The goal can not be reached from here without losing requests.
            ClusterError: The API server refuses.
        """
        before = fingerprint(view.service)
        for _ in range(_ATTEMPTS):
            wanted = self.mode.next_step(view, goal, stable, challenger)
            if not isinstance(wanted, Patch):
                return wanted
            if self._is_written(view, wanted, announce):
                return wanted
            view = self.read()
            # Usually only the status changed. After a change of the spec the plan has to decide again.
            if fingerprint(view.service) != before:
                break
        return Wait("the service is being written by others")

    def waiting_for(self, view: View, goal: Goal, stable: Stable, challenger: Challenger) -> Wait | None:
        """What is missing to reach a goal; None if nothing is. Changes nothing."""
        try:
            missing = self.mode.next_step(view, goal, stable, challenger)
        except TrafficError:
            # `step` raises the same error, and its caller handles it.
            return None
        if isinstance(missing, Patch):
            return Wait(f"still to do: {missing.why}")
        return missing if isinstance(missing, Wait) else None

    def check(self, view: View, patch: Patch) -> Json:
        """The service as the API server would store it after a patch. Changes nothing.

        Raises:
            ClusterError: The API server refuses the patch, or would not store all of it.
        """
        version = view.service["metadata"]["resourceVersion"]
        after = self._client.patch_service(self._service, patch.body, version, dry_run=True)
        lacking = list(_lacking("", patch.body, after))
        if lacking:
            raise ClusterError(
                f"the API server would not store {', '.join(lacking[:3])} of InferenceService {self._service}: is "
                "KServe too old for it, or does a webhook change it?"
            )
        return after

    def _is_written(self, view: View, patch: Patch, announce: Callable[[Announcement], None]) -> bool:
        """Announces a patch and writes it. False if the service was written since it was read."""
        version = view.service["metadata"]["resourceVersion"]
        try:
            # The server fills in defaults, so only a dry run shows the spec that will be stored.
            after = fingerprint(self.check(view, patch))
        except ConflictError:
            return False
        announce(Announcement(patch, version, after))
        try:
            self._client.patch_service(self._service, patch.body, version)
        except ConflictError:
            return False
        return True


def _lacking(path: str, sent: object, stored: object) -> Iterator[str]:
    """Paths of a merge patch whose values are not in the object as it would be stored. It may have more fields."""
    if isinstance(sent, dict):
        there = stored if isinstance(stored, dict) else {}
        for name, value in sent.items():
            yield from _lacking(f"{path}.{name}".lstrip("."), value, there.get(name))
    elif isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        for index, (one, other) in enumerate(zip(sent, stored, strict=True)):
            yield from _lacking(f"{path}[{index}]", one, other)
    elif sent != stored:
        yield path
