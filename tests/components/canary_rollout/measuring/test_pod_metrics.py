"""Pods that come, go, restart and stop answering while they are scraped."""

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.measuring.counters import MeasureError
from content_arena.components.canary_rollout.measuring.endpoints import variants
from content_arena.components.canary_rollout.measuring.pod_metrics import PodMetrics
from tests.background import serve
from tests.components.canary_rollout.variants_under_test import (
    CHALLENGER,
    CHALLENGERS,
    CHAMPIONS,
    MODE,
    STABLE,
    pod,
    view,
)

OURS, THEIRS = variants(view(), MODE, STABLE, CHALLENGER)
PATH = 'path="/v1/models/{model_name}:predict"'


class Process:
    """What a pod's predictor serves at ``/metrics``."""

    def __init__(self, version, started):
        self.version, self.started, self.requests, self.status, self.pending = version, started, 0, 200, None
        process = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(process.status)
                self.end_headers()
                self.wfile.write(process.text().encode())

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        serve(self.http)

    def text(self):
        labels = f'method="POST",model_version="{self.version}",{PATH},status="200"'
        return (
            f"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {self.started}\n"
            "# TYPE content_arena_api_requests_total counter\n"
            f"content_arena_api_requests_total{{{labels}}} {self.requests}\n"
        ) + ("" if self.pending is None else f"content_arena_model_pending_texts {self.pending}\n")

    def restart(self, now):
        self.started, self.requests = now, 0


@pytest.fixture
def process():
    made = []

    def make(version, started=-100.0):
        made.append(Process(version, started))
        return made[-1]

    yield make
    for one in made:
        one.http.shutdown()


class Scene:
    """Two variants whose pods a test adds and removes; the window begins at 0."""

    def __init__(self, champions, challengers):
        self.pods = {CHAMPIONS: list(map(self.pod, champions)), CHALLENGERS: list(map(self.pod, challengers))}
        self.source = PodMetrics(lambda labels: self.pods[labels])

    def pod(self, process, ready=True):
        port = process.http.server_port
        return pod(f"pod-{port}", port, ready)

    def count(self, now):
        return self.source.count(0.0, now, OURS, THEIRS)


def verdicts(counted):
    return {check.name: check.verdict for check in counted.checks}


def test_pods_of_a_variant_are_added_up(process):
    champion, a, b = process("1"), process("2"), process("2")
    scene = Scene([champion], [a, b])
    assert scene.count(0.0).challenger.requests == 0
    champion.requests, a.requests, b.requests = 100, 30, 12
    counted = scene.count(10.0)
    assert (counted.champion.requests, counted.challenger.requests) == (100, 42)
    assert (counted.champion.versions, counted.challenger.versions) == ({"1"}, {"2"})
    assert verdicts(counted) == {"watched": Verdict.PASS}


def test_a_pod_that_is_not_ready_is_not_scraped(process):
    champion, a = process("1"), process("2")
    scene = Scene([champion], [a])
    scene.pods[CHALLENGERS].append(pod("pending", 9, ready=False))
    scene.count(0.0)
    assert verdicts(scene.count(10.0)) == {"watched": Verdict.PASS}


def test_a_pod_that_vanished_keeps_its_counts_and_a_new_one_adds_all_of_its_own(process):
    champion, a, b = process("1"), process("2"), process("2", started=5.0)
    scene = Scene([champion], [a])
    scene.count(0.0)
    a.requests = 7
    scene.count(4.0)
    b.requests = 5
    scene.pods[CHALLENGERS] = [scene.pod(b)]
    assert scene.count(8.0).challenger.requests == 12


def test_a_restarted_container_is_reported(process):
    champion, a = process("1"), process("2")
    scene = Scene([champion], [a])
    scene.count(0.0)
    a.requests = 10
    scene.count(1.0)
    a.restart(2.0)
    a.requests = 3
    counted = scene.count(3.0)
    assert counted.challenger.requests == 13
    assert verdicts(counted)["restarts"] is Verdict.INCONCLUSIVE
    assert "restarts of the challenger's containers: 1" in counted.checks[-1].reason


@pytest.mark.parametrize(
    ("queues", "champions", "verdict"),
    [
        ((4_000, 3_000, 10, 10), 10, Verdict.FAIL),
        ((4_000, 3_000, 10, 10), 4_096, Verdict.INCONCLUSIVE),
        ((4_000, 10, 10, 10), 4_096, Verdict.PASS),
        ((), 10, None),
    ],
    ids=["does not keep up", "neither keeps up", "a burst", "not exposed"],
)
def test_the_queue_is_the_average_of_the_busiest_pods(process, queues, champions, verdict):
    champion, a, idle = process("1"), process("2"), process("2")
    scene = Scene([champion], [a, idle])
    idle.pending = 0 if queues else None
    champion.pending = champions
    scene.count(0.0)
    for now, a.pending in enumerate(queues, 1):
        counted = scene.count(now)
    assert verdicts(counted if queues else scene.count(9)).get("queue") is verdict


@pytest.mark.parametrize("status", [500, 404])
def test_a_pod_that_fails_is_named_and_catches_up(process, status):
    champion, a = process("1"), process("2")
    scene = Scene([champion], [a])
    scene.count(0.0)
    a.requests, a.status = 10, status
    counted = scene.count(1.0)
    assert verdicts(counted)["metrics"] is Verdict.INCONCLUSIVE
    assert f"pod-{a.http.server_port} can not be read: HTTP {status}" in counted.checks[-1].reason
    a.requests, a.status = 20, 200
    counted = scene.count(2.0)
    assert counted.challenger.requests == 20
    assert "metrics" not in verdicts(counted)


def test_an_unreachable_pod_and_one_with_another_format_are_named(process):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    champion, a = process("1"), process("2")
    a.text = lambda: "<html>"
    scene = Scene([champion], [a])
    scene.pods[CHALLENGERS].append(pod("gone", port))
    reason = scene.count(1.0).checks[-1].reason
    assert "pod gone can not be read: ConnectionError" in reason
    assert "not in Prometheus' text format" in reason


def test_another_window_begins_at_zero(process):
    champion, a = process("1"), process("2")
    scene = Scene([champion], [a])
    scene.count(0.0)
    a.requests = 10
    assert scene.count(5.0).challenger.requests == 10
    assert scene.source.count(5.0, 5.0, OURS, THEIRS).challenger.requests == 0
    a.requests = 14
    assert scene.source.count(5.0, 9.0, OURS, THEIRS).challenger.requests == 4


@pytest.mark.parametrize(
    ("first", "verdict"), [(0.0, Verdict.PASS), (40.0, Verdict.PASS), (60.0, Verdict.INCONCLUSIVE)]
)
def test_half_of_the_window_has_to_be_observed(process, first, verdict):
    scene = Scene([process("1")], [process("2")])
    scene.count(first)
    assert verdicts(scene.count(100.0))["watched"] is verdict


def test_a_variant_whose_pods_are_not_known_is_not_counted(process):
    scene = Scene([process("1")], [])
    with pytest.raises(MeasureError, match="challenger are not known yet"):
        scene.source.count(0.0, 1.0, OURS, type(THEIRS)("challenger", "", ""))
