"""Stand-ins for what a cloud gives a pod credentials by: STS, the agent of EKS pod identity, EC2's metadata server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

#: What a pod shows to the servers; nobody may read it in a log.
POD_TOKEN = "eyJ-the-token-of-the-pod"
_METADATA_TOKEN = "the-token-of-the-metadata-server"
_ROLE = "/latest/meta-data/iam/security-credentials/"


@dataclass
class Cloud:
    """One server that takes all three parts.

    Attributes:
        keys: Key and secret that it hands out.
        seconds: For how long they are valid.
        status: What it answers; anything but 200 is a refusal.
        asked: Method, path and parameters of each request.
        session: The session token that belongs to the keys.
    """

    keys: tuple[str, str]
    seconds: float = 3600
    status: int = 200
    asked: list[tuple[str, str, dict[str, list[str]]]] = field(default_factory=list)
    session: str = "the-token-of-the-session"
    url: str = ""

    def answer(self, method: str, path: str, body: str, headers: Any) -> tuple[int, str]:
        """Status and body of an answer."""
        self.asked.append((method, path, parse_qs(body)))
        if self.status != 200:
            return self.status, f"<Error>{body} {headers.get('Authorization')}</Error>"
        if method == "POST":
            return self._sts(parse_qs(body))
        if path == "/v1/credentials":
            return (200, self._json()) if headers.get("Authorization") == POD_TOKEN else (401, "")
        if path == "/latest/api/token":
            return 200, _METADATA_TOKEN
        if headers.get("X-aws-ec2-metadata-token") != _METADATA_TOKEN:
            return 401, ""
        return {_ROLE: (200, "node"), f"{_ROLE}node": (200, self._json())}.get(path, (404, ""))

    @property
    def _expiration(self) -> str:
        return (datetime.now(UTC) + timedelta(seconds=self.seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _sts(self, given: dict[str, list[str]]) -> tuple[int, str]:
        if given.get("WebIdentityToken") != [POD_TOKEN] or not given.get("RoleArn"):
            return 403, "<ErrorResponse/>"
        body = (
            f"<Credentials><AccessKeyId>{self.keys[0]}</AccessKeyId><SecretAccessKey>{self.keys[1]}</SecretAccessKey>"
            f"<SessionToken>{self.session}</SessionToken><Expiration>{self._expiration}</Expiration></Credentials>"
        )
        result = f"<AssumeRoleWithWebIdentityResult>{body}</AssumeRoleWithWebIdentityResult>"
        space = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'
        return 200, f"<AssumeRoleWithWebIdentityResponse {space}>{result}</AssumeRoleWithWebIdentityResponse>"

    def _json(self) -> str:
        names = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
        return json.dumps(dict(zip(names, (*self.keys, self.session, self._expiration), strict=True)))


@contextmanager
def running(cloud: Cloud) -> Iterator[Cloud]:
    """Serves a cloud; its address is in ``cloud.url`` meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            status, text = cloud.answer(self.command, self.path, body, self.headers)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_GET(self) -> None:
            self._do()

        def do_POST(self) -> None:
            self._do()

        def do_PUT(self) -> None:
            self._do()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()
