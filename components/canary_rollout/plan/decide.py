"""What a rollout does next. Pure: the recorded state and an observation in, the next action and state out.

No clock, no cluster and no registry in here: the observation carries the time. Whoever carries a decision out records
its state first. Every action may be repeated, so a process killed anywhere is resumed by asking again.

The way there: staging (pods up, no share), then shifting and baking at each step, promoting. Every phase but the two
ends has a time limit or waits for a person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.plan.observation import Action, Observation
from content_arena.components.canary_rollout.plan.state import Phase, State

#: Prefix of the gate that is closed because a person edited the service.
_EDIT = "edit"
#: Prefix of the gate that is closed because the cluster refused.
_REFUSAL = "refused"
_STOPPED = "the challenger stopped"
#: After it stands why a rollout goes back, whatever held it up on the way.
_BACK = "; it goes back because: "
#: The state has to stay small.
_KEPT_APPROVALS = 20


@dataclass(frozen=True)
class Decision:
    """What to do next.

    Attributes:
        action: What.
        percent: The most that the challenger may have while this is done.
        state: To be recorded before it is done.
    """

    action: Action
    percent: int
    state: State


def decide(state: State, seen: Observation) -> Decision:
    """The next action.

    A step is left upwards only by a pass: measured over the whole bake, on enough answers, with the challenger ready
    and the share as it was decided. Everything else counts against it, leads back, or asks a person.

    Args:
        state: As recorded.
        seen: What is known now.
    """
    after = _transition(state, seen)
    return Decision(_action(after, seen), _percent(after), after)


def gate_before(percent: int) -> str:
    """Names the approval that a plan asks for before a step."""
    return f"step-{percent}"


def is_measured(state: State) -> bool:
    """Whether the challenger is measured while a rollout is in this state."""
    if state.phase is Phase.WAITING:
        # A person who edits is not measured against, and what is being promoted or withdrawn is judged already.
        return state.then in (Phase.SHIFTING, Phase.BAKING) and not state.gate.startswith(_EDIT)
    return state.phase is Phase.BAKING


def _transition(state: State, seen: Observation) -> State:
    if state.phase.is_end:
        return state
    if seen.abort is not None and _can_go_back(state, seen):
        # What of it is in the way of going back is overwritten, the rest stays: whoever reads this has to look.
        edited = f"; somebody had edited the service: {seen.edited}" if seen.edited else ""
        return _roll_back(state, seen, f"aborted: {seen.abort}{edited}")
    # Who aborts wants the rollback whatever else was changed.
    is_abort = seen.abort is not None and state.phase is Phase.ROLLING_BACK
    if seen.edited and not is_abort and not state.gate.startswith(_EDIT):
        return _hold_for_edit(state, seen)
    if seen.refused and state.phase is not Phase.WAITING and not _is_tried_again(state, seen):
        reason = f"refused: {seen.refused}; put that right and approve, or abort"
        return _hold(state, seen, _REFUSAL, state.phase, reason)
    return _HANDLERS[state.phase](state, seen)


def _action(state: State, seen: Observation) -> Action:
    if state.phase is Phase.PROMOTING:
        return Action.REGISTER if seen.carried else Action.PROMOTE
    if state.phase is Phase.ROLLING_BACK:
        return Action.REJECT if seen.withdrawn else Action.ROLL_BACK
    if is_measured(state):
        return Action.MEASURE
    return {Phase.STAGING: Action.STAGE, Phase.SHIFTING: Action.SHIFT, Phase.WAITING: Action.WAIT}.get(
        state.phase, Action.NOTHING
    )


def _percent(state: State) -> int:
    if state.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK) or state.then is Phase.ROLLING_BACK:
        return 0
    return state.percent


def _staging(state: State, seen: Observation) -> State:
    if seen.failure:
        return _roll_back(state, seen, f"the challenger does not start: {seen.failure}")
    if seen.ready and seen.share == 0:
        return state.enter(Phase.BAKING, seen.now, "the challenger is up, no user meets it")
    return _in_time(state, seen, state.parameters.start_seconds, "the challenger was not ready")


def _shifting(state: State, seen: Observation) -> State:
    if seen.failure:
        return _roll_back(state, seen, _stopped(seen))
    if seen.share == state.percent:
        return state.enter(Phase.BAKING, seen.now, f"the challenger has {state.percent} %")
    return _in_time(state, seen, state.parameters.shift_seconds, f"the challenger did not get {state.percent} %")


def _baking(state: State, seen: Observation) -> State:
    if seen.failure:
        return _roll_back(state, seen, _stopped(seen))
    if _is_late(state, seen):
        return _roll_back(state, seen, f"not done within {state.parameters.deadline_seconds:g} s")
    if seen.share is not None and seen.share != state.percent:
        return state.enter(Phase.SHIFTING, seen.now, f"the gateway gives {seen.share} % instead of {state.percent} %")
    warm = state.window + state.parameters.warmup_seconds
    if seen.verdict is Verdict.FAIL and seen.now >= warm:
        return _failed(state, seen)
    if not seen.now - max(warm, state.judged) >= state.parameters.bake_seconds:
        return state
    doubt = _doubt(state, seen)
    return _undecided(state, seen, doubt) if doubt else _passed(state, seen)


def _doubt(state: State, seen: Observation) -> str:
    """Why a step that was measured for long enough has not passed all the same; empty if it has."""
    if seen.verdict is not Verdict.PASS:
        return seen.cause or "nothing was measured"
    if seen.share != state.percent:
        return "the gateway does not say what share the challenger has"
    if not seen.ready:
        return "not every pod of the challenger is ready"
    if state.percent > 0 and not seen.requests >= state.parameters.min_requests:
        return f"only {seen.requests} of {state.parameters.min_requests} answers to users"
    return ""


def _passed(state: State, seen: Observation) -> State:
    path = state.parameters.path
    if state.step + 1 == len(path):
        return state.enter(Phase.PROMOTING, seen.now, f"passed every step: {seen.cause}")
    following = path[state.step + 1]
    changes = {"failures": 0, "inconclusives": 0}
    if not state.parameters.needs_approval(following):
        return state.enter(Phase.SHIFTING, seen.now, seen.cause, step=state.step + 1, **changes)
    waiting = state.enter(
        Phase.WAITING, seen.now, f"{state.percent} % passed, {following} % needs a person's approval",
        gate=gate_before(following), then=Phase.SHIFTING, then_step=state.step + 1, **changes,
    )  # fmt: skip
    return _waiting(waiting, seen) if seen.approved == waiting.gate else waiting


def _failed(state: State, seen: Observation) -> State:
    failures = state.failures + 1
    reason = f"failed at {state.percent} %: {seen.cause}"
    if failures > state.parameters.failure_limit:
        return _roll_back(state, seen, reason)
    return replace(state, failures=failures, inconclusives=0, window=seen.now, judged=0.0, reason=reason)


def _undecided(state: State, seen: Observation, doubt: str) -> State:
    inconclusives = state.inconclusives + 1
    reason = f"inconclusive at {state.percent} %: {doubt}"
    if inconclusives <= state.parameters.inconclusive_limit:
        # With more answers the same window may tell; one that was disturbed, or had enough of them, has had its say.
        if not seen.disturbed and 0 < seen.requests < state.parameters.min_requests:
            return replace(state, inconclusives=inconclusives, judged=seen.now, reason=reason)
        return replace(state, inconclusives=inconclusives, window=seen.now, judged=0.0, reason=reason)
    return _hold(state, seen, "measure", Phase.BAKING, reason)


def _waiting(state: State, seen: Observation) -> State:
    """Opened by its gate only; a challenger that gets bad meanwhile goes back without asking."""
    if seen.failure and state.then is not Phase.ROLLING_BACK and not seen.carried:
        if not seen.edited:
            return _roll_back(state, seen, _stopped(seen))
        if _STOPPED not in state.reason:
            # Not taken back over what a person changed; they have to know what it costs.
            return replace(state, reason=f"{state.reason}; {_stopped(seen)}")
    if is_measured(state):
        if seen.verdict is Verdict.FAIL and seen.now - state.window >= state.parameters.warmup_seconds:
            return _roll_back(state, seen, f"failed at {state.percent} % while waiting: {seen.cause}")
        # What happened an hour ago is not to hide what happens now.
        if seen.now - state.window >= state.parameters.warmup_seconds + state.parameters.bake_seconds:
            state = replace(state, window=seen.now, judged=0.0)
    if not state.gate or seen.approved != state.gate or (state.gate.startswith(_EDIT) and seen.edited):
        return state
    then = state.then or Phase.ROLLING_BACK
    return state.enter(
        then, seen.now, _with_cause(state, then, f"{state.gate} approved by {seen.approver or 'somebody'}"),
        step=state.then_step, waited=state.waited + max(0.0, seen.now - state.since), inconclusives=0,
        approvals=(*state.approvals, f"{state.gate} by {seen.approver or 'somebody'}")[-_KEPT_APPROVALS:],
    )  # fmt: skip


def _promoting(state: State, seen: Observation) -> State:
    if seen.carried and seen.registered:
        return state.enter(Phase.PROMOTED, seen.now, f"version {state.challenger} serves alone and is the champion")
    if seen.failure and not seen.carried:
        return _roll_back(state, seen, _stopped(seen))
    if seen.now - state.since > state.parameters.shift_seconds:
        undone = "the registry does not follow" if seen.carried else "the service did not take the new name"
        reason = _overdue(undone, state.parameters.shift_seconds, seen)
        return _hold(state, seen, "promote", Phase.PROMOTING, reason)
    return state


def _rolling_back(state: State, seen: Observation) -> State:
    if seen.withdrawn and seen.rejected:
        return state.enter(Phase.ROLLED_BACK, seen.now, state.reason)
    if seen.now - state.since > state.parameters.shift_seconds:
        undone = "the registry does not follow" if seen.withdrawn else "the challenger is not withdrawn"
        reason = _overdue(undone, state.parameters.shift_seconds, seen)
        return _hold(state, seen, "withdraw", Phase.ROLLING_BACK, reason)
    return state


def _hold(state: State, seen: Observation, what: str, then: Phase, reason: str) -> State:
    """Asks a person. The number makes the gate a new one each time: an old approval does not open it."""
    holds = state.holds + 1
    reason = _with_cause(state, then, reason)
    return state.enter(
        Phase.WAITING, seen.now, reason, gate=f"{what}-{holds}", then=then, then_step=state.step, holds=holds
    )


def _hold_for_edit(state: State, seen: Observation) -> State:
    """Stops where it is; what a person changed is not overwritten."""
    reason = f"somebody edited the service: {seen.edited}; undo that and approve, or abort"
    if seen.failure:
        reason = f"{reason}; {_stopped(seen)}"
    if state.phase is not Phase.WAITING:
        # A bake that was disturbed begins again with the share.
        then = Phase.SHIFTING if state.phase is Phase.BAKING and state.step else state.phase
        return _hold(state, seen, _EDIT, then, reason)
    waited = state.waited + max(0.0, seen.now - state.since)
    # Back to the step that was taken, not to the one that was waited for: it passes again, and asks again.
    then = state.then if state.then in (Phase.PROMOTING, Phase.ROLLING_BACK) else Phase.BAKING
    return _hold(replace(state, waited=waited), seen, _EDIT, then or Phase.ROLLING_BACK, reason)


def _with_cause(state: State, then: Phase, reason: str) -> str:
    """A reason that does not hide why it goes back: the registry keeps that, and who asks for the exit is told it."""
    return f"{reason}{_BACK}{state.reason.rpartition(_BACK)[2]}" if then is Phase.ROLLING_BACK else reason


def _roll_back(state: State, seen: Observation, reason: str) -> State:
    return state.enter(Phase.ROLLING_BACK, seen.now, reason)


def _stopped(seen: Observation) -> str:
    return f"{_STOPPED}: {seen.failure}"


def _in_time(state: State, seen: Observation, limit: float, undone: str) -> State:
    if _is_late(state, seen):
        return _roll_back(state, seen, f"not done within {state.parameters.deadline_seconds:g} s")
    if seen.now - state.since > limit:
        return _roll_back(state, seen, _overdue(undone, limit, seen))
    return state


def _is_tried_again(state: State, seen: Observation) -> bool:
    """Whether a refusal is outwaited: users meet what is withdrawn until it is, and a refusal may pass by itself."""
    is_ending = state.phase in (Phase.PROMOTING, Phase.ROLLING_BACK)
    return is_ending and not seen.now - state.since > state.parameters.shift_seconds


def _overdue(undone: str, limit: float, seen: Observation) -> str:
    return f"{undone} within {limit:g} s" + (f" ({seen.awaited})" if seen.awaited else "")


def _is_late(state: State, seen: Observation) -> bool:
    return not seen.now - state.started_at - state.waited <= state.parameters.deadline_seconds


def _can_go_back(state: State, seen: Observation) -> bool:
    """Whether an abort changes anything: not where it goes back already, and not once stable's pods may be gone."""
    if state.phase is Phase.WAITING and not seen.carried:
        return state.then is not Phase.ROLLING_BACK or state.gate.startswith(_EDIT)
    return state.phase in (Phase.STAGING, Phase.SHIFTING, Phase.BAKING)


_HANDLERS = {
    Phase.STAGING: _staging,
    Phase.SHIFTING: _shifting,
    Phase.BAKING: _baking,
    Phase.WAITING: _waiting,
    Phase.PROMOTING: _promoting,
    Phase.ROLLING_BACK: _rolling_back,
}
