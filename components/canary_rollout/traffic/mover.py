"""Carries moves out: reads the service, has the mode say what is missing, and writes that and nothing else."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable

from content_arena.components.canary_rollout.kube.client import ConflictError, Json, RolloutClient
from content_arena.components.canary_rollout.plan.state import Challenger, Stable
from content_arena.components.canary_rollout.traffic.knative import Knative
from content_arena.components.canary_rollout.traffic.mode import (
    Goal,
    Mode,
    Patch,
    Step,
    TrafficError,
    View,
    Wait,
    mode_of,
)
from content_arena.components.canary_rollout.traffic.standard import Standard

_ATTEMPTS = 5
_MODES: dict[str, type[Mode]] = {"Standard": Standard, "Knative": Knative}


def fingerprint(service: Json) -> str:
    """Of a service's spec; a person's edit changes it, a controller's status does not."""
    return hashlib.sha256(json.dumps(service["spec"], sort_keys=True).encode()).hexdigest()[:16]


def _asked_for(service: Json) -> str:
    """The shares that a spec asks for, in either mode."""
    predictor = service["spec"]["predictor"]
    canaries = [entry.get("trafficPercent") for entry in service["spec"].get("canary") or []]
    return json.dumps([predictor.get("canaryTrafficPercent"), canaries])


class Mover:
    """Moves the traffic of one service.

    What it remembers is only since when the same has been asked for and the gateway been told the same: a process that
    takes over waits for that again, and loses seconds, not requests.
    """

    def __init__(
        self,
        client: RolloutClient,
        service: str,
        settle_seconds: float = 5.0,
        rest_seconds: float = 90.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Finds the mode from the service itself.

        Args:
            client: Of the service's namespace.
            service: Name of the InferenceService.
            settle_seconds: How long a gateway may take from what its route says to what it does.
            rest_seconds: How long an autoscaler may take to see a load: its turn and that of its metrics, with room.
            clock: Seconds, never going back.

        Raises:
            InputError: No such service, or none that can have a canary.
        """
        self._client, self._service = client, service
        self._settle_seconds, self._rest_seconds, self._clock = settle_seconds, rest_seconds, clock
        self.mode = _MODES[mode_of(client.service(service))]()
        self._told, self._told_at = "", clock()
        self._asked, self._asked_at = "", clock()

    def look(self) -> View:
        """The service as it is now."""
        service = self._client.service(self._service)
        route, ready = None, {}
        if self.mode.name == Standard.name:
            route, ready = self._client.route(self._service), self._client.ready_pods(self._service)
        told = self.mode.route_key(View(service, route, ready))
        now = self._clock()
        if told != self._told:
            self._told, self._told_at = told, now
        # A share that was asked for and taken back at once may still be on its way to the route, which looks as before.
        asked = _asked_for(service)
        if asked != self._asked:
            self._asked, self._asked_at = asked, now
        is_converged = now - max(self._told_at, self._asked_at) >= self._settle_seconds
        is_stabilized = now - self._told_at >= self._rest_seconds
        return View(service, route, ready, gateway_converged=is_converged, autoscaler_stabilized=is_stabilized)

    def step(
        self,
        view: View,
        goal: Goal,
        stable: Stable,
        challenger: Challenger,
        annotations: Callable[[str], Json] = lambda fingerprint: {},
    ) -> Step:
        """Does the next thing on the way to a goal, at most one patch.

        Args:
            view: As just read.
            goal: Where to.
            stable: What served before.
            challenger: What is rolled out.
            annotations: Written together with the patch, from the fingerprint that the spec will have: the record can
                not miss a move, nor tell of one that was not made.

        Returns:
            The patch that was made, or what is waited for, or that it is done.

        Raises:
            TrafficError: The goal can not be reached from here without a loss.
            ClusterError: The API server refuses, with its words.
        """
        before = fingerprint(view.service)
        for _ in range(_ATTEMPTS):
            wanted = self.mode.next_step(view, goal, stable, challenger)
            if not isinstance(wanted, Patch):
                return wanted
            try:
                self._write(view, wanted, annotations)
            except ConflictError:
                view = self.look()
                # Usually a status. A spec that changed is for the plan to judge first.
                if fingerprint(view.service) != before:
                    break
                continue
            return wanted
        return Wait("somebody else writes the service")

    def awaited(self, view: View, goal: Goal, stable: Stable, challenger: Challenger) -> str:
        """What is missing on the way to a goal, by the looks of it; empty if nothing is. Nothing is changed."""
        try:
            missing = self.mode.next_step(view, goal, stable, challenger)
        except TrafficError:
            # Doing it says the same, and is heard.
            return ""
        if isinstance(missing, Patch):
            return f"still to do: {missing.why}"
        return missing.why if isinstance(missing, Wait) else ""

    def check(self, view: View, patch: Patch) -> Json:
        """What the API server would make of a patch; nothing is changed.

        Raises:
            ClusterError: It refuses.
        """
        version = view.service["metadata"]["resourceVersion"]
        return self._client.patch_service(self._service, patch.body, version, dry_run=True)

    def _write(self, view: View, patch: Patch, annotations: Callable[[str], Json]) -> None:
        # The server fills in defaults, so only it knows what the spec will be.
        noted = annotations(fingerprint(self.check(view, patch)))
        metadata = patch.body.get("metadata", {})
        body = patch.body
        if noted:
            body = body | {"metadata": metadata | {"annotations": metadata.get("annotations", {}) | noted}}
        self._client.patch_service(self._service, body, view.service["metadata"]["resourceVersion"])
