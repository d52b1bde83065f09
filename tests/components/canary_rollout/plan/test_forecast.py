"""How long a rollout takes at the live rate, and which steps never gather enough answers."""

import math

import pytest

from content_arena.components.canary_rollout.analysis.checks import least_answers
from content_arena.components.canary_rollout.analysis.intervals import answers_for, share_of
from content_arena.components.canary_rollout.analysis.limits import Limits
from content_arena.components.canary_rollout.plan.forecast import Forecast, LiveRate
from content_arena.components.canary_rollout.plan.parameters import Parameters

PLAN = Parameters(min_requests=100)
LIMITS = Limits()


def forecast(per_second, plan=PLAN, limits=LIMITS):
    return Forecast(plan, LiveRate(per_second, "over the last 10 s"), least_answers(limits))


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.2])
def test_the_least_number_of_answers_is_the_least_whose_interval_is_within_the_limit(limit):
    n = answers_for(limit)
    assert share_of(0, n).high <= limit < share_of(0, n - 1).high


def test_the_p99_needs_381_answers_whatever_else_is_allowed():
    assert least_answers(Limits(error_margin=0.5, throttled_rate=0.5)) == 381
    assert least_answers(Limits(error_margin=0.001)) == 3838
    assert math.isinf(least_answers(Limits(error_margin=0.0)))


def test_much_traffic_takes_the_bakes_alone():
    found = forecast(1_000.0)
    assert found.seconds == len(PLAN.path) * (PLAN.bake_seconds + PLAN.warmup_seconds)
    assert found.lines() == [
        "users get about 1e+03 answers a second (over the last 10 s): the steps are measured for about 33 min 00 s in "
        "all, plus the time of pods, probes and approvals"
    ]


def test_a_step_that_never_gathers_enough_is_named_with_a_share_that_does():
    found = forecast(5.0)
    assert found.gathering(1) == pytest.approx(381 / 0.05)
    assert found.starving == [1]
    assert found.lines()[1] == (
        "1 % will not gather the 381 answers of a judgement within 1 h 00 min, since the p99 needs 381 whatever "
        "--min-requests says, and a person is asked then: begin with 3 % or more (--plan), or give a window more time "
        "(--window)"
    )
    assert forecast(5.0, Parameters(steps=(0, 3, 100), min_requests=100)).starving == []


def test_a_step_is_judged_after_whole_bakes():
    # 381 answers at 0.5 a second take 762 s: three bakes.
    assert forecast(50.0).measured(1) == 3 * PLAN.bake_seconds + PLAN.warmup_seconds


def test_a_service_that_nobody_calls_says_so():
    found = forecast(0.0)
    assert found.starving == [1, 5, 25, 50, 100]
    assert found.lines()[1].endswith("and a person is asked then: nobody calls the service now")


def test_a_deadline_that_is_over_before_is_said():
    lines = forecast(0.5, Parameters(min_requests=100, deadline_seconds=7_200)).lines()
    assert lines[-1] == "the deadline of 2 h 00 min is over before that (--deadline)"


def test_a_margin_of_nothing_is_said():
    assert "no number of answers is enough" in forecast(50.0, limits=Limits(error_margin=0.0)).lines()[1]


def test_more_answers_than_the_analysis_needs_can_be_asked_for():
    found = forecast(5.0, Parameters(min_requests=1_000))
    assert found.needed == 1_000
    assert "whatever --min-requests says" not in " ".join(found.lines())
