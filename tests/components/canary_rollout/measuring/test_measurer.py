"""Real predictors as two variants: an equal one passes, every fault fails, and missing data passes nothing."""

import itertools
import time
from dataclasses import replace
from functools import partial

import pytest

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject
from content_arena.components.canary_rollout.analysis.limits import Limits
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.measuring.counters import Counted, MeasureError, window_of
from content_arena.components.canary_rollout.measuring.interface import Moment
from content_arena.components.canary_rollout.measuring.measurer import LiveMeasurer
from content_arena.components.canary_rollout.measuring.pod_metrics import PodMetrics
from content_arena.components.canary_rollout.measuring.prober import Prober, ProbeTiming
from content_arena.components.canary_rollout.measuring.probes import draw_probe_set
from content_arena.components.canary_rollout.traffic.knative import Knative
from content_arena.components.canary_rollout.traffic.mode import StableSpec
from content_arena.components.shared import records
from tests.components.canary_rollout.variants_under_test import (
    CHALLENGER,
    CHALLENGERS,
    MODE,
    STABLE,
    Pods,
    call,
    corpus,
    view,
)
from tests.components.predictor import conftest as predictors

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
#: The tiny model knows whole words only, so every misspelt one evades it. Only differences between versions matter.
#: The margins fit 40 texts: smaller differences are not significant on so few.
LIMITS = Limits(evasion=1.0, evasion_margin=0.1, benign_margin=0.1, p95_seconds=0.5, p99_seconds=1.0, slower=20.0)
#: Runs a predictor that knows the probes.
running = partial(predictors.running, environment=predictors.KNOWS_PROBES)
FAULTY = "tests.components.canary_rollout.faulty_predictor"
CALLS = 450


@pytest.fixture(scope="module")
def probes(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.parquet"
    records.write(records.Sample, corpus(), path)
    made = draw_probe_set(path, texts_per_label=40, clean_per_label=60, budget=1)
    return lambda draw: made


@pytest.fixture(scope="module")
def champion(tiny_bundle):
    with running(tiny_bundle.path, "--model_version", "1") as server:
        yield server


@pytest.fixture(scope="module")
def equal(tiny_bundle):
    with running(tiny_bundle.path, "--model_version", "2") as server:
        yield server


class Loop:
    """A measurer and the clock of its loop, which advances with every iteration."""

    def __init__(self, probes, pods, source=None, limits=LIMITS, start=lambda work: work(), is_absolute=False):
        self.window = self.now = time.time()
        timing, token = ProbeTiming(share=1.0, pause_seconds=0.0), predictors.PROBE_TOKEN
        prober = Prober(probes, pods, timing=timing, start=start, token=token)
        source = source or PodMetrics(pods)
        self.measurer = LiveMeasurer(source, prober, limits, is_absolute=is_absolute, warmup_seconds=1.0)

    def measure(self, percent=50, ready=1):
        """Measures; the next iteration is 10 s later."""
        found = self.measurer.measure(self.moment(percent, STABLE, view(ready), MODE))
        self.now += 10.0
        return found

    def moment(self, percent, stable, seen, mode):
        return Moment(self.window, self.window, self.now, percent, stable, CHALLENGER, seen, mode)


def named(measurement, verdict):
    return {check.label for check in measurement.checks if check.verdict is verdict}


def met(champion, challenger, probes, percent=50, calls=CALLS):
    """Measured before and after users called both."""
    loop = Loop(probes, Pods(champion, challenger))
    loop.measure(percent)
    for server in (champion, challenger):
        call(server, calls)
    return loop.measure(percent)


def test_an_equal_challenger_passes(champion, equal, probes):
    found = met(champion, equal, probes)
    assert found.verdict is PASS, found
    assert found.requests == CALLS
    assert {"errors, bound", "p95, champion", "scores", "evasion, champion", "F1, bound", "version", "watched",
            "version, probes", "errors, probes"} <= named(found, PASS)  # fmt: skip
    assert found.cause == f"{len(found.checks)} checks passed, on {CALLS} answers to users"


def test_staging_is_judged_by_probes_alone(champion, equal, probes):
    found = Loop(probes, Pods(champion, equal)).measure(percent=0)
    assert found.verdict is PASS
    assert found.requests == 0
    assert "ready" in named(found, PASS)
    assert not {"errors, bound", "version", "watched"} & named(found, PASS)


def test_a_challenger_with_all_traffic_is_judged_by_bounds_and_probes(champion, equal, probes):
    loop = Loop(probes, Pods(champion, equal))
    loop.measure(100)
    call(equal, CALLS)
    found = loop.measure(100)
    assert found.verdict is PASS, found
    assert "evasion, champion" in named(found, PASS)
    assert "errors, champion" not in named(found, PASS)


def test_a_challenger_with_all_traffic_needs_no_champion(champion, equal, tiny_bundle, probes):
    loop = Loop(probes, Pods(None, equal))
    loop.measure(100)
    call(equal, CALLS)
    found = loop.measure(100)
    assert found.verdict is PASS, found
    assert {"evasion, bound", "version, probes", "errors, probes"} <= named(found, PASS)
    assert "evasion, champion" not in named(found, PASS)
    with running(tiny_bundle.path, "--model_version", "9") as wrong:
        assert "version, probes" in named(Loop(probes, Pods(None, wrong)).measure(100), FAIL)


def test_with_all_traffic_at_the_challenger_the_champions_counts_do_not_matter(equal, probes):
    class Prometheus:
        def count(self, begin, now, champion, challenger):
            counted = PodMetrics(Pods(None, equal)).count(now - 1, now, champion, challenger)
            gone = Check(Kind.COUNTS, Subject.CHAMPION, INCONCLUSIVE, "no counts of the champion's pods")
            return replace(counted, checks=(gone,))

    loop = Loop(probes, Pods(None, equal), Prometheus())
    loop.measure(100)
    assert "champion's counts" not in {check.name for check in loop.measure(100).checks}
    assert "champion's counts" in named(loop.measure(50), INCONCLUSIVE)


def test_probes_are_not_counted_as_users_traffic(champion, equal, probes):
    loop = Loop(probes, Pods(champion, equal))
    loop.measure()
    found = loop.measure()
    assert found.requests == 0
    assert {"F1, bound", "evasion, champion"} <= named(found, PASS)


def test_no_traffic_is_inconclusive_with_the_reason(champion, equal, probes):
    loop = Loop(probes, Pods(champion, equal))
    loop.measure()
    found = loop.measure()
    assert found.verdict is INCONCLUSIVE
    assert {"errors, bound", "p95, bound", "flagged", "scores", "version"} <= named(found, INCONCLUSIVE)
    assert "nothing answered" in found.cause


def test_a_challenger_that_answers_5xx_fails(champion, tiny_bundle, probes, monkeypatch):
    monkeypatch.setenv("PREDICTOR_FAULT", "failing")
    with running(tiny_bundle.path, "--model_version", "2", module=FAULTY) as failing:
        found = met(champion, failing, probes)
        assert found.verdict is FAIL
        assert {"errors, bound", "errors, champion", "errors, probes"} <= named(found, FAIL)
        # It fails before it gets any traffic.
        staging = Loop(probes, Pods(champion, failing)).measure(percent=0)
        assert named(staging, FAIL) == {"errors, probes"}
        assert "answered with 5xx" in staging.cause


def test_a_slow_challenger_fails(champion, tiny_bundle, probes, monkeypatch):
    monkeypatch.setenv("PREDICTOR_FAULT", "slow")
    with running(tiny_bundle.path, "--model_version", "2", module=FAULTY) as slow:
        # Probes at 0.7 s a request would take minutes, so none are started.
        loop = Loop(probes, Pods(champion, slow), start=lambda work: None)
        loop.measure()
        call(champion, CALLS)
        call(slow, 40)
        found = loop.measure()
    # Whether 0.7 s are 20 times the champion's latency depends on the machine.
    assert "p95, bound" in named(found, FAIL)


def test_the_wrong_version_fails_by_its_answers(champion, tiny_bundle, probes):
    with running(tiny_bundle.path, "--model_version", "9") as wrong:
        found = met(champion, wrong, probes, calls=40)
    assert {"version", "version, probes"} <= named(found, FAIL)
    assert "answered by version 9, wanted 2" in found.cause


def test_a_champion_that_answers_with_another_version_does_not_fail_the_challenger(equal, probes):
    loop = Loop(probes, Pods(equal, equal))
    assert "champion's version, probes" in named(loop.measure(percent=0), INCONCLUSIVE)


def test_a_champion_without_a_configured_version_answers_with_its_bundles_digest(tiny_bundle, equal, probes):
    with running(tiny_bundle.path) as unconfigured:
        loop = Loop(probes, Pods(unconfigured, equal))
        stable = replace(STABLE, mode_state=StableSpec("v1", 1, 3).as_state())
        found = loop.measurer.measure(loop.moment(0, stable, view(), MODE))
    assert found.verdict is PASS, found


def test_a_challenger_with_more_evasion_fails(make_bundle, equal, probes):
    """Both catch every unperturbed toxic text. Benign words around it are enough to evade one of them."""
    with running(make_bundle(bias=-0.7).path, "--model_version", "1") as keen:
        found = Loop(probes, Pods(keen, equal), limits=replace(LIMITS, evasion_margin=0.0)).measure(percent=0)
    assert named(found, FAIL) == {"evasion, champion"}


def test_a_challenger_that_flags_more_benign_text_fails(champion, make_bundle, probes):
    with running(make_bundle(bias=2.0).path, "--model_version", "2") as strict:
        found = met(champion, strict, probes)
    assert found.verdict is FAIL
    assert {"benign flagged, champion", "flagged", "scores"} <= named(found, FAIL)


def test_a_challenger_that_is_not_ready_does_not_pass(champion, equal, probes):
    found = Loop(probes, Pods(champion, equal)).measure(percent=0, ready=0)
    assert named(found, INCONCLUSIVE) == {"ready"}


def test_no_pod_to_probe_is_inconclusive(champion, probes):
    found = Loop(probes, Pods(champion)).measure(percent=0)
    assert found.verdict is INCONCLUSIVE
    assert any("no pod of the challenger is ready" in check.reason for check in found.checks)


def test_the_step_is_not_counted_while_it_warms_up(champion, equal, probes):
    loop = Loop(probes, Pods(champion, equal))
    loop.measurer._warmup_seconds = 25.0
    for _ in range(3):
        for server in (champion, equal):
            call(server, 20)
        found = loop.measure()
        assert (found.requests, found.verdict) == (0, INCONCLUSIVE)
        assert any("warming up" in check.reason for check in found.checks)
    for server in (champion, equal):
        call(server, 30)
    assert loop.measure().requests == 30


def test_after_a_restart_in_mid_window_the_rest_of_it_is_not_enough_to_pass(champion, equal, probes):
    pods = Pods(champion, equal)
    loop = Loop(probes, pods)
    loop.measure()
    loop.now += 300.0
    loop.measurer = LiveMeasurer(PodMetrics(pods), loop.measurer._prober, LIMITS)
    loop.measure()
    for server in (champion, equal):
        call(server, CALLS)
    found = loop.measure()
    assert found.requests == CALLS
    # On a busy machine the latencies of these few answers may be inconclusive too.
    assert (found.verdict, "watched" in named(found, INCONCLUSIVE)) == (INCONCLUSIVE, True)
    assert "of 320 s of the window were observed" in found.cause


class Broken:
    """A source that fails with a reason."""

    def count(self, *_):
        raise MeasureError("Prometheus at prometheus does not answer (ConnectionError)")


def test_without_a_source_the_reason_is_the_cause(champion, equal, probes):
    found = Loop(probes, Pods(champion, equal), Broken()).measure()
    assert found.verdict is INCONCLUSIVE
    assert found.cause == "Prometheus at prometheus does not answer (ConnectionError)"


class Fixed:
    """A source with known counts."""

    def __init__(self, counters):
        self._counted = Counted(window_of(counters), window_of(counters))

    def count(self, *_):
        return self._counted


def test_few_answers_fail_nothing(champion, equal, probes):
    path = "/v1/models/{model_name}:predict"
    requests = "content_arena_api_requests_total"
    counters = {
        (requests, (("model_version", "2"), ("path", path), ("status", "200"))): 2.0,
        (requests, (("model_version", "2"), ("path", path), ("status", "500"))): 2.0,
        ("content_arena_api_request_duration_seconds_bucket", (("le", "0.5"), ("path", path))): 0.0,
        ("content_arena_api_request_duration_seconds_bucket", (("le", "+Inf"), ("path", path))): 4.0,
    }
    loop = Loop(probes, Pods(champion, equal), Fixed(counters), is_absolute=True)
    loop.now += 10
    found = loop.measure()
    assert not named(found, FAIL)
    reasons = {check.label: check.reason for check in found.checks}
    assert "fewer than 30 answers" in reasons["errors, bound"]
    assert "fewer than 30 answers" in reasons["p95, bound"]


def test_a_revision_that_is_not_known_is_inconclusive(champion, equal, probes):
    """Knative: before the challenger's revision has a name."""
    loop = Loop(probes, Pods(champion, equal))
    service = {"metadata": {"name": "filter"}, "spec": {"predictor": {"model": {}}}, "status": {}}
    stable, unnamed = (
        replace(STABLE, mode_state=StableSpec("v1", revision="filter-1").as_state()),
        replace(view(), service=service),
    )
    loop.now += 10
    found = loop.measurer.measure(loop.moment(50, stable, unnamed, Knative()))
    assert any("are not known yet" in check.reason for check in found.checks)
    assert found.verdict is INCONCLUSIVE


def test_every_check_has_a_name_of_its_own(champion, equal, probes):
    found = met(champion, equal, probes, calls=5)
    names = [check.name for check in found.checks]
    assert len(names) == len(set(names))
    assert all(check.reason for check in itertools.chain(found.checks))
    assert CHALLENGERS not in found.cause
