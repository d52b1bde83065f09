"""Our PodMonitors without the operator: its scrape configs, and a discovery that lists pods for Prometheus.

The scrape config is what the operator's ``generatePodMonitorConfig`` writes; targets are labelled as those of the role
``pod`` of Prometheus' ``kubernetes_sd_config``, which not every distribution builds in.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

from tests.background import serve

from .expressions import FOLDER

Json = dict[str, Any]
_NAMESPACE = "__meta_kubernetes_namespace"
_POD = "__meta_kubernetes_pod"


@contextlib.contextmanager
def discovered(
    name: str, pods: Callable[[], Sequence[Json]], *, namespace: str = "content-arena", interval: str = "1s"
) -> Iterator[list[Json]]:
    """The scrape configs of one of our PodMonitors over these pods, for as long as the block lasts.

    Args:
        name: Of the PodMonitor.
        pods: Asked for again and again.
        namespace: That the PodMonitor would be in.
        interval: Between two scrapes.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps([target for pod in pods() for target in _targets(pod)]).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serve(server)
    try:
        where = {"url": f"http://127.0.0.1:{server.server_port}/", "refresh_interval": "1s"}
        yield [config | {"http_sd_configs": [where]} for config in _scrape_configs(name, namespace, interval)]
    finally:
        server.shutdown()
        server.server_close()


def _scrape_configs(name: str, namespace: str, interval: str) -> list[Json]:
    (monitor,) = [
        found
        for found in yaml.safe_load_all((FOLDER / "monitors.yaml").read_text(encoding="utf-8"))
        if (found["kind"], found["metadata"]["name"]) == ("PodMonitor", name)
    ]
    spec = monitor["spec"]
    common = [{"action": "drop", "source_labels": [f"{_POD}_phase"], "regex": "(Failed|Succeeded)"}]
    if not spec.get("namespaceSelector", {}).get("any"):
        common.append({"action": "keep", "source_labels": [_NAMESPACE], "regex": namespace})
    for label, value in spec["selector"]["matchLabels"].items():
        common.append({"action": "keep", "source_labels": [f"{_POD}_label_{_label(label)}"], "regex": value})
    configs = []
    for number, endpoint in enumerate(spec["podMetricsEndpoints"]):
        rules = list(common)
        if "port" in endpoint:
            port = f"{_POD}_container_port_name"
            rules.append({"action": "keep", "source_labels": [port], "regex": endpoint["port"]})
        for source, target in (
            (_NAMESPACE, "namespace"),
            (f"{_POD}_container_name", "container"),
            (f"{_POD}_name", "pod"),
        ):
            rules.append({"source_labels": [source], "target_label": target})
        rules += [{_snake(key): value for key, value in rule.items()} for rule in endpoint["relabelings"]]
        configs.append(
            {
                "job_name": f"{name}/{number}", "scrape_interval": interval, "metrics_path": endpoint["path"],
                "honor_labels": endpoint.get("honorLabels", False), "relabel_configs": rules,
            }
        )  # fmt: skip
    return configs


def _targets(pod: Json) -> Iterator[Json]:
    """One a port of each container, and one without a port for a container that declares none."""
    address = pod.get("status", {}).get("podIP")
    if not address:
        return
    labels = {
        _NAMESPACE: pod["metadata"]["namespace"],
        f"{_POD}_name": pod["metadata"]["name"],
        f"{_POD}_ip": address,
        f"{_POD}_phase": pod["status"].get("phase", "Unknown"),
    }
    labels |= {f"{_POD}_label_{_label(key)}": value for key, value in pod["metadata"].get("labels", {}).items()}
    for container in pod["spec"]["containers"]:
        own = labels | {f"{_POD}_container_name": container["name"]}
        for port in container.get("ports") or []:
            named = own | {f"{_POD}_container_port_name": port.get("name", "")}
            yield {"targets": [f"{address}:{port['containerPort']}"], "labels": named}
        if not container.get("ports"):
            yield {"targets": [address], "labels": own}


def _label(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
