"""Windows from series, while pods are added, deleted and restarted."""

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client import Counter as Counting

from content_arena.components.canary_rollout.measuring.counters import (
    FLAGGED,
    LATENCIES,
    REQUESTS,
    SCORES,
    MeasureError,
    Reading,
    Tally,
    increase,
    parse,
    window_of,
)

V1 = "/v1/models/{model_name}:predict"
V2 = "/v2/models/{model_name}/infer"
GRPC = "/inference.GRPCInferenceService/ModelInfer"
ONE = (REQUESTS, (("path", V1), ("status", "200")))
PROCESSES = st.lists(
    # Steps of one process: it counts, and is read or not.
    st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=6),
    min_size=1,
    max_size=4,
)


def reading(value, started=None, series=ONE):
    return Reading(started, {series: float(value)})


def exposition(requests, latencies=(), scores=(), flagged=None):
    """Metrics as a predictor serves them."""
    registry = CollectorRegistry()
    answered = Counting(
        "content_arena_api_requests", "x", ["path", "method", "status", "model_version"], registry=registry
    )
    seconds = Histogram(
        "content_arena_api_request_duration_seconds", "x", ["path", "method", "model_version"], buckets=(0.1, 1.0),
        registry=registry,
    )  # fmt: skip
    judged = Counting("content_arena_model_flagged", "x", ["model_version", "is_toxic"], registry=registry)
    given_scores = Histogram("content_arena_model_score", "x", ["model_version"], buckets=(0.5, 1.0), registry=registry)
    for (path, status), value in requests.items():
        answered.labels(path, "POST", status, "2").inc(value)
    for path, value in latencies:
        seconds.labels(path, "POST", "2").observe(value)
    for value in scores:
        given_scores.labels("2").observe(value)
    for verdict, value in (flagged or {}).items():
        judged.labels("2", verdict).inc(value)
    return (
        generate_latest(registry).decode() + "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 7.5\n"
    )


def test_a_window_is_made_of_predictions_only():
    requests = {(V1, "200"): 90, (V2, "200"): 5, (V1, "500"): 3, (V1, "503"): 1, (GRPC, "429"): 1}
    requests |= {("/metrics", "200"): 50, ("/v2/health/ready", "503"): 9}
    latencies = [(V1, 0.05), (V1, 0.05), (V2, 0.5), (V1, 9.0), ("/metrics", 9.0)]
    read = parse(exposition(requests, latencies, scores=[0.2, 0.3, 0.9], flagged={"true": 1, "false": 2}))
    window = window_of(read.counters)
    assert read.started == 7.5
    assert (window.requests, window.errors, window.throttled) == (100, 4, 1)
    assert (window.edges, window.latencies) == ((0.1, 1.0, math.inf), (2, 1, 1))
    assert (window.texts, window.flagged, window.scores, window.versions) == (3, 1, (2, 1, 0), {"2"})


def test_a_version_that_only_announced_itself_has_not_answered():
    assert window_of(parse(exposition({}, flagged={"true": 0})).counters).versions == frozenset()


def test_nothing_is_an_empty_window():
    window = window_of({})
    assert (window.requests, window.texts, window.edges, window.latencies) == (0, 0, (math.inf,), (0,))


@pytest.mark.parametrize("text", ["<html>", "content_arena_api_requests_total{path=", "a b c d"])
def test_a_text_of_another_format_is_refused(text):
    with pytest.raises(MeasureError, match="not in Prometheus' text format"):
        parse(text)


@given(
    st.lists(st.floats(0, 20, allow_nan=False), min_size=1, max_size=40), st.integers(0, 1_000), st.integers(0, 1_000)
)
def test_parsing_gives_back_what_was_counted(latencies, good, bad):
    served = exposition({(V1, "200"): good, (V1, "500"): bad}, [(V1, s) for s in latencies])
    window = window_of(parse(served).counters)
    expected = Counter("fast" if s <= 0.1 else "slow" if s <= 1 else "worse" for s in latencies)
    assert window.latencies == tuple(expected[name] for name in ("fast", "slow", "worse"))
    assert (window.requests, window.errors) == (good + bad, bad)


@given(PROCESSES)
def test_only_counts_after_a_process_last_reading_are_lost(processes):
    tally, expected, now = Tally(begin=0.0), 0, 0.0
    tally.add({"pod": reading(0, 0.0)}, now)
    for number, process in enumerate(processes):
        value, read = 0, 0
        for counted, is_read in process:
            value, now = value + counted, now + 1
            if is_read:
                tally.add({"pod": reading(value, float(number))}, now)
                expected, read = expected + value - read, value
    assert tally.total.get(ONE, 0) == expected


def test_a_restart_shows_by_a_counter_that_fell_where_no_start_time_is_exposed():
    tally = Tally(begin=0.0)
    for now, value in enumerate((10, 30, 4)):
        tally.add({"pod": reading(value)}, float(now))
    assert tally.total[ONE] == 24
    assert tally.restarts == 1


@given(st.lists(st.integers(0, 100), min_size=1, max_size=10))
def test_increases_add_up(steps):
    values = [sum(steps[: n + 1]) for n in range(len(steps))]
    readings = [reading(value, 1.0) for value in values]
    rises = [increase(a, b)[ONE] for a, b in pairwise(readings)]
    assert sum(rises) == values[-1] - values[0]
    assert all(rise >= 0 for rise in rises)


def test_a_new_series_between_two_readings_counts_in_full():
    other = (REQUESTS, (("path", V1), ("status", "500")))
    after = Reading(1.0, {ONE: 12.0, other: 3.0})
    assert increase(reading(10, 1.0), after) == {ONE: 2.0, other: 3.0}


def test_what_a_step_does_before_it_is_measured_does_not_count():
    tally = Tally(begin=30.0)
    for now, value in ((0, 5), (20, 40), (29, 60)):
        tally.add({"pod": reading(value, -100.0)}, now)
    tally.add({"pod": reading(75, -100.0)}, 31)
    assert tally.total[ONE] == 15
    assert tally.since == 29


def test_a_pod_that_was_there_before_is_counted_from_its_first_reading_and_a_newer_one_from_its_start():
    tally = Tally(begin=30.0)
    tally.add({"old": reading(1_000, 1.0), "new": reading(7, 35.0), "silent": reading(500)}, 40)
    assert tally.total.get(ONE) == 7
    tally.add({"old": reading(1_010, 1.0), "new": reading(8, 35.0), "silent": reading(501)}, 41)
    assert tally.total[ONE] == 19
    assert tally.since == 40


def test_the_counts_of_a_deleted_pod_are_kept():
    tally = Tally(begin=0.0)
    tally.add({"a": reading(0, -1.0), "b": reading(0, -1.0)}, 0)
    tally.add({"a": reading(5, -1.0), "b": reading(6, -1.0)}, 1)
    tally.add({"a": reading(9, -1.0)}, 2)
    assert tally.total[ONE] == 15
    assert tally.restarts == 0


def test_a_restart_is_counted_and_the_new_process_from_zero():
    tally = Tally(begin=0.0)
    tally.add({"a": reading(100, -1.0)}, 0)
    tally.add({"a": reading(120, -1.0)}, 1)
    tally.add({"a": reading(130, 1.5)}, 2)
    assert tally.total[ONE] == 150
    assert tally.restarts == 1


def test_histograms_of_several_pods_and_prometheus_fractions_are_added():
    counters = {
        (LATENCIES, (("le", "0.1"), ("path", V1))): 10.4,
        (LATENCIES, (("le", "0.1"), ("path", V2))): 5.0,
        (LATENCIES, (("le", "+Inf"), ("path", V1))): 20.3,
        (LATENCIES, (("le", "+Inf"), ("path", V2))): 5.0,
        (SCORES, (("le", "0.5"),)): 1.2,
        (SCORES, (("le", "+Inf"),)): 1.1,
        (FLAGGED, (("is_toxic", "true"), ("model_version", "3"))): 0.4,
    }
    window = window_of(counters)
    assert (window.edges, window.latencies) == ((0.1, math.inf), (15, 10))
    assert window.scores == (1, 0)
