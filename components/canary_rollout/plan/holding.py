"""The gates of a rollout: how it comes to wait for a person, and how it goes on after an approval."""

from __future__ import annotations

from dataclasses import replace

from content_arena.components.canary_rollout.plan.gate import Gate, GateKind
from content_arena.components.canary_rollout.plan.observation import Observation
from content_arena.components.canary_rollout.plan.state import MAX_REASON, Changes, Phase, State

#: Approvals that the state keeps: it has to stay small.
_KEPT_APPROVALS = 20


def approved(state: State, seen: Observation) -> State:
    """The state after the approval of its gate."""
    then = state.then or Phase.ROLLING_BACK
    approval = f"{state.gate} by {seen.approver or 'somebody'}"
    reason = f"{state.gate} approved by {seen.approver or 'somebody'}"
    changes: Changes = {"step": state.then_step, "inconclusives": 0}
    changes["waited"] = state.waited + max(0.0, seen.now - state.since)
    changes["approvals"] = (*state.approvals, approval)[-_KEPT_APPROVALS:]
    return enter_with_cause(state, seen, then, reason, changes)


def hold(state: State, seen: Observation, kind: GateKind, then: Phase, reason: str) -> State:
    """Waits for an approval. The gate gets a new number each time, so that an earlier approval does not open it."""
    holds = state.holds + 1
    changes: Changes = {"gate": Gate(kind, holds), "then": then, "then_step": state.step, "holds": holds}
    changes["stopped"] = kind is GateKind.EDIT and bool(seen.failure)
    return enter_with_cause(state, seen, Phase.WAITING, reason, changes)


def enter_with_cause(state: State, seen: Observation, phase: Phase, reason: str, changes: Changes) -> State:
    """The state in another phase. On the way to a rollback it keeps the rollback's cause."""
    if Phase.ROLLING_BACK not in (phase, changes.get("then")):
        return state.enter(phase, seen.now, reason, **changes)
    cause = state.cause or state.reason
    # The reason shows people both: what is waited for, and at its end the cause of the rollback.
    behind = f"; it goes back because: {cause}"
    reason = reason[: max(MAX_REASON - len(behind), MAX_REASON // 2)] + behind
    changes["cause"] = cause
    return state.enter(phase, seen.now, reason, **changes)


def hold_for_edit(state: State, seen: Observation) -> State:
    """Waits in the present phase, so that the edit is not overwritten."""
    reason = f"the service was edited: {seen.edited}; undo that and approve, or abort"
    if seen.failure:
        reason = f"{reason}; {stopped(seen)}"
    if state.phase is not Phase.WAITING:
        # A bake that was disturbed begins again by setting the share.
        then = Phase.SHIFTING if state.phase is Phase.BAKING and state.step else state.phase
        return hold(state, seen, GateKind.EDIT, then, reason)
    waited = state.waited + max(0.0, seen.now - state.since)
    # The present step is measured again, and the next one needs its approval again.
    then = state.then if state.then in (Phase.PROMOTING, Phase.ROLLING_BACK) else Phase.BAKING
    return hold(replace(state, waited=waited), seen, GateKind.EDIT, then or Phase.ROLLING_BACK, reason)


def is_held_for_edit(state: State) -> bool:
    """Whether the rollout waits because the service was edited."""
    return state.gate is not None and state.gate.kind is GateKind.EDIT


def stopped(seen: Observation) -> str:
    """The reason that names the failure of the challenger's pods."""
    return f"the challenger stopped: {seen.failure}"
