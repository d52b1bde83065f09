"""Bounds are relative to the champion: what troubles both convicts nobody."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.canary_rollout.analysis.bounds import NAMES, Bounds, loosened
from content_arena.components.canary_rollout.analysis.check import Kind, Subject
from content_arena.components.canary_rollout.analysis.checks import judge_probes, judge_traffic
from content_arena.components.canary_rollout.analysis.limits import Limits
from content_arena.components.canary_rollout.measuring.counters import LONGEST_QUEUE, judge_queue
from tests.components.canary_rollout.analysis.test_checks import (
    BOUNDS,
    FAIL,
    GOOD,
    INCONCLUSIVE,
    LIMITS,
    PASS,
    by_name,
    some_probes,
)

ABSOLUTE = Bounds(LIMITS, is_absolute=True)
TROUBLES = [
    (Subject.ERRORS, {"errors": 1_000}, {"errors": 4_000}),
    (Subject.THROTTLED, {"throttled": 1_000}, {"throttled": 4_000}),
    (Subject.P95, {"latencies": (0, 0, 9_000, 1_000, 0, 0)}, {"latencies": (0, 0, 0, 0, 0, 10_000)}),
    (Subject.P99, {"latencies": (0, 0, 9_400, 450, 150, 0)}, {"latencies": (0, 0, 0, 0, 0, 10_000)}),
]


def judged(champion, challenger, bounds=BOUNDS):
    ours = None if champion is None else replace(GOOD, **champion)
    return by_name(judge_traffic(ours, replace(GOOD, **challenger), bounds))


@pytest.mark.parametrize(("subject", "trouble", "worse"), TROUBLES)
def test_what_troubles_both_convicts_nobody(subject, trouble, worse):
    equal = judged(trouble, trouble)
    assert {equal[f"{subject}, bound"], equal[f"{subject}, champion"]} == {PASS}
    found = judged(trouble, worse)
    assert (found[f"{subject}, bound"], found[f"{subject}, champion"]) == (INCONCLUSIVE, FAIL)
    alone = judged({}, worse)
    assert {alone[f"{subject}, bound"], alone[f"{subject}, champion"]} == {FAIL}


def test_the_reason_names_the_champions_own_figure():
    checks = judge_traffic(replace(GOOD, errors=1_000), replace(GOOD, errors=4_000), BOUNDS)
    assert "; the champion is outside its own bound too: errors, bound: 0.1 [" in checks[0].reason
    assert not checks[0].grows, "more of the same does not decide it"


@pytest.mark.parametrize(("subject", "trouble", "worse"), TROUBLES)
def test_an_absolute_bound_holds_whatever_the_champion_does(subject, trouble, worse):
    assert judged(trouble, worse, ABSOLUTE)[f"{subject}, bound"] is FAIL
    assert judged(trouble, trouble, ABSOLUTE)[f"{subject}, bound"] is not PASS


def test_a_challenger_that_is_worse_than_a_champion_within_its_bound_still_fails():
    found = judged({"errors": 0}, {"errors": 200})
    assert found["errors, champion"] is FAIL


def test_a_single_error_of_the_champion_excuses_nothing():
    few = replace(GOOD, requests=40, errors=1)
    broken = replace(GOOD, requests=40, errors=40)
    assert by_name(judge_traffic(few, broken, BOUNDS))["errors, bound"] is FAIL


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_no_figure_of_traffic_fails_a_challenger_that_equals_the_champion(data):
    n = data.draw(st.integers(1, 20_000))
    counts = data.draw(st.lists(st.integers(0, 1_000), min_size=6, max_size=6).filter(any))
    same = replace(
        GOOD, requests=n, errors=data.draw(st.integers(0, n)), throttled=data.draw(st.integers(0, n)),
        latencies=tuple(counts),
    )  # fmt: skip
    assert FAIL not in by_name(judge_traffic(same, same, BOUNDS)).values()


def test_a_queue_that_both_have_is_no_fault_of_the_challenger():
    long = LONGEST_QUEUE + 1
    assert [check.verdict for check in judge_queue(long, 3.0)] == [FAIL]
    assert [check.verdict for check in judge_queue(long, None)] == [FAIL]
    assert [check.verdict for check in judge_queue(long, long)] == [INCONCLUSIVE]
    assert [check.verdict for check in judge_queue(3.0, long)] == [PASS]


# Probes.


def probed(champion, challenger, bounds=BOUNDS):
    return by_name(judge_probes(champion, challenger, bounds))


def test_a_champion_that_misses_a_limit_does_not_hold_up_its_equal():
    weak = some_probes(400, 200, flagged=200, wrong=180)
    assert set(probed(weak, weak).values()) == {PASS}
    assert PASS not in {probed(weak, weak, ABSOLUTE)[f"{name}, bound"] for name in ("evasion", "benign flagged", "F1")}


def test_a_challenger_that_is_worse_than_a_weak_champion_fails_by_the_comparison():
    found = probed(some_probes(400, 200), some_probes(400, 360))
    assert (found["evasion, bound"], found["evasion, champion"]) == (INCONCLUSIVE, FAIL)


def test_time_does_not_decide_what_probes_leave_open():
    assert not any(check.grows for check in judge_probes(some_probes(29, 0), some_probes(29, 0), BOUNDS))


# At 100 % there is no champion.


def test_a_challenger_is_held_to_what_it_passed_with_once_it_has_all_traffic():
    slow = {"latencies": (0, 0, 0, 10_000, 0, 0), "errors": 300}
    checks = judge_traffic(replace(GOOD, **slow), replace(GOOD, **slow), BOUNDS)
    passed_with = loosened(checks, LIMITS)
    assert set(passed_with) == {"errors", "p95", "p99"}
    assert passed_with["errors"] == pytest.approx(0.04)
    later = replace(BOUNDS, passed_with=passed_with)
    assert judged(None, slow)["p95, bound"] is FAIL
    assert judged(None, slow, later)["p95, bound"] is PASS
    assert judged(None, slow, later)["errors, bound"] is PASS
    assert judged(None, {"errors": 1_000}, later)["errors, bound"] is FAIL
    assert judged(None, slow, replace(later, is_absolute=True))["p95, bound"] is FAIL


def test_probes_that_passed_beside_the_champion_pass_without_it():
    weak = some_probes(120, 60, flagged=60, wrong=50)
    checks = judge_probes(weak, weak, BOUNDS)
    assert {check.verdict for check in checks} == {PASS}
    later = replace(BOUNDS, passed_with=loosened(checks, LIMITS))
    assert set(by_name(judge_probes(None, weak, later)).values()) == {PASS}
    worse = some_probes(120, 110, flagged=110, wrong=110)
    assert set(by_name(judge_probes(None, worse, later)).values()) == {FAIL}


def test_nothing_is_loosened_where_the_limits_are_met():
    same = some_probes(400, 20, 20, 5)
    checks = [*judge_traffic(GOOD, GOOD, BOUNDS), *judge_probes(same, same, BOUNDS)]
    assert {check.verdict for check in checks} == {PASS}
    assert loosened(checks, LIMITS) == {}


def test_every_figure_with_a_bound_has_a_limit_and_a_margin():
    assert {name for pair in NAMES.values() for name in pair} <= set(Limits.__dataclass_fields__)
    kinds = {check.subject for check in judge_traffic(None, GOOD, BOUNDS) if check.kind is Kind.BOUND}
    assert kinds | {Subject.EVASION, Subject.BENIGN_FLAGGED, Subject.F1} == set(NAMES)
