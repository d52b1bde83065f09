"""A real Prometheus that scrapes a real exporter and real predictors, one for all tests."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
import requests
import yaml

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.measuring.interface import Measurement
from content_arena.components.canary_rollout.plan.state import Phase
from content_arena.components.canary_rollout.reporting.metrics import RolloutMetrics
from tests.components.canary_rollout.rollouts import at
from tests.components.metrics_exporter import history as histories
from tests.components.predictor.conftest import running
from tests.conftest import is_ok

from .cluster import cluster_with_a_rollout
from .expressions import FOLDER, groups

NAMESPACE = "content-arena"
EXPORTER = "content_arena.components.metrics_exporter.server"
_WEEK = 7 * 86_400


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def values(self, expression):
        """The finite values of an instant query."""
        numbers = [float(row["value"][1]) for row in self._ask(expression)]
        return [number for number in numbers if abs(number) < float("inf")]

    def labels(self, expression):
        """The labels of everything that an instant query finds."""
        return [row["metric"] for row in self._ask(expression)]

    def _ask(self, expression):
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=30).json()
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        return answer["data"]["result"]


# For a file: until the end of the session it would scrape and be scraped every second beside all other tests.
@pytest.fixture(scope="module")
def prometheus(tiny_bundle, tmp_path_factory):
    """Prometheus with a week-old past, a few seconds after stable and canary were asked."""
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        pytest.skip("needs Prometheus: apt-get install prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    history = histories.write(tmp_path_factory.mktemp("arena"))
    with contextlib.ExitStack() as stack:
        variants = {
            f"content-filter-v{version}": stack.enter_context(
                running(tiny_bundle.path, "--model_version", str(version))
            )
            for version in (history.champion, history.challenger)
        }
        cluster = stack.enter_context(cluster_with_a_rollout(folder))
        exporter = stack.enter_context(_exporter(history.uri, cluster))
        targets = [
            {"targets": [f"127.0.0.1:{server.port}"], "labels": _labels("predictor", variant) | {"variant": variant}}
            for variant, server in variants.items()
        ]
        # The operator adds the Service's name too; the ServiceMonitor has to let the metric's own label win.
        labels = _labels("metrics-exporter", "exporter") | {"service": "metrics-exporter"}
        target = {"targets": [f"127.0.0.1:{exporter}"], "labels": labels}
        of_exporter = {"job_name": "exporter", "static_configs": [target], "honor_labels": _honors_labels()}
        targets.append({"targets": [f"127.0.0.1:{_rollout()}"], "labels": {"job": "rollout", "pod": "roll-out"}})
        for server in variants.values():
            _ask(server)
        _backfill(folder, next(iter(variants.values())), history.champion)
        prometheus = stack.enter_context(scraping(folder, targets, [of_exporter]))
        for _ in range(8):
            for server in variants.values():
                _ask(server)
            time.sleep(1)
        yield prometheus


def _labels(job, pod):
    """What the operator adds to a target."""
    return {"namespace": NAMESPACE, "job": job, "pod": pod}


def _rollout():
    """Port of a rollout's own figures, in a process that lives as long as the tests."""
    metrics = RolloutMetrics("content-filter", NAMESPACE)
    check = Check(Kind.BOUND, Subject.ERRORS, Verdict.PASS, "")
    metrics.observe(at(Phase.BAKING, step=1), Measurement(Verdict.PASS, "", 400, (check,)))
    return metrics.serve(0, "127.0.0.1")


def _ask(server):
    """Toxic and benign texts over both protocols, and a request that is none."""
    texts = ["you stupid idiot", "a nice day", "the weather is good", "you are very stupid", "thank you friend"]
    assert server.predict(json={"instances": texts}).status_code == 200
    assert server.predict(json={"instances": texts[:1]}).status_code == 200
    tensor = {"name": "text", "datatype": "BYTES", "shape": [2], "data": texts[:2]}
    assert server.infer(json={"inputs": [tensor]}).status_code == 200
    assert server.predict(json={"instances": []}).status_code == 400


def _honors_labels():
    monitors = yaml.safe_load_all((FOLDER / "monitors.yaml").read_text(encoding="utf-8"))
    (monitor,) = [found for found in monitors if found["kind"] == "ServiceMonitor"]
    return monitor["spec"]["endpoints"][0].get("honorLabels", False)


@contextlib.contextmanager
def _exporter(uri, kubeconfig):
    command = [sys.executable, "-m", EXPORTER, "--host", "127.0.0.1", "--port", "0", "--interval", "1",
               "--service", "content-filter", "--namespace", NAMESPACE, "--tracking-uri", uri]  # fmt: skip
    environment = os.environ | {"KUBECONFIG": str(kubeconfig)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield int(re.search(r":(\d+)/metrics", process.stderr.readline())[1])
    finally:
        process.kill()
        process.wait(10)
        process.stderr.close()


def _backfill(folder, server, version):
    """Last week's recordings, so that `offset 1w` has something to look at: the same bounds, other shares."""
    bounds = re.findall(
        r'content_arena_model_score_bucket{le="([^"]+)"', requests.get(f"{server.url}/metrics", timeout=10).text
    )
    labels = f'namespace="{NAMESPACE}"'
    model = f'{labels},model_version="{version}"'
    series = {
        f"content_arena:flagged:log_odds_1d{{{labels}}}": -2.197,
        f"content_arena:flagged:log_odds_variance_1d{{{labels}}}": 0.01,
        f"content_arena:texts:increase_1d{{{model}}}": 900.0,
    }
    series |= {f'content_arena:score:cdf_1d{{{model},le="{le}"}}': (n + 1) / len(bounds) for n, le in enumerate(bounds)}
    assert len(bounds) == 21
    start = int(time.time()) - _WEEK
    lines = []
    for name, value in series.items():
        lines.append(f"# TYPE {name.partition('{')[0]} gauge")
        lines += [f"{name} {value} {start + step}" for step in range(0, 600, 60)]
    # The type of a metric is written once, above all its series.
    text = "\n".join(dict.fromkeys(lines))
    (folder / "past.txt").write_text(f"{text}\n# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "past.txt"), str(folder / "data")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@contextlib.contextmanager
def scraping(folder, targets=(), discovered=(), *, rules=None, alerting=None):
    """Runs Prometheus with the arena's rules; ``discovered`` are scrape configs beside that of the targets.

    Others can be given for ``rules``. ``alerting`` names Alertmanagers; nobody is told if None.
    """
    given = (rules or groups())["groups"]
    # All every second: a test waits for no interval.
    often = [{name: value for name, value in group.items() if name != "interval"} for group in given]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": often}))
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [{"job_name": "arena", "static_configs": list(targets)}, *discovered],
    } | ({"alerting": alerting} if alerting else {})
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["prometheus", f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}",
               f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
               # It finds its Alertmanagers some seconds after the first alert.
               "--rules.alert.resend-delay=1s"]  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        end = time.monotonic() + 60
        while not is_ok(f"{url}/-/ready"):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.1)
        yield Prometheus(url)
    finally:
        process.terminate()
        process.wait(30)
