"""Every expression of every dashboard and alert, asked of a real Prometheus that scrapes the real thing."""

import time

import pytest

from .conftest import NAMESPACE
from .expressions import EXPLAINED, filled, operands, panels, rules

pytestmark = pytest.mark.slow
_PATIENCE = 60


def explained(expression):
    """Whether an expression is about something that no process of the arena exposes."""
    return any(metric in expression for metric in EXPLAINED)


def assert_returns_data(prometheus, expressions):
    """Asks until all return finite values: recordings need a moment, and so do rates."""
    end = time.monotonic() + _PATIENCE
    empty = expressions
    while empty and time.monotonic() < end:
        empty = [expression for expression in empty if not prometheus.values(expression)]
        time.sleep(0.5)
    assert not empty, "\n".join(empty)


def test_every_panel_returns_data_or_is_explained(prometheus):
    expressions = [filled(expression, NAMESPACE, "1m") for _, _, expression in panels()]
    assert len(expressions) > 60
    assert_returns_data(prometheus, [expression for expression in expressions if not explained(expression)])


def test_every_recording_returns_data(prometheus):
    assert_returns_data(prometheus, [*rules("record"), *(rule["expr"] for rule in rules("record").values())])


def test_every_vector_of_every_alert_returns_data(prometheus):
    """The alerts themselves are empty when all is well: what they compare must not be."""
    vectors = [vector for rule in rules("alert").values() for vector in operands(rule["expr"])]
    assert len(vectors) > len(rules("alert"))
    assert_returns_data(prometheus, [vector for vector in vectors if not explained(vector)])


def test_every_alert_can_be_asked(prometheus):
    for rule in rules("alert").values():
        prometheus.values(rule["expr"])


@pytest.mark.parametrize("metric", EXPLAINED)
def test_nothing_is_explained_that_returns_data_or_that_nobody_asks_for(prometheus, metric):
    assert prometheus.values(metric) == []
    asked = [*(expression for _, _, expression in panels()), *(rule["expr"] for rule in rules("alert").values())]
    assert any(metric in expression for expression in asked)


def test_the_registry_and_the_predictors_can_be_told_apart(prometheus):
    assert prometheus.values('sum(content_arena_model_version{source=""})') == [2]
    assert prometheus.values('content_arena_model_version{source="registry", alias="champion"}') == [1]
    # Version 2 is champion and served: nothing is left over.
    assert prometheus.values(rules("alert")["ContentArenaChampionNotServed"]["expr"]) == []
