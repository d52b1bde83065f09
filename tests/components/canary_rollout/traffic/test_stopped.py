"""A service that a person stopped."""

import pytest

from content_arena.components.canary_rollout.traffic.mode import TrafficError
from content_arena.components.canary_rollout.traffic.stopped import STOP_ANNOTATION, stopped
from tests.components.canary_rollout.bench import Bench


def stop(bench):
    bench.world.stored.patch({"metadata": {"annotations": {STOP_ANNOTATION: "true"}}})


@pytest.mark.parametrize(
    ("service", "is_stopped"),
    [
        ({"metadata": {"name": "filter"}}, False),
        ({"metadata": {"name": "filter", "annotations": {STOP_ANNOTATION: "false"}}}, False),
        ({"metadata": {"name": "filter", "annotations": {STOP_ANNOTATION: "true"}}}, True),
        ({"metadata": {"name": "filter"}, "status": {"conditions": [{"type": "Stopped", "status": "True"}]}}, True),
        ({"metadata": {"name": "filter"}, "status": {"conditions": [{"type": "Stopped", "status": "False"}]}}, False),
    ],
    ids=["no annotation", "started again", "asked for", "done", "not stopped"],
)
def test_annotation_or_condition_tell(service, is_stopped):
    assert bool(stopped(service)) == is_stopped


def test_no_rollout_of_a_stopped_service_begins(mode):
    bench = Bench(mode)
    stop(bench)
    with pytest.raises(TrafficError, match=f"filter is stopped .* annotate inferenceservice filter {STOP_ANNOTATION}-"):
        bench.begun()
    assert bench.api.writes == 0


def test_a_service_that_is_stopped_during_a_rollout_is_named(mode, caplog):
    bench = Bench(mode).begun()
    bench.end(until=lambda state: state.percent == 25)
    stop(bench)
    bench.process().reconcile_once()
    assert any("filter is stopped and answers nobody" in line for line in caplog.messages)
