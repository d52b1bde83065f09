"""Makes the plan's observation from the service, its pods, the registry and the requests of people."""

from __future__ import annotations

from content_arena.components.canary_rollout.controller.goals import goal
from content_arena.components.canary_rollout.controller.record import Record
from content_arena.components.canary_rollout.controller.registry import RolloutRegistry
from content_arena.components.canary_rollout.kube import pod_failures, spec_diff
from content_arena.components.canary_rollout.kube.client import Json, RolloutClient
from content_arena.components.canary_rollout.log import LOG
from content_arena.components.canary_rollout.measuring.interface import Measurement
from content_arena.components.canary_rollout.plan.observation import Abort, Observation
from content_arena.components.canary_rollout.plan.state import Phase, State
from content_arena.components.canary_rollout.traffic.mode import (
    Aim,
    Done,
    Goal,
    Mode,
    Shares,
    TrafficError,
    View,
    Wait,
)
from content_arena.components.canary_rollout.traffic.mover import fingerprint
from content_arena.components.shared.errors import RegistryError

_UNKNOWN = Shares(None, False)


class Observer:
    """Reads, and changes nothing.

    The fingerprint shows whether the service was edited. The spec as the rollout last wrote it is kept only to name the
    fields that were edited.
    """

    def __init__(self, cluster: RolloutClient, mode: Mode, registry: RolloutRegistry) -> None:
        """Reads nothing yet.

        Args:
            cluster: Where the pods are.
            mode: How the service splits traffic.
            registry: Has to agree with the traffic at the end.
        """
        self._cluster, self._mode, self._registry = cluster, mode, registry
        self._spec: Json | None = None
        self._logged: set[str] = set()

    def observe(
        self,
        view: View,
        record: Record,
        state: State,
        now: float,
        measured: Measurement | None,
        waiting: Wait,
        refusal: str,
    ) -> Observation:
        """What is known now.

        Args:
            view: As just read.
            record: As just read, with people's requests.
            state: As recorded, with the outcome of an announced patch.
            now: Seconds since the epoch, of the measurement if there is one.
            measured: What was measured; None if nothing was.
            waiting: What the last action waits for.
            refusal: Why the cluster refused the last action.

        Raises:
            AwayError: The API server does not answer.
        """
        edited, waiting_for = self._edited(view, state), self._waiting_for(view, state, waiting)
        for line in () if state.phase.is_end else self._mode.caveats(view, state.stable):
            self._log_once(line)
        try:
            shares = self._mode.shares(view, state.stable, state.candidate)
        except TrafficError as error:
            shares, refusal = _UNKNOWN, refusal or str(error)
        aim = _end(state)
        is_reached = aim is not None and self._is_done(view, state, goal(aim, state))
        agrees, registry_error = self._registry_agrees(state) if is_reached else (False, "")
        failure = self._failure(view, state)
        if failure and self._why_too_late(view, state):
            # A rollback is impossible by now, so the promotion waits for the pods instead.
            failure, waiting_for = "", failure
        requests = record.requests()
        for line in requests.ignored:
            self._log_once(line)
        return Observation(
            now=now,
            share=shares.challenger,
            ready=shares.ready,
            failure=failure,
            taken_over=is_reached and aim is Aim.PROMOTED,
            kept=is_reached and aim is Aim.PROMOTED and self._mode.is_kept(view, state.stable),
            registered=agrees and aim is Aim.PROMOTED,
            withdrawn=is_reached and aim is Aim.ROLLED_BACK,
            rejected=agrees and aim is Aim.ROLLED_BACK,
            edited=edited,
            verdict=measured.verdict if measured else None,
            cause=measured.cause if measured else "",
            requests=measured.requests if measured else 0,
            disturbed=bool(measured and measured.disturbed),
            bounds=measured.bounds if measured else {},
            lacks=measured.lacks if measured else None,
            approved=requests.approved,
            approver=requests.approver,
            abort=self._abort(view, state, requests.abort),
            waiting_for=registry_error or waiting_for,
            unfollowed=waiting.unfollowed,
            refusal=refusal,
        )

    def _edited(self, view: View, state: State) -> str:
        if fingerprint(view.service) == state.fingerprint:
            self._spec = view.service["spec"]
            return ""
        return spec_diff.described(self._spec, view.service)

    def _abort(self, view: View, state: State, abort: Abort | None) -> Abort | None:
        """The request to end the rollout; None if there is none, or if it is too late for one."""
        too_late = self._why_too_late(view, state) if abort is not None else ""
        if too_late:
            self._log_once(f"it is too late to abort: {too_late}")
            return None
        return abort

    def _why_too_late(self, view: View, state: State) -> str:
        """Why a promotion cannot be rolled back any more; empty if it can."""
        if Phase.PROMOTING not in (state.phase, state.then):
            return ""
        try:
            self._mode.next_step(view, goal(Aim.ROLLED_BACK, state), state.stable, state.candidate)
        except TrafficError as error:
            return str(error)
        return ""

    def _waiting_for(self, view: View, state: State, waiting: Wait) -> str:
        """What the last action waits for, and what keeps pods of either variant from starting meanwhile."""
        if not waiting.why or state.phase is Phase.WAITING:
            return waiting.why
        selectors = (
            waiting.pods,
            self._mode.pod_labels(view, state.stable, state.candidate),
            self._mode.stable_labels(view, state.stable),
        )
        for labels in filter(None, selectors):
            trouble = pod_failures.trouble(self._cluster.pods(labels), self._cluster.previous_logs)
            if trouble:
                return f"{waiting.why}; {trouble}"
        return waiting.why

    def _failure(self, view: View, state: State) -> str:
        # Pods of a ready challenger are read too: Knative calls a revision ready for ever once it was ready.
        is_over = state.phase.is_end or Phase.ROLLING_BACK in (state.phase, state.then)
        labels = "" if is_over else self._mode.pod_labels(view, state.stable, state.candidate)
        return pod_failures.failure(self._cluster.pods(labels), self._cluster.previous_logs) if labels else ""

    def _is_done(self, view: View, state: State, wanted: Goal) -> bool:
        try:
            return isinstance(self._mode.next_step(view, wanted, state.stable, state.candidate), Done)
        except TrafficError:
            # The action itself reports the same error.
            return False

    def _registry_agrees(self, state: State) -> tuple[bool, str]:
        """Whether the registry agrees with the traffic, and its error if it can not be read."""
        try:
            if _end(state) is Aim.PROMOTED and state.undo:
                return self._registry.is_undone(state.stable.version, state.rollout), ""
            if _end(state) is Aim.PROMOTED:
                return self._registry.is_champion(state.challenger), ""
            return self._registry.is_rejected(state.challenger, state.rollout), ""
        except RegistryError as error:
            return False, str(error)

    def _log_once(self, line: str) -> None:
        if line not in self._logged:
            self._logged.add(line)
            LOG.warning("%s", line)


def _end(state: State) -> Aim | None:
    """The end that has been decided on; None if there is none yet."""
    if Phase.PROMOTING in (state.phase, state.then):
        return Aim.PROMOTED
    return Aim.ROLLED_BACK if Phase.ROLLING_BACK in (state.phase, state.then) else None
