"""What is said before a rollout begins."""

from dataclasses import replace

import pytest

from content_arena.components.canary_rollout.controller.beginning import RolloutRequest
from content_arena.components.canary_rollout.controller.options import ServiceRef
from content_arena.components.canary_rollout.controller.outlook import Scene, outlook
from content_arena.components.canary_rollout.measuring.config import MeasuringConfig
from content_arena.components.canary_rollout.measuring.counters import MeasureError, Reading
from content_arena.components.canary_rollout.measuring.endpoints import variants
from content_arena.components.canary_rollout.measuring.pod_metrics import PodMetrics
from content_arena.components.canary_rollout.plan.forecast import LiveRate
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.traffic.mover import Mover
from content_arena.components.shared.errors import RegistryError
from tests.components.canary_rollout.bench import TWO, Aliases, Bench
from tests.components.canary_rollout.variants_under_test import CHALLENGER, MODE, STABLE, Pods, pod, view

CHAMPION = variants(view(), MODE, STABLE, CHALLENGER).champion


class Answering:
    """A source with a known rate."""

    def __init__(self, per_second):
        self.per_second = per_second

    def rate(self, variant, now):
        if self.per_second is None:
            raise MeasureError("no pod of the champion is ready")
        return LiveRate(self.per_second, "over the last 5 s")


class Config(MeasuringConfig):
    """Measures nothing but a rate."""

    per_second = 5.0

    def source(self, *_):
        return Answering(self.per_second)


def looked(bench, registry=None, per_second=5.0):
    config = Config()
    object.__setattr__(config, "per_second", per_second)
    mover = Mover(bench.api, "filter")
    scene = Scene(ServiceRef("filter", "arena"), bench.api, mover, mover.mode.stable(mover.read()))
    return outlook(scene, registry or Aliases(), RolloutRequest(TWO, Parameters()), config)


def test_the_time_and_a_step_that_starves_are_said(mode):
    found = looked(Bench(mode))
    assert found.forecast.starving == [1]
    assert found.lines[0].startswith("users get about 5 answers a second")
    assert found.lines[1].startswith("1 % will not gather the 400 answers")
    assert found.lines[2].startswith("the registry has no gates of version 2")


@pytest.mark.parametrize("token", ["", "token-of-the-probes"])
def test_a_missing_token_for_probes_is_said_before_anything_begins(mode, monkeypatch, token):
    monkeypatch.setenv("CONTENT_ARENA_PROBE_TOKEN", token)
    said = " ".join(looked(Bench(mode)).lines)
    assert ("CONTENT_ARENA_PROBE_TOKEN is not set" in said) == (not token)
    assert "token-of-the-probes" not in said


def test_what_can_not_be_told_is_said_and_no_error(mode, monkeypatch):
    monkeypatch.delenv("CONTENT_ARENA_PROBE_TOKEN", raising=False)

    class Away(Aliases):
        def gate_figures(self, version):
            raise RegistryError("the registry does not answer")

    found = looked(Bench(mode), Away(), per_second=None)
    assert found.forecast is None
    assert found.lines == (
        "how long it takes is not known: no pod of the champion is ready",
        "the bounds are not compared with the gates of version 2: the registry does not answer",
        "CONTENT_ARENA_PROBE_TOKEN is not set: only predictors of version 0.1.0 can be measured without it",
    )


# The rate from the pods' own metrics.


def rate(monkeypatch, before, after, now=1_000.0):
    """``before``, ``after``: answers that two pods have counted; they started 500 s ago."""
    pods, slept = Pods(), []
    pods.by_labels[CHAMPION.labels] = [pod("a", 9), pod("b", 9)]
    source = PodMetrics(pods, sleep=slept.append)
    series = ("content_arena_api_requests_total", (("path", "x:predict"), ("status", "200")))
    counts = iter([*before, *after])
    monkeypatch.setattr(source, "_read", lambda found: (
        {one["metadata"]["name"]: Reading(500.0, {series: next(counts)}) for one in found}, []
    ))  # fmt: skip
    found = source.rate(CHAMPION, now)
    assert slept == [5.0]
    return found


def test_the_rate_is_what_was_counted_in_five_seconds(monkeypatch):
    assert rate(monkeypatch, (100.0, 50.0), (180.0, 70.0)) == LiveRate(20.0, "over the last 5 s")


def test_few_answers_tell_the_average_since_the_start(monkeypatch):
    found = rate(monkeypatch, (100.0, 50.0), (101.0, 50.0))
    assert found == LiveRate(pytest.approx(0.3), "on average since its pods started")


def test_without_a_ready_pod_there_is_no_rate():
    with pytest.raises(MeasureError, match="no pod of the champion is ready"):
        PodMetrics(Pods(), sleep=pytest.fail).rate(CHAMPION, 0.0)
    with pytest.raises(MeasureError, match="is ready"):
        PodMetrics(Pods(), sleep=pytest.fail).rate(replace(CHAMPION, labels=""), 0.0)
