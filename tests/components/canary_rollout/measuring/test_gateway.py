"""Errors at the gateway: a real Prometheus that scrapes what Envoy was seen to expose, and the sums."""

import contextlib
import shutil
import time
from dataclasses import replace
from http.server import ThreadingHTTPServer
from typing import ClassVar

import pytest

from content_arena.components.canary_rollout.analysis.checks import Window
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.measuring.counters import Counted
from content_arena.components.canary_rollout.measuring.endpoints import variants
from content_arena.components.canary_rollout.measuring.gateway import unanswered, with_gateway
from content_arena.components.canary_rollout.measuring.prometheus import Prometheus
from tests.background import serve
from tests.components.canary_rollout.measuring.exposition import Exposition
from tests.components.canary_rollout.variants_under_test import CHALLENGER, MODE, STABLE, Pods, pod, view
from tests.manifests.monitoring.conftest import scraping

CHAMPION, THEIRS = variants(view(), MODE, STABLE, CHALLENGER)
EMPTY = Window(0, 0, 0, (float("inf"),), (0,), 0, 0, (0,), frozenset())
#: As scraped from Envoy Gateway 1.9 with enablePerEndpointStats.
LINE = (
    'envoy_cluster_endpoint_rq_error{{envoy_cluster_name="httproute/{route}/rule/0",'
    'envoy_endpoint_address="{address}"}} {errors}'
)


class Envoy(Exposition):
    """The endpoints of two variants, of another service's pod, and of another namespace's."""

    errors: ClassVar[dict[str, int]] = {}

    def lines(self):
        lines = ["# TYPE envoy_cluster_endpoint_rq_error counter"]
        for address, errors in self.errors.items():
            route = "elsewhere/filter" if address.startswith("10.9.") else "arena/filter"
            lines.append(LINE.format(route=route, address=address, errors=errors))
        return lines


class Pod(Exposition):
    """A pod of the challenger, which answers with 5xx on several paths."""

    answers: ClassVar[dict[str, int]] = {}
    probes = 0

    def lines(self):
        lines = ["process_start_time_seconds 1000", 'content_arena_model_flagged_total{is_toxic="true"} 1']
        for path, answers in self.answers.items():
            lines.append(f'content_arena_api_requests_total{{path="{path}",status="503",model_version="2"}} {answers}')
        return [*lines, f'content_arena_probe_requests_total{{status="500",model_version="2"}} {self.probes}']


def at(address, name):
    found = pod(name, 8080)
    return found | {"status": found["status"] | {"podIP": address}}


@pytest.fixture
def pods():
    found = Pods()
    found.by_labels[CHAMPION.labels].append(at("10.0.0.1", "filter-v1-predictor-5d4f-abcde"))
    found.by_labels[THEIRS.labels] += [
        at("10.0.0.2", "filter-v2-predictor-7c6b-fghij"),
        at("fd00::2", "filter-v2-predictor-7c6b-klmno"),
    ]
    return found


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """The URL of a Prometheus that scraped the gateway before and after a window, and when the window began."""
    if shutil.which("prometheus") is None:
        pytest.skip("needs Prometheus: apt-get install prometheus")
    Envoy.errors = {"10.0.0.1:8080": 5, "10.0.0.2:8080": 7, "10.0.0.22:8080": 0, "10.9.0.2:8080": 0}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Envoy)
    serve(server)
    target = {"targets": [f"127.0.0.1:{server.server_port}"], "labels": {"namespace": "envoy-gateway-system"}}
    with server, scraping(tmp_path_factory.mktemp("prometheus"), [target]) as prometheus:
        wait_for(prometheus, "sum(envoy_cluster_endpoint_rq_error)", 12)
        begin = time.time()
        # One scrape within the window before anything happens.
        wait_for(prometheus, f"count(timestamp(envoy_cluster_endpoint_rq_error) > {begin:.3f})", 4)
        Envoy.errors = {"10.0.0.1:8080": 6, "10.0.0.2:8080": 15, "10.0.0.22:8080": 90, "10.9.0.2:8080": 90,
                        "[fd00::2]:8080": 2}  # fmt: skip
        wait_for(prometheus, "sum(envoy_cluster_endpoint_rq_error)", 203)
        Envoy.errors = Envoy.errors | {"[fd00::2]:8080": 5}
        wait_for(prometheus, "sum(envoy_cluster_endpoint_rq_error)", 206)
        yield prometheus.url, begin
        server.shutdown()


def wait_for(prometheus, expression, value):
    end = time.monotonic() + 30
    while prometheus.values(expression) != [value]:
        assert time.monotonic() < end, f"{expression} is {prometheus.values(expression)}"
        time.sleep(0.2)


@pytest.mark.slow
def test_errors_that_no_pod_counted_are_the_variants_by_its_pods_addresses(scraped, pods):
    url, begin = scraped
    counted = Prometheus(url, "arena", pods).count(begin, time.time(), CHAMPION, THEIRS)
    assert (counted.champion.errors, counted.champion.requests) == (1, 1)
    # 8 of the one pod; of the other, whose endpoint is new, the 3 after its first value.
    assert (counted.challenger.errors, counted.challenger.requests) == (11, 11)
    said = "the gateway counted 11 errors of the challenger that its pods did not answer"
    assert said in [check.reason for check in counted.checks]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("namespace", "has_pods"), [("elsewhere", True), ("arena", False)], ids=["another namespace", "no pods"]
)
def test_without_counts_of_both_variants_the_pods_counts_stay(scraped, pods, namespace, has_pods):
    url, begin = scraped
    if not has_pods:
        pods.by_labels[CHAMPION.labels].clear()
    counted = Prometheus(url, namespace, pods).count(begin, time.time(), CHAMPION, THEIRS)
    assert (counted.champion.errors, counted.challenger.errors) == (0, 0)
    assert not any("the gateway counted" in check.reason for check in counted.checks)


@pytest.mark.slow
def test_a_5xx_of_a_pod_counts_by_its_path_and_what_the_gateway_lost_is_added(tmp_path, pods):
    """The pod answers 4 predictions, 20 other requests and 3 probes with 5xx; 2 connections are refused."""
    if shutil.which("prometheus") is None:
        pytest.skip("needs Prometheus: apt-get install prometheus")
    predict, ready = "/v1/models/{model_name}:predict", "/v2/health/ready"
    Envoy.errors = {"10.0.0.1:8080": 0, "10.0.0.2:8080": 0}
    Pod.answers = {predict: 1, ready: 0}
    with contextlib.ExitStack() as stack:
        targets = []
        for handler, namespace, name in (
            (Envoy, "envoy-gateway-system", "envoy"),
            (Pod, "arena", "filter-v2-predictor-7c6b-fghij"),
            (Empty, "arena", "filter-v1-predictor-5d4f-abcde"),
        ):
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
            serve(server)
            stack.callback(server.shutdown)
            labels = {"namespace": namespace, "pod": name}
            targets.append({"targets": [f"127.0.0.1:{server.server_port}"], "labels": labels})
        prometheus = stack.enter_context(scraping(tmp_path, targets))
        wait_for(prometheus, "count(up == 1)", 3)
        begin = time.time()
        wait_for(prometheus, f"count(timestamp(up) > {begin:.3f})", 3)

        Pod.answers, Pod.probes = {predict: 5, ready: 20}, 3
        Envoy.errors = {"10.0.0.1:8080": 0, "10.0.0.2:8080": 4 + 20 + 3 + 2}
        errors, deadline = [0], time.monotonic() + 30
        while errors[-1] < 4 + 2:
            assert time.monotonic() < deadline, errors
            counted = Prometheus(prometheus.url, "arena", pods).count(begin, time.time(), CHAMPION, THEIRS)
            errors.append(counted.challenger.errors)
    # Nor is there a moment between the scrapes of gateway and pod at which the others count.
    assert max(errors) == counted.challenger.requests == 4 + 2
    assert (counted.champion.errors, counted.champion.requests) == (0, 0)


class Empty(Exposition):
    """A pod that nobody asked anything."""

    def lines(self):
        return ["process_start_time_seconds 1000", 'content_arena_model_flagged_total{is_toxic="true"} 0']


@pytest.mark.parametrize(
    ("at_gateway", "own", "left"),
    [
        ({"a": 6.2}, {"a": 4.1}, 2),
        ({"a": 6.0}, {}, 6),
        # Neither a pod that answered others with 5xx nor one that has gone takes errors from another pod.
        ({"a": 1.0, "b": 2.0}, {"a": 9.0, "c": 5.0}, 2),
        ({}, {"a": 9.0}, 0),
    ],
)
def test_what_a_pod_answered_itself_is_subtracted_from_its_own_errors_alone(at_gateway, own, left):
    assert unanswered(at_gateway, own) == left


def test_errors_that_no_pod_answered_are_requests_too():
    counted = Counted(replace(EMPTY, requests=900, errors=9), replace(EMPTY, requests=100, errors=4))
    found = with_gateway(counted, 0, 2)
    assert (found.champion.requests, found.champion.errors) == (900, 9)
    assert (found.challenger.requests, found.challenger.errors) == (102, 6)
    assert [(check.verdict, check.name) for check in found.checks] == [(Verdict.PASS, "gateway")]


@pytest.mark.parametrize(("champion", "challenger"), [(None, 6), (3, None), (None, None)])
def test_the_gateway_of_one_variant_alone_is_not_compared(champion, challenger):
    counted = Counted(replace(EMPTY, requests=900), replace(EMPTY, requests=100))
    assert with_gateway(counted, champion, challenger) == counted
