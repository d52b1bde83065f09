"""The next step of a rollout: a pure function from recorded state and observation to next action and state.

There is no clock, no cluster and no registry in here: the observation carries the time. The caller records the new
state before it carries the action out. Every action may be repeated, so a killed process is followed by one that
decides again.

The phases of a rollout without problems are: staging (pods start, no traffic), then shifting and baking at each step,
then promoting. Every phase except the two ends has a time limit or waits for a person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from content_arena.components.canary_rollout.analysis.verdict import Lack, Verdict
from content_arena.components.canary_rollout.plan.gate import GateKind, gate_before
from content_arena.components.canary_rollout.plan.holding import (
    approved,
    enter_with_cause,
    hold,
    hold_for_edit,
    is_held_for_edit,
    stopped,
)
from content_arena.components.canary_rollout.plan.observation import Abort, AbortKind, Action, Observation
from content_arena.components.canary_rollout.plan.state import Changes, Phase, State

#: How long an HTTPRoute may take to show a share, in seconds. It was seen to take 2; where KServe writes no weights, it
#: never does.
_ROUTE_SECONDS = 30.0


@dataclass(frozen=True)
class Decision:
    """What to do next.

    Attributes:
        action: The next action.
        percent: The largest share of the traffic, in percent, that the challenger may have during the action.
        state: The new state. It has to be recorded before the action is carried out.
    """

    action: Action
    percent: int
    state: State


def decide(state: State, seen: Observation) -> Decision:
    """Decides on the next action.

    The challenger gets to the next step only by a pass: measured over the whole bake, on enough answers, with the
    challenger ready and the share as decided. Anything else is measured again, is rolled back, or waits for a person.

    Args:
        state: As recorded.
        seen: What is known now.
    """
    after = _transition(state, seen)
    return Decision(_action(after, seen), _percent(after), after)


def is_measured(state: State) -> bool:
    """Whether the challenger is measured while a rollout is in this state."""
    if state.phase is Phase.WAITING:
        # An edit changes what would be measured. Once a promotion or rollback is decided on, nothing is measured.
        return state.then in (Phase.SHIFTING, Phase.BAKING) and not is_held_for_edit(state)
    return state.phase is Phase.BAKING


def _transition(state: State, seen: Observation) -> State:
    if state.phase.is_end:
        return state
    if seen.abort is not None and _can_roll_back(state, seen):
        # The rollback overwrites only the parts of an edit that are in its way. The reason names what was edited.
        return _aborted(state, seen, seen.abort)
    # During the rollback of an abort, an edit does not close a gate.
    is_abort = seen.abort is not None and state.phase is Phase.ROLLING_BACK
    if seen.edited and not is_abort and not is_held_for_edit(state):
        return hold_for_edit(state, seen)
    if seen.refusal and state.phase is not Phase.WAITING and not _is_retried(state, seen):
        reason = f"refused: {seen.refusal}; correct that and approve, or abort"
        return hold(state, seen, GateKind.REFUSED, state.phase, reason)
    return _HANDLERS[state.phase](state, seen)


def _action(state: State, seen: Observation) -> Action:
    if state.phase is Phase.PROMOTING:
        return Action.REGISTER if seen.taken_over else Action.PROMOTE
    if state.phase is Phase.ROLLING_BACK:
        if not seen.withdrawn:
            return Action.ROLL_BACK
        return Action.NOTHING if state.without_fault else Action.REJECT
    if is_measured(state):
        return Action.MEASURE
    return {Phase.STAGING: Action.STAGE, Phase.SHIFTING: Action.SHIFT, Phase.WAITING: Action.WAIT}.get(
        state.phase, Action.NOTHING
    )


def _percent(state: State) -> int:
    if state.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.WITHDRAWN) or state.then is Phase.ROLLING_BACK:
        return 0
    return state.percent


def _staging(state: State, seen: Observation) -> State:
    if seen.failure:
        return _roll_back(state, seen, f"the challenger does not start: {seen.failure}")
    if seen.ready and seen.share == 0:
        return state.enter(Phase.BAKING, seen.now, "the challenger's pods are ready, it has no traffic")
    if seen.unfollowed > _ROUTE_SECONDS:
        return _withdraw(state, seen, f"the traffic was not as asked for {_ROUTE_SECONDS:g} s ({seen.waiting_for})")
    return _within_limit(state, seen, state.parameters.start_seconds, "the challenger was not ready")


def _shifting(state: State, seen: Observation) -> State:
    if seen.failure:
        return _roll_back(state, seen, stopped(seen))
    if seen.share == state.percent:
        return state.enter(Phase.BAKING, seen.now, f"the challenger has {state.percent} %")
    if seen.unfollowed > _ROUTE_SECONDS:
        return _withdraw(state, seen, f"the HTTPRoute did not show {state.percent} % within {_ROUTE_SECONDS:g} s")
    return _within_limit(state, seen, state.parameters.shift_seconds, f"the challenger did not get {state.percent} %")


def _baking(state: State, seen: Observation) -> State:
    if seen.failure:
        return _roll_back(state, seen, stopped(seen))
    if _is_past_deadline(state, seen):
        return _withdraw(state, seen, f"not done within {state.parameters.deadline_seconds:g} s")
    if seen.share is not None and seen.share != state.percent:
        return state.enter(Phase.SHIFTING, seen.now, f"the gateway gives {seen.share} % instead of {state.percent} %")
    warm = state.window + state.parameters.warmup_seconds
    if seen.verdict is Verdict.FAIL and seen.now >= warm:
        return _failed(state, seen)
    is_due = seen.now - max(warm, state.judged) >= state.parameters.bake_seconds
    if not is_due and not _is_outgrown(state, seen):
        return state
    doubt = _why_not_passed(state, seen)
    return _undecided(state, seen, doubt) if doubt else _passed(state, seen)


def _why_not_passed(state: State, seen: Observation) -> str:
    """Why a step that was measured for long enough has not passed; empty if it has."""
    if seen.verdict is not Verdict.PASS:
        return seen.cause or "nothing was measured"
    if seen.share != state.percent:
        return "the challenger's share at the gateway is not known"
    if not seen.ready:
        return "not every pod of the challenger is ready"
    if state.percent > 0 and not seen.requests >= state.parameters.min_requests:
        return f"only {seen.requests} of at least {state.parameters.min_requests} answers to users"
    return ""


def _passed(state: State, seen: Observation) -> State:
    path = state.parameters.path
    if state.step + 1 == len(path):
        return state.enter(Phase.PROMOTING, seen.now, f"passed every step: {seen.cause}")
    following = path[state.step + 1]
    step = state.step + 1
    changes: Changes = {"failures": 0, "inconclusives": 0}
    if state.percent < 100:
        changes["bounds"] = seen.bounds
    if not state.parameters.needs_approval(following):
        changes["step"] = step
        return state.enter(Phase.SHIFTING, seen.now, seen.cause, **changes)
    changes |= {"gate": gate_before(following), "then": Phase.SHIFTING, "then_step": step}
    reason = f"{state.percent} % passed, {following} % needs a person's approval"
    waiting = state.enter(Phase.WAITING, seen.now, reason, **changes)
    return _waiting(waiting, seen) if seen.approved == waiting.gate else waiting


def _failed(state: State, seen: Observation) -> State:
    failures = state.failures + 1
    reason = f"failed at {state.percent} %: {seen.cause}"
    if failures > state.parameters.failure_limit:
        return _roll_back(state, seen, reason)
    return replace(state, failures=failures, inconclusives=0, window=seen.now, judged=0.0, reason=reason)


def _undecided(state: State, seen: Observation, doubt: str) -> State:
    lacks = _lacks(state, seen)
    if lacks is not None and _is_outgrown(state, seen):
        # Another window would be no longer than this one.
        reason = f"no verdict at {state.percent} % within {state.parameters.longest_window:g} s: {doubt}"
        return hold(state, seen, GateKind.MEASURE, Phase.BAKING, reason)
    if lacks is Lack.PROBES:
        return replace(state, reason=f"measured at {state.percent} %, its probes are still under way")
    if lacks is Lack.ANSWERS:
        # Judged again after another bake and not at once: a pass is decided rarely, so that chance does not give it.
        return replace(state, judged=seen.now, reason=f"too few answers at {state.percent} % so far: {doubt}")
    inconclusives = state.inconclusives + 1
    reason = f"inconclusive at {state.percent} %: {doubt}"
    if inconclusives <= state.parameters.inconclusive_limit:
        return replace(state, inconclusives=inconclusives, window=seen.now, judged=0.0, reason=reason)
    return hold(state, seen, GateKind.MEASURE, Phase.BAKING, reason)


def _lacks(state: State, seen: Observation) -> Lack | None:
    """What time brings to a step that has not passed; None if something else is in its way."""
    if seen.verdict is not Verdict.PASS:
        return seen.lacks
    is_in_place = seen.share == state.percent and seen.ready and not seen.disturbed
    return Lack.ANSWERS if is_in_place else None


def _is_outgrown(state: State, seen: Observation) -> bool:
    """Whether the window is as long as it may get."""
    return seen.now - state.window >= state.parameters.longest_window


def _waiting(state: State, seen: Observation) -> State:
    """Goes on only by an approval of the gate. A challenger that fails meanwhile is rolled back without one."""
    if seen.failure and state.then is not Phase.ROLLING_BACK and not seen.taken_over:
        if not seen.edited:
            return _roll_back(state, seen, stopped(seen))
        if not state.stopped:
            # A rollback would overwrite the edit, so the failure is only added to the reason.
            return replace(state, stopped=True, reason=f"{state.reason}; {stopped(seen)}")
    if is_measured(state):
        if seen.verdict is Verdict.FAIL and seen.now - state.window >= state.parameters.warmup_seconds:
            return _roll_back(state, seen, f"failed at {state.percent} % while waiting: {seen.cause}")
        # A short window, so that an hour of good answers does not hide a fault that begins now.
        if seen.now - state.window >= state.parameters.warmup_seconds + state.parameters.bake_seconds:
            state = replace(state, window=seen.now, judged=0.0)
    is_approved = state.gate is not None and seen.approved == state.gate
    if not is_approved or (is_held_for_edit(state) and seen.edited):
        return state
    return approved(state, seen)


def _promoting(state: State, seen: Observation) -> State:
    if seen.taken_over and seen.registered:
        kept_until = seen.now + state.parameters.keep_seconds if seen.kept else 0.0
        reason = f"version {state.challenger} serves alone and is the champion"
        return state.enter(Phase.PROMOTED, seen.now, reason, kept_until=kept_until)
    if seen.failure and not seen.taken_over:
        return _roll_back(state, seen, stopped(seen))
    if seen.now - state.since > state.parameters.shift_seconds:
        problem = "the registry was not updated" if seen.taken_over else "the challenger did not take over"
        reason = _timeout_reason(problem, state.parameters.shift_seconds, seen)
        return hold(state, seen, GateKind.PROMOTE, Phase.PROMOTING, reason)
    return state


def _rolling_back(state: State, seen: Observation) -> State:
    if seen.withdrawn and (seen.rejected or state.without_fault):
        end = Phase.WITHDRAWN if state.without_fault else Phase.ROLLED_BACK
        return state.enter(end, seen.now, state.cause or state.reason)
    if seen.now - state.since > state.parameters.shift_seconds:
        problem = "the registry was not updated" if seen.withdrawn else "the challenger was not withdrawn"
        reason = _timeout_reason(problem, state.parameters.shift_seconds, seen)
        return hold(state, seen, GateKind.WITHDRAW, Phase.ROLLING_BACK, reason)
    return state


def _roll_back(state: State, seen: Observation, cause: str) -> State:
    """Takes back a challenger that is bad, even if it was being taken back without fault."""
    return state.enter(Phase.ROLLING_BACK, seen.now, cause, cause=cause, without_fault=False, is_abandoned=False)


def _withdraw(state: State, seen: Observation, cause: str) -> State:
    """Takes back a challenger that nothing was found wrong with: the cluster was full, or somebody asked for it."""
    return replace(_roll_back(state, seen, cause), without_fault=True)


def _aborted(state: State, seen: Observation, abort: Abort) -> State:
    edited = f"; the service had been edited: {seen.edited}" if seen.edited else ""
    cause = f"aborted: {abort.reason}{edited}"
    if state.then is Phase.ROLLING_BACK and not state.without_fault:
        # The challenger is bad already. The abort only ends the wait for the edit, so the rejection stays.
        return enter_with_cause(state, seen, Phase.ROLLING_BACK, cause, {})
    if abort.kind is AbortKind.REJECT:
        return _roll_back(state, seen, cause)
    return replace(_withdraw(state, seen, cause), is_abandoned=abort.kind is AbortKind.ABANDON)


def _within_limit(state: State, seen: Observation, limit: float, problem: str) -> State:
    if _is_past_deadline(state, seen):
        return _withdraw(state, seen, f"not done within {state.parameters.deadline_seconds:g} s")
    if seen.now - state.since > limit:
        return _withdraw(state, seen, _timeout_reason(problem, limit, seen))
    return state


def _is_retried(state: State, seen: Observation) -> bool:
    """Whether a refused action is tried again, since users get answers of a bad challenger until it is withdrawn."""
    is_ending = state.phase in (Phase.PROMOTING, Phase.ROLLING_BACK)
    return is_ending and not seen.now - state.since > state.parameters.shift_seconds


def _timeout_reason(problem: str, limit: float, seen: Observation) -> str:
    return f"{problem} within {limit:g} s" + (f" ({seen.waiting_for})" if seen.waiting_for else "")


def _is_past_deadline(state: State, seen: Observation) -> bool:
    return not seen.now <= state.deadline


def _can_roll_back(state: State, seen: Observation) -> bool:
    """Whether an abort has an effect: not during a rollback, nor once the old stable's pods may be deleted."""
    if state.phase is Phase.WAITING and not seen.taken_over:
        return state.then is not Phase.ROLLING_BACK or is_held_for_edit(state)
    return state.phase in (Phase.STAGING, Phase.SHIFTING, Phase.BAKING)


_HANDLERS = {
    Phase.STAGING: _staging,
    Phase.SHIFTING: _shifting,
    Phase.BAKING: _baking,
    Phase.WAITING: _waiting,
    Phase.PROMOTING: _promoting,
    Phase.ROLLING_BACK: _rolling_back,
}
