"""A service that a pipeline has just created is waited for before its first rollout."""

import pytest

from content_arena.components.canary_rollout.controller import beginning
from content_arena.components.canary_rollout.controller.beginning import wait_until_serving
from content_arena.components.canary_rollout.controller.options import ServiceRef
from content_arena.components.canary_rollout.controller.pace import Clock
from content_arena.components.canary_rollout.kube.client import AwayError
from content_arena.components.canary_rollout.traffic.mode import TrafficError
from tests.components.canary_rollout.bench import Bench


@pytest.fixture
def slept(monkeypatch):
    """Waits for a service whose HTTPRoute appears at the fourth look; the pauses in between."""
    bench, pauses = Bench("Standard"), []
    monkeypatch.setattr(beginning, "KubernetesClient", lambda *_: bench.api)
    route = bench.api.route
    monkeypatch.setattr(bench.api, "route", lambda name: route(name) if len(pauses) >= 3 else None)
    clock = Clock(lambda: sum(pauses), pauses.append)

    def waited(seconds):
        wait_until_serving(ServiceRef("filter", "arena"), seconds, clock)
        return pauses

    return waited


def test_the_rollout_begins_as_soon_as_the_service_serves(slept, caplog):
    caplog.set_level("INFO", "content_arena.rollout")
    assert slept(600.0) == [5.0, 5.0, 5.0]
    (said,) = [line for line in caplog.messages if "waits until the service can have a canary" in line]
    assert "has no HTTPRoute" in said


def test_a_service_that_does_not_serve_in_time_is_an_error(slept):
    with pytest.raises(TrafficError, match="has no HTTPRoute"):
        slept(10.0)


def test_a_server_that_is_away_for_a_moment_is_waited_for(monkeypatch):
    bench, pauses = Bench("Standard"), []
    monkeypatch.setattr(beginning, "KubernetesClient", lambda *_: bench.api)
    service = bench.api.service

    def answers(name):
        if len(pauses) < 2:
            raise AwayError("the API server does not answer")
        return service(name)

    monkeypatch.setattr(bench.api, "service", answers)
    wait_until_serving(ServiceRef("filter", "arena"), 600.0, Clock(lambda: sum(pauses), pauses.append))
    assert pauses == [5.0, 5.0]
