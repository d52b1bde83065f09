"""Alertmanager's own configuration from our AlertmanagerConfig, and servers that it may notify.

It is translated as the Prometheus operator does: names in snake case, Secrets read, a matcher for the namespace.
"""

from __future__ import annotations

import contextlib
import json
import queue
import re
import socketserver
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.background import serve

Json = dict[str, Any]
#: Names whose snake case is not what the rule for the others gives.
_NAMES = {"apiURL": "api_url", "requireTLS": "require_tls", "urlSecret": "url"}


def configuration(config: Json, secret: Mapping[str, str]) -> Json:
    """What Alertmanager reads, of an AlertmanagerConfig and the Secret that it names."""
    spec = _translated(config["spec"], secret)
    own = f'namespace="{config["metadata"]["namespace"]}"'
    route = spec["route"] | {"matchers": [own], "continue": True}
    route["routes"] = [each | {"matchers": _matchers(each["matchers"])} for each in route["routes"]]
    rules = [
        {"source_matchers": [*_matchers(rule["source_match"]), own],
         "target_matchers": [*_matchers(rule["target_match"]), own], "equal": rule["equal"]}
        for rule in spec["inhibit_rules"]
    ]  # fmt: skip
    return {
        "route": {"receiver": "nobody", "routes": [route]},
        "receivers": [{"name": "nobody"}, *spec["receivers"]],
        "inhibit_rules": rules,
    }


def _translated(value: Any, secret: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_translated(each, secret) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"name", "key"}:
        return secret[value["key"]]
    return {_snake(name): _translated(each, secret) for name, each in value.items()}


def _snake(name: str) -> str:
    return _NAMES.get(name) or re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _matchers(given: list[Json]) -> list[str]:
    return [f'{each["name"]}{each["match_type"]}"{each["value"]}"' for each in given]


class Received:
    """What servers of this process received.

    Attributes:
        posts: ``(path, body)`` of each request.
        mails: Each message, as it was sent.
        http_port: Of the server for requests.
        smtp_port: Of the server for mails.
    """

    def __init__(self) -> None:
        self.posts: queue.Queue[tuple[str, Json]] = queue.Queue()
        self.mails: queue.Queue[str] = queue.Queue()
        self.http_port = self.smtp_port = 0


@contextlib.contextmanager
def receiving() -> Iterator[Received]:
    """An HTTP server that takes whatever is posted, and a mail server."""
    received = Received()

    class Posts(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")
            received.posts.put((self.path, json.loads(body)))

        def log_message(self, *_: Any) -> None:
            pass

    class Mails(socketserver.StreamRequestHandler):
        """As much of SMTP (RFC 5321) as one message takes."""

        def handle(self) -> None:
            self._say("220 here")
            for line in iter(self.rfile.readline, b""):
                verb = line.split()[0].upper().rstrip(b":") if line.split() else b""
                if verb == b"DATA":
                    self._say("354 go on")
                    received.mails.put("".join(self._message()))
                self._say("221 bye" if verb == b"QUIT" else "250 ok")
                if verb == b"QUIT":
                    return

        def _message(self) -> Iterator[str]:
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                yield line.decode()

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Posts) as http,
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mails) as smtp,
    ):
        received.http_port, received.smtp_port = http.server_port, smtp.server_address[1]
        for server in (http, smtp):
            serve(server)
        try:
            yield received
        finally:
            http.shutdown()
            smtp.shutdown()
