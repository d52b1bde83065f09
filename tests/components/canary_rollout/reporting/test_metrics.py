"""The metrics of a rollout, as Prometheus reads them."""

import socket
from dataclasses import replace

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.measuring.interface import Measurement
from content_arena.components.canary_rollout.plan.gate import Gate
from content_arena.components.canary_rollout.plan.state import Phase
from content_arena.components.canary_rollout.reporting.metrics import RolloutMetrics
from content_arena.components.shared.errors import InputError
from tests.components.canary_rollout.rollouts import START, at, begun

PREFIX = "content_arena_rollout"
ABOUT = {"namespace": "arena", "service": "filter"}


@pytest.fixture
def metrics():
    return RolloutMetrics("filter", "arena")


@pytest.fixture
def scrape(metrics):
    port = metrics.serve(0, "127.0.0.1")

    def read():
        text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
        return {
            (sample.name.removeprefix(f"{PREFIX}_"), *(v for k, v in sorted(sample.labels.items()) if k not in ABOUT)):
            sample.value for family in text_string_to_metric_families(text) for sample in family.samples
        }  # fmt: skip

    return read


def measured(*checks):
    return Measurement(checks[0].verdict, "", 42, checks)


def test_the_phase_and_the_versions_are_exposed(metrics, scrape):
    metrics.observe(replace(at(Phase.BAKING, step=1), failures=1, inconclusives=2))
    found = scrape()
    assert found["info", "2", "1", "r1"] == 1
    assert (found["step",], found["steps",], found["share",]) == (1, 3, 0.25)
    assert (found["failures",], found["inconclusives",], found["waiting_for_approval",]) == (1, 2, 0)
    assert found["started_timestamp_seconds",] == START
    assert {
        key[1]: value for key, value in found.items() if key[0] == "content_arena_rollout_phase"[len(PREFIX) + 1 :]
    } == {phase.value: float(phase is Phase.BAKING) for phase in Phase}


def test_verdicts_are_counted_and_checks_shown(metrics, scrape):
    good = Check(Kind.BOUND, Subject.ERRORS, Verdict.PASS, "")
    metrics.observe(at(Phase.BAKING), measured(good))
    metrics.observe(at(Phase.BAKING), measured(Check(Kind.BOUND, Subject.P95, Verdict.FAIL, "", slower_than=0.5)))
    found = scrape()
    assert found["verdicts_total", "pass"] == found["verdicts_total", "fail"] == 1
    assert found["verdicts_total", "inconclusive"] == 0
    assert found["judged_requests",] == 42
    assert (found["check", "p95, bound", "fail"], found["check", "p95, bound", "pass"]) == (1, 0)
    assert ("check", "errors, bound", "pass") not in found


def test_a_rollback_has_no_share(metrics, scrape):
    metrics.observe(at(Phase.ROLLED_BACK, step=2))
    assert scrape()["share",] == 0


def test_waiting_for_an_approval_can_be_alerted(metrics, scrape):
    metrics.observe(at(Phase.WAITING, gate=Gate.parse("step-100")))
    assert scrape()["waiting_for_approval",] == 1


def test_a_rollback_that_does_not_end_can_be_alerted(metrics, scrape):
    metrics.observe(at(Phase.BAKING))
    assert scrape()["going_back",] == 0
    metrics.observe(at(Phase.ROLLING_BACK))
    assert scrape()["going_back",] == 1
    metrics.observe(at(Phase.WAITING, gate=Gate.parse("withdraw-1"), then=Phase.ROLLING_BACK))
    assert scrape()["going_back",] == 1
    metrics.observe(at(Phase.ROLLED_BACK))
    assert scrape()["going_back",] == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_both_kinds_of_addresses_are_served(metrics, host):
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("needs IPv6 on the loopback interface: sysctl net.ipv6.conf.lo.disable_ipv6=0")
    assert requests.get(f"http://{host}:{metrics.serve(0)}/metrics", timeout=5).ok


def test_a_port_in_use_is_named(metrics):
    port = metrics.serve(0, "127.0.0.1")
    with pytest.raises(InputError, match=f"port {port} of"):
        RolloutMetrics("other", "arena").serve(port, "127.0.0.1")


def test_nothing_of_one_rollout_is_left_in_the_next(metrics):
    metrics.observe(begun())
    assert RolloutMetrics("filter", "arena").registry is not metrics.registry
