"""The simulated API server over HTTP, with a kubeconfig for it and a simulated cluster whose clock runs."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from content_arena.components.canary_rollout.kube.client import AwayError, ClusterError, ConflictError
from tests.background import serve
from tests.components.canary_rollout.stand_in.api_server import RECORD, ApiServer

SERVICE, NAMESPACE = "filter", "arena"
#: Real seconds for one simulated second.
_BEAT = 0.01


class Served:
    """Serves while it is open.

    ``forbidden`` names resources to which all access is refused, with the message of a real API server.
    """

    def __init__(self, api: ApiServer, folder: Path) -> None:
        self.api, self.forbidden, self._lock, self._over = api, set[str](), threading.Lock(), threading.Event()
        #: Headers and query of each patch of the service.
        self.patches: list[tuple[dict[str, str], dict[str, list[str]]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.kubeconfig = folder / "kubeconfig"
        cluster = {"server": f"http://127.0.0.1:{self._server.server_port}"}
        self.kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1", "kind": "Config", "current-context": "here",
                    "clusters": [{"name": "here", "cluster": cluster}], "users": [{"name": "me", "user": {}}],
                    "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
                }
            )
        )  # fmt: skip
        self._world = threading.Thread(target=self._go, daemon=True)

    @property
    def requests(self) -> dict[str, str]:
        """Annotations of the record."""
        return self.api.requests

    @property
    def state(self) -> str | None:
        """The recorded state, as text; None if there is no record."""
        found = self.api.config_map(RECORD)
        return found["data"]["state"] if found else None

    def annotate(self, **values: str | None) -> None:
        with self._lock:
            self.api.annotate(**values)

    def store_state(self, text: str | None) -> None:
        with self._lock:
            self.api.store_state(text)

    def __enter__(self) -> Served:
        serve(self._server)
        self._world.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def _go(self) -> None:
        while not self._over.wait(_BEAT):
            with self._lock:
                self.api.world.tick()

    def _answer(self, method: str, parts: list[str], query: dict[str, list[str]], body: Any) -> Any:
        """``parts``: what follows ``/namespaces/NAMESPACE/``."""
        api = self.api
        match method, parts:
            case "GET", ["inferenceservices", name] if name == SERVICE:
                return api.service(name)
            case "PATCH", ["inferenceservices", name] if name == SERVICE:
                version = body["metadata"].pop("resourceVersion")
                return api.patch_service(name, body, version, dry_run="dryRun" in query)
            case "GET", ["httproutes", name] if name == SERVICE:
                return api.route(name)
            case "GET", ["deployments"]:
                ready = api.ready_pods(SERVICE)
                return {"items": [{"metadata": {"name": n}, "status": {"readyReplicas": k}} for n, k in ready.items()]}
            case "GET", ["servingruntimes"]:
                return _listed(api.serving_runtimes())
            case "GET", ["clusterservingruntimes"]:
                return _listed(api.serving_runtimes(of_cluster=True))
            case "GET", ["horizontalpodautoscalers"]:
                owners = [{"kind": "InferenceService", "name": SERVICE}]
                scaled = api.autoscalers(SERVICE).items()
                return {
                    "items": [
                        {"metadata": {"name": n, "ownerReferences": owners}, "spec": {"scaleTargetRef": {"name": d}}}
                        for n, d in scaled
                    ]
                }
            case "DELETE", ["horizontalpodautoscalers", name]:
                api.delete_autoscaler(name)
                return {}
            case "GET", ["pods"]:
                return {"items": api.pods(query["labelSelector"][0])}
            case "GET", ["pods", pod, "log"]:
                return api.previous_logs(pod, query["container"][0])
            case "GET", ["leases", name]:
                return api.lease(name)
            case "POST", ["leases"]:
                return api.write_lease(body)
            case "PUT", ["leases", _]:
                return api.write_lease(body)
            case "GET", ["configmaps", "inferenceservice-config"]:
                return api.config_map("inferenceservice-config", "kserve")
            case "GET", ["configmaps", name]:
                return api.config_map(name)
            case "POST", ["configmaps"]:
                return api.create_config_map(body)
            case "PATCH", ["configmaps", name]:
                return api.patch_config_map(name, body, body["metadata"].pop("resourceVersion"))
            case "POST", ["events"]:
                api.create_event(body)
                return {}
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _respond(self) -> None:
                url = urlsplit(self.path)
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                namespace, *parts = url.path.partition("/namespaces/")[2].split("/")
                if not parts:
                    # An object of the whole cluster.
                    namespace, parts = NAMESPACE, [url.path.rpartition("/")[2]]
                status, found = 200, None
                if parts[0] in served.forbidden:
                    message = f'{parts[0]} is forbidden: User "me" cannot {self.command.lower()} resource "{parts[0]}"'
                    status, found = 403, {"message": message}
                elif namespace == NAMESPACE or parts == ["configmaps", "inferenceservice-config"]:
                    if self.command == "PATCH" and parts[0] == "inferenceservices":
                        served.patches.append((dict(self.headers), parse_qs(url.query)))
                    status, found = self._asked(parts, parse_qs(url.query), json.loads(raw) if raw else None)
                if found is None:
                    status, found = 404, {"message": f"{'/'.join(parts)} not found"}
                data = (found if isinstance(found, str) else json.dumps(found)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _asked(self, parts: list[str], query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
                try:
                    with served._lock:
                        return 200, served._answer(self.command, parts, query, body)
                except ConflictError as error:
                    return 409, {"message": str(error)}
                except AwayError as error:
                    return 503, {"message": str(error)}
                except ClusterError as error:
                    return 422, {"message": str(error)}

            do_GET = do_PATCH = do_POST = do_PUT = do_DELETE = _respond  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _listed(names: list[str]) -> dict[str, Any]:
    return {"items": [{"metadata": {"name": name}} for name in names]}
