"""The gates: one case for each cell of the truth table, and the law that a doubtful figure never passes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.registry.gates import DEFAULT_GATES, Gate, GuardUse, gates_from, is_promoted, judge
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.figures import FIGURES, Rate
from tests.evaluations import gated

# The other figures that have a gate pass it, so that a new gate needs no change here.
CHAMPION = gated(clean_f1=0.87, evasion=Rate(0.3, 100), perturbed_benign_fpr=Rate(0.1, 100))
BETTER = gated(better=True, clean_f1=0.88, evasion=Rate(0.2, 100), perturbed_benign_fpr=Rate(0.1, 100))
#: What an evaluation may hold where it could not measure.
UNMEASURED = [None, math.nan, math.inf, "0.9", True, {}, {"rate": 0.1}, Rate(0.1, 0), Rate(None, 5),
              Rate(math.nan, 5), Rate(0.1, math.nan), [], [0.1]]  # fmt: skip


def failed(challenger, champion=CHAMPION):
    return [result.gate for result in judge(champion, challenger) if not result.passed]


def test_a_better_challenger_passes():
    assert failed(BETTER) == []
    assert is_promoted(judge(CHAMPION, BETTER))


@pytest.mark.parametrize(
    ("metric", "value", "passes"),
    [
        ("clean_f1", 0.86, True),
        ("clean_f1", 0.8599, False),
        ("clean_f1", 0.87, True),
        ("evasion", Rate(0.2999, 9), True),
        ("evasion", Rate(0.3, 9), False),
        ("evasion", Rate(0.31, 9), False),
        ("perturbed_benign_fpr", Rate(0.12, 9), True),
        ("perturbed_benign_fpr", Rate(0.1201, 9), False),
        ("perturbed_benign_fpr", Rate(0.0, 9), True),
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
    worse = {figure.name: -99.0 if figure.better == "higher" else 99.0 for figure in FIGURES}
    results = judge(CHAMPION, worse)
    assert [result.gate for result in results if not result.passed] == [gate.metric for gate in DEFAULT_GATES]
    for result in results:
        assert f"{result.challenger:.4f}" in result.reason
        assert f"{result.champion:.4f}" in result.reason
        assert f"{result.limit:.4f}" in result.reason


def test_a_model_does_not_beat_itself():
    assert failed(CHAMPION) == [gate.metric for gate in DEFAULT_GATES if gate.margin is None]
    assert "evasion" in failed(CHAMPION)


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


def test_settings_change_margins_and_keep_what_they_do_not_name():
    gates = {gate.metric: gate for gate in gates_from({"evasion": 0.01, "latency_p95_ms": 5, "clean_f1": 0})}
    defaults = {gate.metric: gate.margin for gate in DEFAULT_GATES}
    changed = {"clean_f1": 0, "evasion": 0.01, "latency_p95_ms": 5}
    assert {name: gate.margin for name, gate in gates.items()} == defaults | changed
    assert gates["perturbed_benign_fpr"].margin == 0.02
    assert gates["latency_p95_ms"].rule == "at most champion + 5"
    assert gates_from() == gates_from({}) == DEFAULT_GATES


@pytest.mark.parametrize("margin", [-0.1, 5, math.nan, math.inf, True, "0.1", None])
def test_a_margin_that_is_none_is_refused(margin):
    with pytest.raises(InputError, match=r"the margin of clean_f1 is .*, it has to be from 0 to 1"):
        gates_from({"clean_f1": margin})


def test_every_wrong_setting_is_named_with_what_there_is():
    with pytest.raises(InputError) as caught:
        gates_from({"clean_f2": 0.1, "latency_p95_ms": -1})
    assert "no figure is called 'clean_f2' (there are clean_f1, clean_precision," in str(caught.value)
    assert "the margin of latency_p95_ms is -1, it has to be 0 or more milliseconds" in str(caught.value)


GUARD_GATE = next(gate for gate in DEFAULT_GATES if gate.on_guard)
#: A value of the guard's figure for champion and challenger, and whether the gate passes: with a guard set.
WITH_GUARD = [
    (0.9, 0.95, True), (0.9, 0.9, True), (0.9, 0.89, True), (0.9, 0.8899, False),
    (None, 0.9, False), (0.9, None, False), (None, None, False), (math.nan, 0.9, False), (0.9, math.nan, False),
]  # fmt: skip


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(("champion", "challenger", "passes"), WITH_GUARD)
def test_with_a_guard_set_its_gate_is_judged_like_any_other(champion, challenger, passes, required):
    results = judge(
        {**CHAMPION, "guard_auroc": champion},
        {**BETTER, "guard_auroc": challenger},
        guard=GuardUse(there=True, required=required),
    )
    (result,) = (result for result in results if result.gate == "guard_auroc")
    assert result.passed is passes
    assert is_promoted(results) is passes


@pytest.mark.parametrize(("required", "passed", "promoted"), [(False, None, True), (True, False, False)])
@pytest.mark.parametrize("value", [None, 0.9])
def test_without_a_guard_set_its_gate_is_not_judged_or_fails_where_one_is_required(required, passed, promoted, value):
    figures = {"guard_auroc": value}
    results = judge({**CHAMPION, **figures}, {**BETTER, **figures}, guard=GuardUse(there=False, required=required))
    (result,) = (result for result in results if result.gate == "guard_auroc")
    assert result.passed is passed
    assert (result.champion, result.challenger, result.limit) == (None, None, None)
    assert "there is no guard set" in result.reason
    assert is_promoted(results) is promoted


def test_a_gate_that_is_not_judged_promotes_nothing_by_itself():
    results = judge({}, {}, [GUARD_GATE], GuardUse(there=False))
    assert [result.passed for result in results] == [None]
    assert not is_promoted(results)


def test_a_gate_that_is_not_judged_makes_up_for_no_other():
    results = judge(CHAMPION, {**BETTER, "clean_f1": 0.1}, guard=GuardUse(there=False))
    assert not is_promoted(results)


def test_the_margin_of_the_guard_set_is_a_setting():
    (gate,) = (gate for gate in gates_from({"guard_auroc": 0.03}) if gate.metric == "guard_auroc")
    assert (gate.margin, gate.on_guard) == (0.03, True)
    assert GUARD_GATE.margin == 0.01
