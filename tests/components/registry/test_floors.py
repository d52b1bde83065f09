"""The floors: one case for each cell of the truth table, and the law that a doubtful figure never passes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.registry.floors import DEFAULT_FLOORS, Floor, floors_from, judge_floors
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.figures import Rate

GOOD = {"clean_f1": 0.9, "clean_auroc": 0.95}
UNMEASURED = [None, math.nan, math.inf, -math.inf, "0.9", True, {}, [], Rate(None, 5), Rate(0.9, 0)]


def failed(version, floors=DEFAULT_FLOORS):
    return [result.metric for result in judge_floors(version, floors) if not result.passed]


def test_the_floors_of_a_run_without_settings():
    assert (Floor("clean_f1", 0.70), Floor("clean_auroc", 0.80)) == DEFAULT_FLOORS
    assert failed(GOOD) == []


@pytest.mark.parametrize(
    ("metric", "value", "passes"),
    [
        ("clean_f1", 0.70, True), ("clean_f1", 0.6999, False), ("clean_f1", 0.0, False), ("clean_f1", 1.0, True),
        ("clean_auroc", 0.80, True), ("clean_auroc", 0.7999, False), ("clean_auroc", 0.1 + 0.7, True),
    ],
)  # fmt: skip
def test_limits(metric, value, passes):
    assert failed({**GOOD, metric: value}) == ([] if passes else [metric])


@pytest.mark.parametrize("metric", GOOD)
@pytest.mark.parametrize("value", UNMEASURED, ids=repr)
def test_what_was_not_measured_is_below_every_floor(metric, value):
    assert failed({**GOOD, metric: value}) == [metric]
    assert failed({**GOOD, metric: value}, floors_from({metric: 0})) == [metric]


def test_what_is_missing_is_below_the_floor():
    assert failed({}) == ["clean_f1", "clean_auroc"]


def test_a_filter_that_learnt_from_random_labels_is_caught_though_its_f1_is_high():
    """Nine texts of ten are toxic, and it flags everything."""
    assert failed({"clean_f1": 2 * 0.9 / 1.9, "clean_auroc": 0.5}) == ["clean_auroc"]


def test_results_say_value_and_floor():
    f1, auroc = judge_floors({"clean_f1": 0.5})
    assert (f1.value, f1.least, f1.passed) == (0.5, 0.7, False)
    assert f1.reason == "clean_f1 0.5000 is below the floor 0.7"
    assert auroc.value is None
    assert auroc.reason == "clean_auroc could not be measured, and its floor is 0.8"


def test_settings_change_floors_and_keep_what_they_do_not_name():
    assert floors_from({"clean_f1": 0, "clean_recall": 0.5}) == (
        Floor("clean_f1", 0.0), Floor("clean_recall", 0.5), Floor("clean_auroc", 0.8),
    )  # fmt: skip
    assert floors_from() == floors_from({}) == DEFAULT_FLOORS


@pytest.mark.parametrize("least", [-0.1, 1.1, 70, math.nan, math.inf, True, "0.7", None])
def test_a_floor_that_is_none_is_refused(least):
    with pytest.raises(InputError, match=r"the floor of clean_f1 is .*, it has to be from 0 to 1"):
        floors_from({"clean_f1": least})


@pytest.mark.parametrize("name", ["clean_f2", "evasion", "guard_auroc"])
def test_a_figure_that_can_have_no_floor_is_named(name):
    with pytest.raises(InputError, match=rf"'{name}' can have no floor \(clean_f1, clean_precision,"):
        floors_from({name: 0.5})


@given(value=st.floats(), least=st.floats(0, 1))
def test_a_pass_means_the_rule_holds(value, least):
    (result,) = judge_floors({"m": value}, [Floor("m", least)])
    if result.passed:
        assert value >= least - 1e-8
