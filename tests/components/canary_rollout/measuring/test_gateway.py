"""Errors at the gateway: a real Prometheus that scrapes what Envoy was seen to expose, and the sums."""

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
from content_arena.components.canary_rollout.measuring.gateway import with_gateway
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
    assert "the gateway counted 11 errors of the challenger, its pods 0" in [check.reason for check in counted.checks]


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


def test_an_error_that_pod_and_gateway_counted_is_one_error():
    counted = Counted(replace(EMPTY, requests=900, errors=9), replace(EMPTY, requests=100, errors=4))
    found = with_gateway(counted, 3, 6)
    assert (found.champion.requests, found.champion.errors) == (900, 9)
    assert (found.challenger.requests, found.challenger.errors) == (102, 6)
    assert [(check.verdict, check.name) for check in found.checks] == [(Verdict.PASS, "gateway")]


@pytest.mark.parametrize(("champion", "challenger"), [(None, 6), (3, None), (None, None)])
def test_the_gateway_of_one_variant_alone_is_not_compared(champion, challenger):
    counted = Counted(replace(EMPTY, requests=900), replace(EMPTY, requests=100))
    assert with_gateway(counted, champion, challenger) == counted
