"""The gates: one case a cell of the truth table, and the law that nothing doubtful passes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.registry.gates import DEFAULT_GATES, Gate, is_promoted, judge

CHAMPION = {"clean_f1": 0.87, "evasion": {"rate": 0.3, "n": 100}, "perturbed_benign_fpr": {"rate": 0.1, "n": 100}}
BETTER = {"clean_f1": 0.88, "evasion": {"rate": 0.2, "n": 100}, "perturbed_benign_fpr": {"rate": 0.1, "n": 100}}
#: What an evaluation may hold where it could not measure.
UNMEASURED = [None, math.nan, math.inf, "0.9", True, {}, {"rate": 0.1}, {"rate": 0.1, "n": 0}, {"rate": None, "n": 5},
              {"rate": math.nan, "n": 5}, {"rate": 0.1, "n": math.nan}, [], [0.1]]  # fmt: skip


def failed(challenger, champion=CHAMPION):
    return [result.gate for result in judge(champion, challenger) if not result.passed]


def test_a_better_challenger_passes():
    assert failed(BETTER) == []
    assert is_promoted(judge(CHAMPION, BETTER))


@pytest.mark.parametrize(
    ("metric", "value", "passes"),
    [
        ("clean_f1", 0.865, True),
        ("clean_f1", 0.8649, False),
        ("clean_f1", 0.87, True),
        ("evasion", {"rate": 0.2999, "n": 9}, True),
        ("evasion", {"rate": 0.3, "n": 9}, False),
        ("evasion", {"rate": 0.31, "n": 9}, False),
        ("perturbed_benign_fpr", {"rate": 0.12, "n": 9}, True),
        ("perturbed_benign_fpr", {"rate": 0.1201, "n": 9}, False),
        ("perturbed_benign_fpr", {"rate": 0.0, "n": 9}, True),
    ],
)
def test_limits(metric, value, passes):
    assert (failed({**BETTER, metric: value}) == []) == passes


@pytest.mark.parametrize("metric", [gate.metric for gate in DEFAULT_GATES])
@pytest.mark.parametrize("value", UNMEASURED, ids=repr)
def test_what_was_not_measured_fails_on_either_side(metric, value):
    assert failed({**BETTER, metric: value}) == [metric]
    assert failed(BETTER, {**CHAMPION, metric: value}) == [metric]


@pytest.mark.parametrize("metric", [gate.metric for gate in DEFAULT_GATES])
def test_what_is_missing_fails(metric):
    assert failed({name: value for name, value in BETTER.items() if name != metric}) == [metric]


def test_all_failures_are_reported_with_both_values_and_the_limit():
    worse = {"clean_f1": 0.5, "evasion": {"rate": 0.9, "n": 9}, "perturbed_benign_fpr": {"rate": 0.9, "n": 9}}
    results = judge(CHAMPION, worse)
    assert [result.passed for result in results] == [False, False, False]
    for result in results:
        assert f"{result.challenger:.4f}" in result.reason
        assert f"{result.champion:.4f}" in result.reason
        assert f"{result.limit:.4f}" in result.reason


def test_a_model_does_not_beat_itself():
    assert failed(CHAMPION) == ["evasion"]


def test_no_gates_no_promotion():
    assert not is_promoted(judge(CHAMPION, BETTER, gates=()))


@given(old=st.floats(), new=st.floats(), margin=st.none() | st.floats(0, 1))
def test_a_pass_means_the_rule_holds(old, new, margin):
    gate = Gate(metric="m", better="higher", margin=margin)
    (result,) = judge({"m": old}, {"m": new}, [gate])
    if result.passed:
        assert new >= old - (margin or 0) - 1e-8
        assert margin is not None or new > old


def test_a_negative_margin_is_refused():
    with pytest.raises(ValueError, match="margin"):
        Gate(metric="m", better="lower", margin=-0.1)
