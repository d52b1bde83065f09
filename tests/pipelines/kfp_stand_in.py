"""A stand-in for Kubeflow Pipelines' API server: the few calls that ``arena submit`` makes, over real HTTP.

It keeps what it is sent and plays a run's states; it runs nothing.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.background import serve

API = "/apis/v2beta1"


class StandIn:
    """The requests that the server got, and its answers.

    Attributes:
        token: Bearer token that it wants, as a server with users does; None for a server without users.
        namespaces: Namespaces that pipelines were looked up and uploaded in; None for a call that named none.
        pipelines: Ids by name.
        uploads: Names of uploaded pipelines and versions.
        runs: Bodies of the runs that were asked for.
        recurring: Bodies of the recurring runs that were asked for.
        states: The states of a run and of its stage, one for each read; the last one stays. WAITING is a stage that
            is called running while its pod waits for a node.
    """

    def __init__(self, states: tuple[str, ...] = ("SUCCEEDED",), token: str | None = None) -> None:
        self.token, self.namespaces = token, set[str | None]()
        self.pipelines: dict[str, str] = {}
        self.uploads: list[str] = []
        self.runs: list[dict[str, Any]] = []
        self.recurring: list[dict[str, Any]] = []
        self.states = list(states)

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> dict[str, Any] | None:
        """The answer to a call, None for one it does not know."""
        match method, path.removeprefix(API).strip("/").split("/"):
            case "GET", ["healthz"]:
                return {"multi_user": self.token is not None}
            case "GET", ["experiments"]:
                return {}
            case "POST", ["experiments"]:
                return {"experiment_id": "e1", "display_name": body["display_name"]}
            case "GET", ["pipelines"]:
                self.namespaces.add(query.get("namespace", [None])[0])
                wanted = json.loads(query["filter"][0])["predicates"][0]["stringValue"]
                found = self.pipelines.get(wanted)
                return {"pipelines": [{"pipeline_id": found, "display_name": wanted}]} if found else {}
            case "POST", ["pipelines", "upload"]:
                self.namespaces.add(query.get("namespace", [None])[0])
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
                overall = "RUNNING" if state == "WAITING" else state
                return {"run_id": run, "state": overall, "run_details": {"task_details": nodes("train-qlora", state)}}
        return None


def nodes(task: str, state: str) -> list[dict[str, Any]]:
    """A task as release 2.17 tells it: the nodes of an Argo workflow, whose names are no titles."""
    pod = "PENDING" if state == "WAITING" else state
    times = {"start_time": "2026-11-25T10:00:00Z", "end_time": "2026-11-25T10:01:06Z"}
    failed = {"error": {"code": 13, "message": "Error (exit code 2)"}} if state == "FAILED" else {}

    def node(name: str, state: str, *children: str) -> dict[str, Any]:
        links = [{"pod_name": child} for child in children]
        return {"task_id": f"id-{name}", "display_name": name, "pod_name": name, "state": state, "child_tasks": links}

    return [
        node(f"{task}-driver", "SUCCEEDED", f"{task}-driver(0)"),
        node(f"{task}-driver(0)", "SUCCEEDED", task),
        # What comes next is a child as well.
        node(task, "RUNNING" if state == "WAITING" else state, "executor", "next-driver") | times | failed,
        node("executor", pod, "executor(0)"),
        node("executor(0)", pod),
        node("next-driver", "PENDING"),
    ]


class Server:
    """Serves a stand-in on a free port while it is open."""

    def __init__(self, stand_in: StandIn) -> None:
        class Handler(BaseHTTPRequestHandler):
            def _respond(self) -> None:
                url = urlsplit(self.path)
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                is_json = "json" in (self.headers.get("Content-Type") or "")
                body = json.loads(raw) if raw and is_json else None
                if stand_in.token and self.headers.get("Authorization") != f"Bearer {stand_in.token}":
                    status, found = 401, None
                else:
                    found = stand_in.answer(self.command, url.path, parse_qs(url.query), body)
                    status = 404 if found is None else 200
                data = json.dumps(found if found is not None else {"error": "unknown"}).encode()
                self.send_response(status)
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
        serve(self._server)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
