"""Single cases of the plan; test_decide_laws has the laws for all cases."""

from dataclasses import replace

import pytest

from content_arena.components.canary_rollout.analysis.verdict import Lack
from content_arena.components.canary_rollout.plan.decide import Action, Observation, Verdict, decide
from content_arena.components.canary_rollout.plan.gate import Gate, GateKind, gate_before
from content_arena.components.canary_rollout.plan.observation import Abort, AbortKind
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Phase
from tests.components.canary_rollout.rollouts import PARAMETERS, START, WINDOW, at, begun, good

baking = at(Phase.BAKING, step=1)
SHIFT = PARAMETERS.shift_seconds


def walk(state, answers, limit=100):
    """Follows the plan in a cluster where everything works; ``answers(state)`` changes the observation."""
    taken = []
    for _ in range(limit):
        if state.phase.is_end:
            return state, taken
        seen = good(state, taken_over=state.phase is Phase.PROMOTING, registered=state.phase is Phase.PROMOTING)
        decision = decide(state, replace(seen, **answers(state)))
        if state.phase is Phase.WAITING and decision.state.gate == state.gate:
            return state, taken
        state = decision.state
        if decision.action is Action.SHIFT:
            taken.append(decision.percent)
    raise AssertionError(f"still {state.phase} after {limit} decisions")


def approve_all(state):
    return {"approved": state.gate or gate_before(100), "approver": "ann"}


@pytest.mark.parametrize(
    ("steps", "shares"),
    [((0, 1, 5, 25, 50, 100), [1, 5, 25, 50, 100]), ((0, 100), [100]), ((0, 50), [50, 100])],
    ids=["usual", "blue-green", "hold, then approved"],
)
def test_a_good_challenger_takes_every_step_once(steps, shares):
    state, taken = walk(begun(Parameters(steps=steps)), approve_all)
    assert state.phase is Phase.PROMOTED
    assert taken == shares


def test_a_hold_stays_where_it_is():
    state, taken = walk(begun(Parameters(steps=(0, 50))), lambda state: {})
    assert (state.phase, state.gate, taken) == (Phase.WAITING, gate_before(100), [50])


def test_the_approver_is_recorded():
    state, _ = walk(begun(), approve_all)
    assert state.approvals == ("step-100 by ann",)


def test_staging_needs_no_users():
    decision = decide(at(Phase.BAKING), good(at(Phase.BAKING), requests=0))
    assert (decision.state.phase, decision.percent) == (Phase.SHIFTING, 25)


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": Verdict.INCONCLUSIVE},
        {"verdict": None},
        {"requests": 4, "disturbed": True},
        {"verdict": Verdict.INCONCLUSIVE, "requests": 4},
        {"ready": False},
        {"share": None},
    ],
    ids=str,
)
def test_inconclusive_judgements_are_repeated_and_then_close_a_gate(changes):
    again = decide(baking, good(baking, **changes))
    assert (again.action, again.state.inconclusives, again.state.step) == (Action.MEASURE, 1, 1)
    asked = decide(again.state, good(again.state, now=baking.window + 2 * WINDOW, **changes))
    assert (asked.state.phase, str(asked.state.gate), asked.percent) == (Phase.WAITING, "measure-1", 25)


FEW = [
    {"requests": 4},
    {"requests": 0},
    {"verdict": Verdict.INCONCLUSIVE, "lacks": Lack.ANSWERS, "cause": "errors: too few"},
]


@pytest.mark.parametrize("few", FEW, ids=str)
def test_answers_add_up_over_a_window_that_had_too_few(few):
    end = baking.window + WINDOW
    short = decide(baking, good(baking, now=end, **few)).state
    assert (short.window, short.judged, short.inconclusives) == (baking.window, end, 0)
    assert short.reason.startswith("too few answers at 25 % so far: ")
    bake = PARAMETERS.bake_seconds
    assert decide(short, good(short, now=end + bake - 0.1)).state == short
    assert decide(short, good(short, now=end + bake)).state.step == short.step + 1


UNDER_WAY = {"verdict": Verdict.INCONCLUSIVE, "lacks": Lack.PROBES}


def test_probes_that_are_under_way_are_no_judgement_and_decide_as_soon_as_they_are_done():
    state = baking
    for late in range(5):
        state = decide(state, good(baking, now=baking.window + WINDOW + late, **UNDER_WAY)).state
    assert (state.window, state.judged, state.inconclusives) == (baking.window, 0.0, 0)
    assert state.reason == "measured at 25 %, its probes are still under way"
    assert decide(state, good(baking, now=baking.window + WINDOW + 5)).state.step == baking.step + 1


@pytest.mark.parametrize("few", [*FEW, UNDER_WAY], ids=str)
def test_a_window_that_has_grown_to_its_limit_asks_a_person(few):
    state, asked = baking, None
    longest = PARAMETERS.longest_window
    for now in range(12, int(longest) + 2):
        after = decide(state, good(baking, now=baking.window + now, **few)).state
        if after.phase is Phase.WAITING:
            asked = now
            break
        state = after
    assert (asked, str(after.gate), state.inconclusives) == (longest, "measure-1", 0)
    assert after.reason.startswith(f"no verdict at 25 % within {longest:g} s: ")
    anew = decide(after, good(after, now=after.since + 1, approved=after.gate)).state
    assert (anew.phase, anew.window) == (Phase.BAKING, after.since + 1)


def test_a_window_with_a_limit_below_the_bake_is_judged_once():
    state = at(Phase.BAKING, step=1, parameters=replace(PARAMETERS, window_seconds=1))
    assert decide(state, good(state, now=state.window + WINDOW - 0.1, requests=0)).state == state
    assert str(decide(state, good(state, requests=0)).state.gate) == "measure-1"
    assert decide(state, good(state)).state.step == state.step + 1


@pytest.mark.parametrize("changes", [{"verdict": Verdict.INCONCLUSIVE}, {"requests": 4, "disturbed": True}], ids=str)
def test_a_window_that_more_answers_can_not_complete_is_replaced(changes):
    again = decide(baking, good(baking, **changes)).state
    assert (again.window, again.judged, again.since) == (baking.window + WINDOW, 0.0, baking.since)


def test_an_approval_of_a_measure_gate_measures_again_and_does_not_promote():
    held = at(Phase.WAITING, step=1, gate=Gate.parse("measure-1"), then=Phase.BAKING, then_step=1)
    decision = decide(held, good(held, approved=Gate.parse("measure-1")))
    assert (decision.state.phase, decision.state.step) == (Phase.BAKING, 1)


def test_a_pass_before_the_end_of_the_bake_does_not_count():
    decision = decide(baking, good(baking, now=baking.window + WINDOW - 0.1))
    assert decision.state == baking


def test_a_failure_counts_before_the_end_of_the_bake():
    seen = good(baking, now=baking.window + PARAMETERS.warmup_seconds, verdict=Verdict.FAIL, cause="5xx")
    decision = decide(baking, seen)
    assert (decision.action, decision.percent) == (Action.ROLL_BACK, 0)
    assert "5xx" in decision.state.reason


def test_a_failure_while_warming_up_does_not_count():
    seen = good(baking, now=baking.window + PARAMETERS.warmup_seconds - 0.1, verdict=Verdict.FAIL)
    assert decide(baking, seen).state == baking


def test_failures_up_to_the_limit_are_measured_again():
    patient = at(Phase.BAKING, step=1, parameters=replace(PARAMETERS, failure_limit=1))
    once = decide(patient, good(patient, verdict=Verdict.FAIL))
    assert (once.action, once.state.failures) == (Action.MEASURE, 1)
    assert decide(once.state, good(once.state, verdict=Verdict.FAIL)).action is Action.ROLL_BACK


def test_a_share_that_is_not_the_decided_one_is_set_again():
    decision = decide(baking, good(baking, share=50))
    assert (decision.action, decision.percent) == (Action.SHIFT, 25)


@pytest.mark.parametrize(
    # More pods may have to come up before a share can follow.
    ("phase", "limit"), [(Phase.STAGING, 60), (Phase.SHIFTING, SHIFT)],
)  # fmt: skip
def test_a_phase_that_exceeds_its_time_limit_is_withdrawn(phase, limit):
    state = at(phase, step=0 if phase is Phase.STAGING else 1)
    assert decide(state, Observation(now=START + limit)).state == state
    late = decide(state, Observation(now=START + limit + 1, waiting_for="no room"))
    assert (late.action, late.state.without_fault) == (Action.ROLL_BACK, True)
    assert late.state.cause.endswith(f"within {limit:g} s (no room)")


@pytest.mark.parametrize(
    ("phase", "gate"), [(Phase.PROMOTING, Gate(GateKind.PROMOTE, 1)), (Phase.ROLLING_BACK, Gate(GateKind.WITHDRAW, 1))]
)
def test_a_promotion_or_rollback_that_exceeds_its_time_limit_waits_for_a_person(phase, gate):
    state = at(phase, step=3)
    held = decide(state, Observation(now=START + SHIFT + 1)).state
    assert (held.phase, held.gate) == (Phase.WAITING, gate)
    assert decide(held, Observation(now=START + SHIFT + 9, approved=gate)).state.phase is phase


@pytest.mark.parametrize("trouble", [{}, {"refusal": "denied"}, {"edited": "spec changed"}], ids=str)
def test_the_cause_of_a_rollback_is_kept_through_every_gate(trouble):
    state = replace(at(Phase.ROLLING_BACK, step=1), reason="failed at 25 %: 5xx")
    for _ in range(3):
        state = decide(state, Observation(now=state.since + SHIFT + 1, **trouble)).state
        assert state.phase is Phase.WAITING
        assert state.reason.endswith("failed at 25 %: 5xx")
        state = decide(state, Observation(now=state.since + 1, approved=state.gate, approver="ann")).state
    assert state.cause == "failed at 25 %: 5xx"
    gate = state.approvals[-1].split()[0]
    assert state.reason == f"{gate} approved by ann; it goes back because: failed at 25 %: 5xx"


@pytest.mark.parametrize(
    ("phase", "action"), [(Phase.PROMOTING, Action.PROMOTE), (Phase.ROLLING_BACK, Action.ROLL_BACK)]
)
def test_a_refused_promotion_or_rollback_is_retried_before_a_gate_closes(phase, action):
    state = at(phase, step=2)
    again = decide(state, Observation(now=START + SHIFT, refusal="denied"))
    assert (again.action, again.state) == (action, state)
    held = decide(state, Observation(now=START + SHIFT + 1, refusal="denied"))
    assert (held.action, str(held.state.gate)) == (Action.WAIT, "refused-1")
    assert "denied" in held.state.reason


def test_waiting_for_a_person_does_not_use_up_the_deadline():
    held = at(Phase.WAITING, step=2, gate=Gate.parse("step-100"), then=Phase.SHIFTING, then_step=3)
    late = held.window + 5 * PARAMETERS.deadline_seconds
    opened = decide(held, good(held, now=late, approved=Gate.parse("step-100"))).state
    assert (opened.phase, opened.percent) == (Phase.SHIFTING, 100)
    assert decide(opened, good(opened, now=late + 1)).state.phase is Phase.BAKING


def test_what_the_challenger_passed_with_beside_the_champion_is_kept_for_100_percent():
    state = decide(baking, good(baking, bounds={"p95": 1.2})).state
    assert state.bounds == {"p95": 1.2}
    half = at(Phase.BAKING, step=2, bounds={"p95": 1.2})
    assert decide(half, good(half)).state.bounds == {}, "the last step beside the champion counts"
    full = at(Phase.BAKING, step=3, bounds={"p95": 1.2})
    assert decide(full, good(full)).state.bounds == {"p95": 1.2}


def test_the_deadline_withdraws():
    late = baking.started_at + PARAMETERS.deadline_seconds + 1
    decision = decide(baking, good(baking, now=late))
    assert (decision.action, decision.state.without_fault) == (Action.ROLL_BACK, True)


def test_the_challenger_is_measured_while_the_rollout_waits():
    held = at(Phase.WAITING, step=2, gate=Gate.parse("step-100"), then=Phase.SHIFTING, then_step=3)
    assert decide(held, good(held)).action is Action.MEASURE
    assert decide(held, good(held, verdict=Verdict.FAIL)).action is Action.ROLL_BACK
    assert decide(held, good(held, failure="OOMKilled")).action is Action.ROLL_BACK


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.SHIFTING, Phase.BAKING, Phase.WAITING])
def test_a_challenger_whose_pods_fail_is_rolled_back_at_once(phase):
    gate = {"gate": gate_before(100), "then": Phase.SHIFTING, "then_step": 1} if phase is Phase.WAITING else {}
    state = at(phase, **gate)
    decision = decide(state, Observation(now=START, failure="exit code 3: no such bundle"))
    assert decision.action is Action.ROLL_BACK
    assert "no such bundle" in decision.state.reason


def test_an_edit_is_not_overwritten_and_goes_on_once_undone():
    held = decide(baking, good(baking, edited="spec.predictor changed")).state
    assert (held.phase, str(held.gate)) == (Phase.WAITING, "edit-1")
    still = decide(held, good(held, edited="spec.predictor changed", approved=Gate.parse("edit-1")))
    assert (still.action, still.state) == (Action.WAIT, held)
    missing = decide(held, good(held, approved=Gate.parse("edit-1")))
    assert (missing.action, missing.percent) == (Action.SHIFT, 25)


def test_a_challenger_that_stops_during_an_edit_is_named_once_and_rolled_back_after_the_edit():
    held = decide(baking, good(baking, edited="spec.predictor changed")).state
    said = decide(held, good(held, edited="spec.predictor changed", failure="OOMKilled"))
    assert (said.action, str(said.state.gate)) == (Action.WAIT, "edit-1")
    assert said.state.reason == f"{held.reason}; the challenger stopped: OOMKilled"
    again = decide(said.state, good(held, edited="spec.predictor changed", failure="OOMKilled again"))
    assert again.state == said.state
    assert decide(said.state, good(held, failure="OOMKilled")).action is Action.ROLL_BACK
    at_once = decide(baking, good(baking, edited="spec.predictor changed", failure="OOMKilled")).state
    assert at_once == replace(said.state, since=at_once.since, window=at_once.window)


PROMOTING = [
    at(Phase.PROMOTING, step=3),
    at(Phase.WAITING, step=3, gate=Gate.parse("promote-1"), then=Phase.PROMOTING, then_step=3),
]


@pytest.mark.parametrize("state", PROMOTING, ids=lambda state: state.phase.value)
def test_a_challenger_that_stops_before_it_has_taken_over_is_not_promoted(state):
    decision = decide(state, Observation(now=START, failure="OOMKilled"))
    assert (decision.action, decision.percent) == (Action.ROLL_BACK, 0)
    assert decision.state.reason == "the challenger stopped: OOMKilled"
    assert decide(state, Observation(now=START, failure="OOMKilled", taken_over=True)).state == state


def test_an_abort_wins_over_an_edit():
    held = decide(baking, good(baking, edited="spec.canary changed")).state
    decision = decide(held, good(held, edited="spec.canary changed", abort=Abort("ann: not today")))
    assert decision.state.reason == "aborted: ann: not today; the service had been edited: spec.canary changed"
    assert decision.action is Action.ROLL_BACK
    assert "ann: not today" in decision.state.reason
    assert decide(decision.state, good(held, edited="spec.canary changed", abort=Abort("x"))).action is Action.ROLL_BACK


def test_an_abort_during_the_promotion_is_too_late():
    promoting = at(Phase.PROMOTING, step=3)
    assert decide(promoting, Observation(now=START, abort=Abort("x"))).action is Action.PROMOTE


def test_the_registry_follows_the_traffic_and_never_leads():
    promoting = at(Phase.PROMOTING, step=3)
    assert decide(promoting, Observation(now=START)).action is Action.PROMOTE
    assert decide(promoting, Observation(now=START, registered=True)).action is Action.PROMOTE
    assert decide(promoting, Observation(now=START, taken_over=True)).action is Action.REGISTER
    assert decide(promoting, Observation(now=START, taken_over=True, registered=True)).state.phase is Phase.PROMOTED
    back = at(Phase.ROLLING_BACK)
    assert decide(back, Observation(now=START)).action is Action.ROLL_BACK
    assert decide(back, Observation(now=START, withdrawn=True)).action is Action.REJECT
    assert decide(back, Observation(now=START, withdrawn=True, rejected=True)).state.phase is Phase.ROLLED_BACK


@pytest.mark.parametrize("phase", [Phase.PROMOTED, Phase.ROLLED_BACK, Phase.WITHDRAWN])
def test_an_ended_rollout_does_not_change(phase):
    state = at(phase)
    decision = decide(state, good(state, abort=Abort("x"), edited="y", failure="z"))
    assert (decision.action, decision.state) == (Action.NOTHING, state)


def test_a_share_that_the_route_does_not_show_in_time_is_withdrawn_without_fault():
    shifting = at(Phase.SHIFTING, step=1)
    late = Observation(now=START + 31, share=0, ready=True, unfollowed=30.5, waiting_for="the HTTPRoute")
    state = decide(shifting, late).state
    assert (state.phase, state.without_fault) == (Phase.ROLLING_BACK, True)
    assert state.cause == "the HTTPRoute did not show 25 % within 30 s"
    assert decide(shifting, replace(late, unfollowed=30.0)).state == shifting
    gone = Observation(now=START + 60, share=0, withdrawn=True)
    assert decide(state, gone).action is not Action.REJECT
    assert decide(state, gone).state.phase is Phase.WITHDRAWN


def test_users_who_are_sent_elsewhere_while_the_pods_start_end_the_rollout_without_fault():
    staging = at(Phase.STAGING)
    astray = Observation(now=START + 31, share=None, ready=True, unfollowed=30.5, waiting_for="users are sent to 00001")
    state = decide(staging, astray).state
    assert (state.phase, state.without_fault) == (Phase.ROLLING_BACK, True)
    assert state.cause == "the traffic was not as asked for 30 s (users are sent to 00001)"
    assert decide(staging, replace(astray, unfollowed=30.0)).state == staging


@pytest.mark.parametrize("kind", AbortKind)
def test_an_abort_rejects_the_version_only_if_it_says_so(kind):
    back = decide(baking, good(baking, abort=Abort("ann: not today", kind))).state
    gone = Observation(now=START, withdrawn=True)
    if kind is AbortKind.REJECT:
        assert decide(back, gone).action is Action.REJECT
        assert decide(back, replace(gone, rejected=True)).state.phase is Phase.ROLLED_BACK
    else:
        assert decide(back, gone).state.phase is Phase.WITHDRAWN
    assert back.is_abandoned == (kind is AbortKind.ABANDON)
