"""Puts together what a plan is told, from the service, its pods, the registry and what people want."""

from __future__ import annotations

from collections.abc import Callable

from content_arena.components.canary_rollout.controller.annotations import operator_requests
from content_arena.components.canary_rollout.controller.registry import RolloutRegistry
from content_arena.components.canary_rollout.kube import pod_failures, spec_diff
from content_arena.components.canary_rollout.kube.client import Json, RolloutClient
from content_arena.components.canary_rollout.measuring.interface import Measurement
from content_arena.components.canary_rollout.plan.observation import Observation
from content_arena.components.canary_rollout.plan.state import Phase, State
from content_arena.components.canary_rollout.traffic.mode import (
    Aim,
    Done,
    Goal,
    Mode,
    Shares,
    TrafficError,
    View,
)
from content_arena.components.canary_rollout.traffic.mover import fingerprint
from content_arena.components.shared.errors import RegistryError

_UNTOLD = Shares(None, False)


class Observer:
    """Looks, and changes nothing.

    What it remembers is the spec as the rollout left it, only to say what a person changed: that something was changed
    is told by the fingerprint.
    """

    def __init__(
        self, cluster: RolloutClient, mode: Mode, registry: RolloutRegistry, say: Callable[[str], None]
    ) -> None:
        """Looks at nothing yet.

        Args:
            cluster: Where the pods are.
            mode: How the service splits traffic.
            registry: What has to agree at the end.
            say: Where it is said which wish of a person is not heard, and why.
        """
        self._cluster, self._mode, self._registry, self._say = cluster, mode, registry, say
        self._spec: Json | None = None
        self._said: set[str] = set()

    def observe(
        self, view: View, state: State, now: float, measured: Measurement | None, awaited: str, refused: str
    ) -> Observation:
        """What is known now.

        Args:
            view: As just read.
            state: As recorded.
            now: Seconds since the epoch, of the measurement if there is one.
            measured: What was measured; None if nothing was.
            awaited: What the last action waits for.
            refused: Why the last action can not be done.

        Raises:
            AwayError: The API server does not answer.
        """
        edited = self._edited(view, state)
        try:
            shares = self._mode.shares(view, state.stable, state.candidate)
        except TrafficError as error:
            shares, refused = _UNTOLD, refused or str(error)
        aim = _end(state)
        is_there = aim is not None and self._is_done(view, state, Goal(aim, _PERCENT[aim]))
        follows, unheard = self._follows(state) if is_there else (False, "")
        failure = self._failure(view, state)
        if failure and self._too_late(view, state):
            # There is nothing to go back to: who has to be asked in the end is told what it waits for.
            failure, awaited = "", failure
        wish = operator_requests(view.service, state.challenger)
        for line in wish.ignored:
            self._say_once(line)
        return Observation(
            now=now,
            share=shares.challenger,
            ready=shares.ready,
            failure=failure,
            carried=is_there and aim is Aim.PROMOTED,
            registered=follows and aim is Aim.PROMOTED,
            withdrawn=is_there and aim is Aim.ROLLED_BACK,
            rejected=follows and aim is Aim.ROLLED_BACK,
            edited=edited,
            verdict=measured.verdict if measured else None,
            cause=measured.cause if measured else "",
            requests=measured.requests if measured else 0,
            disturbed=bool(measured and measured.disturbed),
            approved=wish.approved,
            approver=wish.approver,
            abort=self._abort(view, state, wish.abort),
            awaited=unheard or awaited,
            refused=refused,
        )

    def left(self, service: Json) -> None:
        """Notes the spec as the rollout left it."""
        self._spec = service["spec"]

    def _edited(self, view: View, state: State) -> str:
        if fingerprint(view.service) == state.fingerprint:
            self.left(view.service)
            return ""
        return spec_diff.described(self._spec, view.service)

    def _abort(self, view: View, state: State, abort: str | None) -> str | None:
        """Why a person wants it rolled back; None too where there is no way back any more."""
        too_late = self._too_late(view, state) if abort is not None else ""
        if too_late:
            self._say_once(f"it is too late to abort: {too_late}")
            return None
        return abort

    def _too_late(self, view: View, state: State) -> str:
        """Why there is no way back from a promotion any more; empty if there is."""
        if Phase.PROMOTING not in (state.phase, state.then):
            return ""
        try:
            goal = Goal(Aim.ROLLED_BACK)
            self._mode.next_step(view, goal, state.stable, state.candidate)
        except TrafficError as error:
            return str(error)
        return ""

    def _failure(self, view: View, state: State) -> str:
        # Asked of a ready challenger too: a revision of Knative's that was ready once is called so for ever.
        is_over = state.phase.is_end or Phase.ROLLING_BACK in (state.phase, state.then)
        labels = "" if is_over else self._mode.pod_labels(view, state.stable, state.candidate)
        return pod_failures.failure(self._cluster.pods(labels), self._cluster.previous_logs) if labels else ""

    def _is_done(self, view: View, state: State, goal: Goal) -> bool:
        try:
            return isinstance(self._mode.next_step(view, goal, state.stable, state.candidate), Done)
        except TrafficError:
            # Doing it says the same, and is heard.
            return False

    def _follows(self, state: State) -> tuple[bool, str]:
        """Whether the registry agrees; or why it does not answer."""
        try:
            if _end(state) is Aim.PROMOTED:
                return self._registry.is_champion(state.challenger), ""
            return self._registry.is_rejected(state.challenger, state.rollout), ""
        except RegistryError as error:
            return False, str(error)

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)


_PERCENT = {Aim.PROMOTED: 100, Aim.ROLLED_BACK: 0}


def _end(state: State) -> Aim | None:
    """Where a rollout is being ended."""
    if Phase.PROMOTING in (state.phase, state.then):
        return Aim.PROMOTED
    return Aim.ROLLED_BACK if Phase.ROLLING_BACK in (state.phase, state.then) else None
