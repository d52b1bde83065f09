"""A real Prometheus that scrapes real predictors; and one that is unavailable, refuses, or sends another format."""

import contextlib
import json
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.measuring.counters import MeasureError
from content_arena.components.canary_rollout.measuring.endpoints import variants
from content_arena.components.canary_rollout.measuring.prometheus import Prometheus
from content_arena.components.shared.errors import InputError
from tests.background import serve
from tests.components.canary_rollout.measuring.exposition import Exposition
from tests.components.canary_rollout.variants_under_test import CHALLENGER, MODE, STABLE, Pods, call, pod, view
from tests.components.predictor.conftest import running
from tests.manifests.monitoring.conftest import scraping

#: Most tests have no pods in the API server.
PODS = Pods()
CHAMPION, THEIRS = variants(view(), MODE, STABLE, CHALLENGER)
FAULTY = "tests.components.canary_rollout.faulty_predictor"
_PATIENCE = 30


def target(server, pod):
    return {"targets": [f"127.0.0.1:{server.port}"], "labels": {"namespace": "arena", "pod": pod}}


@pytest.fixture(scope="module")
def scene(tiny_bundle, tmp_path_factory):
    """An old champion with a past, a challenger that began in the window, and a Prometheus younger than both.

    Yields the URL, when the window began, and how many of the challenger's answers were errors.
    """
    if shutil.which("prometheus") is None:
        pytest.skip("needs Prometheus: apt-get install prometheus")
    with contextlib.ExitStack() as stack:
        champion = stack.enter_context(running(tiny_bundle.path, "--model_version", "1"))
        call(champion, 100)
        time.sleep(1.1)
        begin = time.time()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PREDICTOR_FAULT", "failing")
            challenger = stack.enter_context(running(tiny_bundle.path, "--model_version", "2", module=FAULTY))
        statuses = []
        call(challenger, 40, statuses=statuses)
        targets = [
            target(champion, "filter-v1-predictor-5d4f-abcde"),
            target(challenger, "filter-v2-predictor-7c6b-fghij"),
            # The other variant, and another InferenceService, which must not be counted.
            target(champion, "filter-v22-predictor-5d4f-abcde"),
            target(champion, "other-filter-v2-predictor-5d4f-abcde"),
        ]
        running_prometheus = stack.enter_context(scraping(tmp_path_factory.mktemp("prometheus"), targets))
        source = Prometheus(running_prometheus.url, "arena", PODS)

        def both_are_scraped():
            counted = source.count(begin, time.time(), CHAMPION, THEIRS)
            is_known = {check.verdict for check in counted.checks} == {Verdict.PASS}
            return is_known and counted.challenger.requests

        wait_until(both_are_scraped)
        call(champion, 50)
        call(challenger, 60, statuses=statuses)
        yield running_prometheus.url, begin, statuses.count(500)


def wait_until(holds):
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end, "Prometheus has not got that far"
        time.sleep(0.3)


@pytest.mark.slow
def test_both_variants_are_counted_over_the_window_and_nothing_else(scene):
    url, begin, errors = scene
    source = Prometheus(url, "arena", PODS)

    def ask():
        return source.count(begin, time.time(), CHAMPION, THEIRS)

    wait_until(lambda: (found := ask()).challenger.requests >= 100 and found.champion.texts >= 100)
    counted = ask()
    # Nothing that the champion counted before the window, and everything that the challenger counted.
    assert (counted.champion.requests, counted.challenger.requests) == (50, 100)
    assert (counted.champion.errors, counted.challenger.errors) == (0, errors)
    assert errors == 50
    assert (counted.champion.versions, counted.challenger.versions) == ({"1"}, {"2"})
    assert len(counted.challenger.edges) == len(counted.challenger.latencies) == 15
    assert sum(counted.challenger.latencies) == 100
    assert (counted.champion.texts, counted.champion.flagged) == (100, 25)
    assert sum(counted.champion.scores) == 100
    assert {check.verdict for check in counted.checks} == {Verdict.PASS}
    assert "queue" in {check.name for check in counted.checks}


@pytest.mark.slow
def test_an_expression_may_be_longer_than_an_address(scene):
    """Prometheus takes an address of at most a megabyte, and gateways one of some kilobytes."""
    url, *_ = scene
    named = "|".join(f"filter-v1-predictor-5d4f-{number:05d}" for number in range(45_000))
    many = replace(CHAMPION, pod_names=f"{CHAMPION.pod_names}|{named}")
    assert Prometheus(url, "arena", PODS).rate(many, time.time()).per_second >= 0


@pytest.mark.slow
def test_a_namespace_that_is_not_scraped_is_inconclusive_and_named(scene):
    counted = Prometheus(scene[0], "elsewhere", PODS).count(scene[1], time.time(), CHAMPION, THEIRS)
    assert [check.verdict for check in counted.checks] == [Verdict.INCONCLUSIVE] * 2
    assert counted.checks[1].reason == "Prometheus at 127.0.0.1 has no counts of the challenger's pods"
    assert counted.challenger.requests == 0


@pytest.mark.slow
def test_a_target_that_is_not_scraped_any_more_is_inconclusive(scene):
    counted = Prometheus(scene[0], "arena", PODS).count(scene[1], time.time() + 200, CHAMPION, THEIRS)
    assert {check.verdict for check in counted.checks[:2]} == {Verdict.INCONCLUSIVE}
    assert "s old" in counted.checks[0].reason


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "verdict"), [(300, Verdict.INCONCLUSIVE), (5, Verdict.PASS)])
def test_a_pod_that_answers_users_and_is_not_scraped_is_inconclusive_unless_it_is_new(scene, seconds, verdict):
    unseen, pods = pod("filter-v2-predictor-7c6b-zzzzz", 9), Pods()
    since = datetime.fromtimestamp(time.time() - seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    unseen["status"]["conditions"][0]["lastTransitionTime"] = since
    pods.by_labels[THEIRS.labels].append(unseen)
    counted = Prometheus(scene[0], "arena", pods).count(scene[1], time.time(), CHAMPION, THEIRS)
    assert [check.verdict for check in counted.checks[:2]] == [Verdict.PASS, verdict]
    assert ("zzzzz" in counted.checks[1].reason) == (verdict is Verdict.INCONCLUSIVE)


class Restarting(Exposition):
    """Metrics of a process that answers a user between two scrapes."""

    started, answers = 1_000.0, 100

    def lines(self):
        Restarting.answers += 1
        path = "/v1/models/{model_name}:predict"
        return [
            f"process_start_time_seconds {self.started}",
            f'content_arena_api_requests_total{{path="{path}",status="200",model_version="2"}} {self.answers}',
        ]


@pytest.mark.slow
def test_a_restarted_container_is_reported_and_disturbs_the_window(tmp_path):
    if shutil.which("prometheus") is None:
        pytest.skip("needs Prometheus: apt-get install prometheus")
    http = ThreadingHTTPServer(("127.0.0.1", 0), Restarting)
    serve(http)
    labels = {"namespace": "arena", "pod": "filter-v2-predictor-7c6b-fghij"}
    targets = [{"targets": [f"127.0.0.1:{http.server_port}"], "labels": labels}]
    begin = time.time()
    with scraping(tmp_path, targets) as running_prometheus:
        source = Prometheus(running_prometheus.url, "arena", PODS)

        def counted():
            return source.count(begin, time.time(), CHAMPION, THEIRS)

        wait_until(lambda: counted().challenger.requests)
        assert not counted().disturbed
        Restarting.started, Restarting.answers = 2_000.0, 7
        wait_until(lambda: counted().disturbed)
        found = counted()
    http.shutdown()
    restarts = {check.name: check for check in found.checks}["restarts"]
    assert restarts.verdict is Verdict.INCONCLUSIVE
    assert restarts.reason.startswith("restarts of the challenger's containers: 1")


@pytest.fixture
def api():
    """A server whose answer a test chooses."""
    reply = {"status": 200, "body": b"{}", "queries": []}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            reply["queries"].append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(reply["status"])
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(reply["body"])

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serve(http)
    reply["url"] = f"http://reader:secret@127.0.0.1:{http.server_port}/prometheus/"
    yield reply
    http.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>log in</html>", "no JSON"),
        (503, b"", "HTTP 503"),
        (422, json.dumps({"status": "error", "error": "too many samples"}).encode(), "too many samples"),
        (200, b"[]", "nothing"),
        (301, b"", r"redirects \(HTTP 301\): give its new address"),
    ],
    ids=["a page", "not ready", "refused", "nonsense", "another address"],
)
def test_an_unusable_answer_is_named_without_the_password(api, status, body, message):
    api["status"], api["body"] = status, body
    with pytest.raises(MeasureError, match=message) as caught:
        Prometheus(api["url"], "arena", PODS).count(0.0, 10.0, CHAMPION, THEIRS)
    assert "Prometheus at 127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert api["queries"] == ["/prometheus/api/v1/query"]


def test_an_unavailable_prometheus_is_named():
    with pytest.raises(MeasureError, match=r"Prometheus at 127\.0\.0\.1 does not answer \(ConnectionError\)"):
        Prometheus("http://127.0.0.1:9", "arena", PODS).count(0.0, 10.0, CHAMPION, THEIRS)


def test_no_query_is_sent_before_the_window_begins(api):
    counted = Prometheus(api["url"], "arena", PODS).count(10.0, 5.0, CHAMPION, THEIRS)
    assert counted.challenger.requests == 0
    assert api["queries"] == []


@pytest.mark.parametrize("url", ["", "prometheus:9090", "ftp://prometheus", "http://"])
def test_an_invalid_address_is_refused(url):
    with pytest.raises(InputError, match="not the address of a Prometheus"):
        Prometheus(url, "arena", PODS)


@pytest.mark.parametrize("url", ["htp://reader:secret@prometheus", "http://reader:secret@[", "https://?token=secret"])
def test_a_refused_address_is_not_shown(url):
    with pytest.raises(InputError, match="not the address of a Prometheus") as caught:
        Prometheus(url, "arena", PODS)
    assert "secret" not in str(caught.value)
