"""A stand-in for Kubeflow Pipelines' API server: the few calls that ``arena submit`` makes, over real HTTP.

It keeps what it is sent and plays a run's states; it runs nothing.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

API = "/apis/v2beta1"


class StandIn:
    """The requests that the server got, and its answers.

    Attributes:
        pipelines: Ids by name.
        uploads: Names of uploaded pipelines and versions.
        runs: Bodies of the runs that were asked for.
        recurring: Bodies of the recurring runs that were asked for.
        states: The states of a run, one for each read; the last one stays.
    """

    def __init__(self, states: tuple[str, ...] = ("SUCCEEDED",)) -> None:
        self.pipelines: dict[str, str] = {}
        self.uploads: list[str] = []
        self.runs: list[dict[str, Any]] = []
        self.recurring: list[dict[str, Any]] = []
        self.states = list(states)

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> dict[str, Any] | None:
        """The answer to a call, None for one it does not know."""
        match method, path.removeprefix(API).strip("/").split("/"):
            case "GET", ["healthz"]:
                return {"multi_user": False}
            case "GET", ["experiments"]:
                return {}
            case "POST", ["experiments"]:
                return {"experiment_id": "e1", "display_name": body["display_name"]}
            case "GET", ["pipelines"]:
                wanted = json.loads(query["filter"][0])["predicates"][0]["stringValue"]
                found = self.pipelines.get(wanted)
                return {"pipelines": [{"pipeline_id": found, "display_name": wanted}]} if found else {}
            case "POST", ["pipelines", "upload"]:
                name = query["name"][0]
                self.uploads.append(name)
                self.pipelines[name] = f"id-of-{name}"
                return {"pipeline_id": f"id-of-{name}", "display_name": name}
            case "GET", ["pipelines", pipeline, "versions"]:
                return {"pipeline_versions": [{"pipeline_id": pipeline, "pipeline_version_id": f"{pipeline}-v1"}]}
            case "POST", ["pipelines", "upload_version"]:
                self.uploads.append(query["name"][0])
                return {"pipeline_id": query["pipelineid"][0], "pipeline_version_id": "v2"}
            case "POST", ["runs"]:
                self.runs.append(body)
                return {"run_id": "r1", "display_name": body["display_name"]}
            case "POST", ["recurringruns"]:
                self.recurring.append(body)
                return {"recurring_run_id": "rr1"}
            case "GET", ["runs", run]:
                state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
                tasks = [{"task_id": "t1", "display_name": "Train challenger", "state": state}]
                return {"run_id": run, "state": state, "run_details": {"task_details": tasks}}
        return None


class Server:
    """Serves a stand-in on a free port while it is open."""

    def __init__(self, stand_in: StandIn) -> None:
        class Handler(BaseHTTPRequestHandler):
            def _respond(self) -> None:
                url = urlsplit(self.path)
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                is_json = "json" in (self.headers.get("Content-Type") or "")
                body = json.loads(raw) if raw and is_json else None
                found = stand_in.answer(self.command, url.path, parse_qs(url.query), body)
                data = json.dumps(found if found is not None else {"error": "unknown"}).encode()
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _respond  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Server:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
