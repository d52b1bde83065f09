"""Three objects behind HTTP, as an API server would answer for them: what the exporter reads of a rollout."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from content_arena.components.canary_rollout.plan.state import Phase
from tests.background import serve
from tests.components.canary_rollout.rollouts import at

_OWNER = {"kind": "InferenceService", "name": "content-filter", "uid": "u"}


@contextlib.contextmanager
def cluster_with_a_rollout(folder: Path) -> Iterator[Path]:
    """Path of a kubeconfig for a cluster in which a rollout is under way and its process lives, in any namespace."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(_objects()[self.path.split("/")[-2]]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serve(server)
    settings = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(settings))
    try:
        yield path
    finally:
        server.shutdown()
        server.server_close()


def _objects() -> dict[str, Any]:
    conditions = [{"type": kind, "status": "True"} for kind in ("Ready", "PredictorReady")]
    conditions.append({"type": "Stopped", "status": "False"})
    renewed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "inferenceservices": {"metadata": {"name": "content-filter", "uid": "u"}, "status": {"conditions": conditions}},
        "configmaps": {
            "metadata": {"name": "rollout-content-filter", "ownerReferences": [_OWNER]},
            "data": {"state": at(Phase.BAKING, step=1).dump()},
        },
        "leases": {
            "metadata": {"name": "rollout-content-filter"},
            "spec": {"holderIdentity": "me", "renewTime": renewed},
        },
    }
