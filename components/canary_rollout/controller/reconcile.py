"""Makes registry, spec and traffic agree after the process of a rollout was killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.controller import operator_requests
from content_arena.components.canary_rollout.controller.goals import kept_by
from content_arena.components.canary_rollout.controller.keeping import let_go
from content_arena.components.canary_rollout.controller.moves import RecordedMoves
from content_arena.components.canary_rollout.controller.pace import SYSTEM_CLOCK, Clock
from content_arena.components.canary_rollout.controller.record import Record, RecordStore
from content_arena.components.canary_rollout.controller.registry import RolloutRegistry
from content_arena.components.canary_rollout.controller.rollout import Rollout
from content_arena.components.canary_rollout.measuring.interface import Measurement, Moment
from content_arena.components.canary_rollout.plan.gate import GateKind
from content_arena.components.canary_rollout.plan.observation import AbortKind
from content_arena.components.canary_rollout.plan.state import Phase, State
from content_arena.components.canary_rollout.traffic.mover import Mover

_WHO = "reconcile"
#: Gates of a promotion or rollback that need no person's decision: it was not finished in time, or was refused.
_UNFINISHED = (GateKind.PROMOTE, GateKind.WITHDRAW, GateKind.REFUSED)


@dataclass(frozen=True)
class Reconciler:
    """Removes every disagreement between the registry's aliases, the service's spec and its traffic.

    The caller has to hold the lease.

    Attributes:
        records: The record of the service's rollouts.
        mover: Of that service.
        rollout: Runs an unfinished rollout to its end.
        registry: Made to agree with the traffic.
        assert_leadership: Raises if another process holds the lease by now; called before every write.
        clock: The time.
        user: Name by which the API server knows this process; empty if it does not tell. A policy may refuse an
            approval in any other name.
    """

    records: RecordStore
    mover: Mover
    rollout: Rollout
    registry: RolloutRegistry
    assert_leadership: Callable[[], None] = lambda: None
    clock: Clock = SYSTEM_CLOCK
    user: Callable[[], str] = lambda: ""

    def reconcile(self, *, adopts: bool = False) -> list[str]:
        """Ends a rollout that no process runs, then makes the registry agree with what serves.

        A promotion, a rollback or an undo that was under way is finished, and in any earlier phase the challenger is
        withdrawn. A rollout that waits for a person's decision is ended if it was aborted, and goes on waiting
        otherwise.

        Args:
            adopts: Make what serves the champion, where the registry names another version. That version may serve
                elsewhere, or a person made it the champion, so it is only reported otherwise.

        Returns:
            A line for each thing that was done, or what is waited for, or what only a person can settle.

        Raises:
            TrafficError: The service is in a state that no rollout produces; it is not changed.
        """
        done: list[str] = []
        record = self.records.read(self.mover.read().service)
        state = record.state
        if state is not None and not state.phase.is_end:
            end = self._ended(record, state)
            if end is None or (end.gate is not None and end.gate == state.gate):
                return [_waiting_line(end or state)]
            was = f"the rollout of version {state.challenger} was left {state.phase.value} at {state.percent} %"
            done.append(f"{was}, it is {end.phase.value}: {end.reason}")
            if not end.phase.is_end:
                return done
        done += self._kept()
        view = self.mover.read()
        serving = self.mover.mode.stable(view, kept_by(self.records.read(view.service).state))
        self.assert_leadership()
        return [*done, *self.registry.reconcile(serving.version, adopts=adopts)]

    def _kept(self) -> list[str]:
        """Lets go of the version before the last promotion, if its time is over."""
        state = self.records.read(self.mover.read().service).state
        if state is None or not state.kept_until or self.clock.now() < state.kept_until:
            return []
        let_go(RecordedMoves(self.mover, self.records, self.assert_leadership), "its time is over", self.clock)
        return [f"version {state.stable.version}, kept at 0 % since the promotion of {state.challenger}, is gone"]

    def _ended(self, record: Record, state: State) -> State | None:
        """The state after the rollout has run as far as it can; None if only a person can decide on it."""
        needs_no_decision = _needs_no_decision(state)
        if not needs_no_decision and record.requests().abort is None:
            return None
        request = self._request(state) if needs_no_decision else None
        if request is not None:
            self.assert_leadership()
            self.records.request(request)
        # If it is too late for the abort, the rollout stays at its gate.
        return self.rollout.run(
            lambda now: now.phase is Phase.WAITING and not (needs_no_decision and now.gate == state.gate)
        )

    def _request(self, state: State) -> dict[str, str] | None:
        """The request that ends the rollout; None if it ends by itself."""
        if state.phase is Phase.WAITING and state.gate:
            return operator_requests.approval(state.challenger, state.gate, self.user() or _WHO)
        if state.phase in (Phase.PROMOTING, Phase.ROLLING_BACK) or state.undo:
            # An undo needs nobody to measure it.
            return None
        return operator_requests.abort_request(state.challenger, _WHO, "no process ran it any more", AbortKind.ABANDON)


class Unmeasured:
    """A measurer that measures nothing, for a process that only finishes a rollout or rolls it back."""

    def measure(self, moment: Moment) -> Measurement:
        """Always inconclusive."""
        return Measurement(Verdict.INCONCLUSIVE, "nothing was measured", 0, ())


def _waiting_line(state: State) -> str:
    who = f"the rollout of version {state.challenger}"
    return f"{who} goes on waiting for {state.gate} at {state.percent} %: {state.reason}"


def _needs_no_decision(state: State) -> bool:
    """Whether the rollout can be ended without a person's decision."""
    if state.phase is not Phase.WAITING:
        return True
    is_ending = state.then in (Phase.PROMOTING, Phase.ROLLING_BACK)
    return is_ending and state.gate is not None and state.gate.kind in _UNFINISHED
