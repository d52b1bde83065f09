"""Laws that hold for every state and every observation."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.canary_rollout.analysis.verdict import Lack
from content_arena.components.canary_rollout.plan.decide import Action, Observation, Verdict, decide
from content_arena.components.canary_rollout.plan.gate import Gate, gate_before
from content_arena.components.canary_rollout.plan.observation import Abort, AbortKind
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Phase
from tests.components.canary_rollout.rollouts import PARAMETERS, START, WINDOW, at, begun, good

MOVES = {Action.STAGE, Action.SHIFT, Action.PROMOTE, Action.ROLL_BACK}
STEP_GATE = {"gate": gate_before(100), "then": Phase.SHIFTING, "then_step": 3}
STATES = [
    at(Phase.STAGING),
    *(at(Phase.SHIFTING, step=step) for step in (1, 3)),
    *(at(Phase.BAKING, step=step) for step in range(4)),
    at(Phase.BAKING, step=2, inconclusives=1),
    at(Phase.WAITING, step=2, **STEP_GATE),
    at(Phase.WAITING, step=2, gate=Gate.parse("measure-1"), then=Phase.BAKING, then_step=2),
    at(Phase.WAITING, step=2, gate=Gate.parse("edit-1"), then=Phase.SHIFTING, then_step=2),
    at(Phase.WAITING, step=3, gate=Gate.parse("promote-1"), then=Phase.PROMOTING, then_step=3),
    at(Phase.WAITING, step=1, gate=Gate.parse("withdraw-1"), then=Phase.ROLLING_BACK, then_step=1, cause="5xx"),
    at(Phase.PROMOTING, step=3),
    at(Phase.ROLLING_BACK, step=2, cause="5xx"),
    at(Phase.PROMOTED, step=3),
    at(Phase.ROLLING_BACK, step=2, cause="no room", without_fault=True),
    at(Phase.ROLLED_BACK, step=2),
    at(Phase.WITHDRAWN, step=2),
]


def observations(state):
    """Every observation in a state, with times and counts at either side of each limit."""
    verdicts = [(verdict, None) for verdict in (None, *Verdict)]
    if state.phase is Phase.BAKING:
        verdicts += [(Verdict.INCONCLUSIVE, lack) for lack in Lack]
    for now, share, ready, failure, ended, edited, (verdict, lacks), requests, approved, abort in product(
        (START, START + PARAMETERS.warmup_seconds, START + WINDOW, START + 31, START + 61, START + 1001),
        (None, 0, 25, 50, 100),
        (False, True),
        ("", "crashed"),
        ((False, False), (True, False), (True, True)),
        ("", "somebody did"),
        verdicts,
        (4, 5),
        (None, gate_before(100), state.gate or Gate.parse("measure-9")),
        (None, Abort("enough")),
    ):
        yield Observation(
            now=now, share=share, ready=ready, failure=failure, taken_over=ended[0], registered=ended[1],
            withdrawn=ended[0], rejected=ended[1], edited=edited, verdict=verdict, requests=requests,
            approved=approved, abort=abort, lacks=lacks,
        )  # fmt: skip


def passed(state, seen):
    """Whether an observation is a pass, written independently of the plan."""
    return (
        state.phase is Phase.BAKING
        and seen.verdict is Verdict.PASS
        and seen.now - state.window >= WINDOW
        and seen.share == state.percent
        and seen.ready
        and not seen.failure
        and (state.percent == 0 or seen.requests >= PARAMETERS.min_requests)
    )


def check(state, seen, decision):
    """Asserts the laws for one decision."""
    after = decision.state
    opened = state.phase is Phase.WAITING and seen.approved == state.gate
    allowed = state.step + 1 if passed(state, seen) or opened else state.step
    assert after.step <= allowed, "above the next step without a pass"
    if after.percent > state.percent and PARAMETERS.needs_approval(after.percent):
        assert seen.approved == gate_before(after.percent), "without the approval that was asked for"
    if decision.percent > state.percent:
        assert after.step == state.step + 1, "more traffic than the step allows"
    if decision.action is Action.PROMOTE and state.phase is not Phase.PROMOTING:
        assert (state.percent == 100 and passed(state, seen)) or (opened and state.then is Phase.PROMOTING)
    if decision.action is Action.REGISTER:
        assert seen.taken_over, "the registry ahead of the traffic"
    if decision.action is Action.REJECT:
        assert seen.withdrawn, "the registry ahead of the traffic"
        assert not after.without_fault, "rejected though nothing was found wrong"
    if after.without_fault and not state.without_fault and seen.abort is None:
        assert not seen.failure, "a challenger that stopped is not rejected"
    if after.without_fault and not state.without_fault:
        assert Phase.ROLLING_BACK not in (state.phase, state.then), "a rejection was lost"
    if after.phase is Phase.WITHDRAWN:
        assert state.phase is Phase.WITHDRAWN or (seen.withdrawn and state.without_fault)
    if seen.edited and seen.abort is None:
        assert decision.action not in MOVES, "a person's edit overwritten"
    is_ending = state.phase in (Phase.PROMOTING, Phase.ROLLING_BACK)
    is_outwaited = is_ending and seen.now - state.since <= PARAMETERS.shift_seconds
    if seen.refusal and seen.abort is None and state.phase is not Phase.WAITING and not is_outwaited:
        assert decision.action not in MOVES, "what was refused tried again unasked"
    is_broken = seen.failure and not (seen.taken_over or seen.edited or seen.refusal)
    if is_broken and Phase.PROMOTING in (state.phase, state.then):
        assert after.phase is Phase.ROLLING_BACK, "users left on a challenger that stopped"
    if Phase.ROLLING_BACK in (after.phase, after.then):
        assert after.cause, "rolled back for no recorded cause"
    if after.phase is Phase.WAITING:
        assert after.gate, "waits for nothing"
        assert after.then is not None, "waits for nothing"
    if state.phase.is_end:
        assert after == state
    check_window(state, seen, after)


def check_window(state, seen, after):
    """Asserts the laws of a window that grows."""
    is_same = (after.phase, after.window) == (Phase.BAKING, state.window)
    is_alone = not (seen.failure or seen.edited or seen.refusal or seen.abort)
    if state.phase is not Phase.BAKING or not is_alone or seen.now > state.deadline:
        return
    if seen.lacks and seen.share == state.percent:
        assert after.inconclusives == state.inconclusives, "what time brings counted as inconclusive"
        if seen.now - state.window < PARAMETERS.longest_window:
            assert is_same, "given up before its limit"
    if seen.lacks and seen.now - state.window >= PARAMETERS.longest_window:
        assert not is_same, "grown beyond its limit"


@pytest.mark.parametrize("state", STATES, ids=lambda state: f"{state.phase}-{state.percent}-{state.gate}")
def test_the_laws_hold_for_every_state_and_observation(state):
    for seen in observations(state):
        check(state, seen, decide(state, seen))


seconds = st.sampled_from([0.0, 1.0, 3.0, WINDOW, 35.0, 70.0])
anything = st.fixed_dictionaries(
    {},
    optional={
        "share": st.sampled_from([None, 0, 25, 50, 100]),
        "ready": st.booleans(),
        "failure": st.sampled_from(["", "", "", "crashed"]),
        "edited": st.sampled_from(["", "", "somebody did"]),
        "refusal": st.sampled_from(["", "", "", "denied"]),
        "verdict": st.sampled_from([None, *Verdict]),
        "requests": st.sampled_from([0, 3, 5]),
        "disturbed": st.booleans(),
        "lacks": st.sampled_from([None, *Lack]),
        "approved": st.sampled_from(
            [Gate.parse(text) for text in ("step-100", "measure-1", "edit-1", "edit-2", "promote-1")]
        ),
        "abort": st.sampled_from([None, None, None, Abort("enough"), Abort("bad", AbortKind.REJECT)]),
        "taken_over": st.booleans(),
        "registered": st.booleans(),
        "withdrawn": st.booleans(),
        "rejected": st.booleans(),
    },
)
bad_days = st.lists(st.tuples(seconds, anything), max_size=40)


def live(state, days):
    """Gives a rollout one observation after another, each a change of a good one; checks every decision."""
    now = state.since
    for pause, changes in days:
        now += pause
        seen = replace(good(state, now=now, taken_over=False), **changes)
        if seen.verdict is not Verdict.INCONCLUSIVE:
            seen = replace(seen, lacks=None)
        decision = decide(state, seen)
        check(state, seen, decision)
        state = decision.state
    return state, now


@settings(max_examples=300)
@given(bad_days)
def test_the_laws_hold_for_every_sequence_of_observations(days):
    live(begun(), days)


@settings(max_examples=300)
@given(bad_days, st.sampled_from([None, *Verdict]), st.sampled_from([None, *Lack]), st.booleans(), st.booleans())
def test_every_rollout_ends_or_waits_for_a_person(days, verdict, lacks, works, is_ready):
    """Repeats one observation, good or bad, while time goes on."""
    state, now = live(begun(), days)
    for _ in range(300):
        if state.phase.is_end or state.phase is Phase.WAITING:
            return
        now += WINDOW
        share = state.percent if works else None
        ended = {"taken_over": works, "registered": works, "withdrawn": works, "rejected": works}
        seen = good(state, now=now, share=share, verdict=verdict, ready=is_ready, **ended)
        state = decide(state, replace(seen, lacks=lacks if verdict is Verdict.INCONCLUSIVE else None)).state
    raise AssertionError(f"stuck in {state}")


@settings(max_examples=300)
@given(bad_days)
def test_inconclusive_data_never_promotes_whatever_is_approved(days):
    state, now = begun(Parameters(**(PARAMETERS.as_dict() | {"steps": (0, 50, 100), "approvals": ()}))), START
    for pause, changes in days:
        now += pause
        unclear = changes | {"verdict": Verdict.INCONCLUSIVE, "approved": state.gate}
        state = decide(state, replace(good(state, now=now), **unclear)).state
        assert state.step == 0
        assert state.phase not in (Phase.PROMOTING, Phase.PROMOTED)
