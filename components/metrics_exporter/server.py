"""Serves the exporter: ``python -m content_arena.components.metrics_exporter.server --port 9100``.

Exit codes: 0 after SIGTERM or SIGINT, 2 if an argument or the port cannot be used (one line on stderr).
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NoReturn
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from content_arena.components.metrics_exporter.collector import ArenaCollector
from content_arena.components.metrics_exporter.refresh import Refresher, logger
from content_arena.components.metrics_exporter.rollouts import RolloutCollector

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    # Importing them takes seconds, see refresh.py.
    from content_arena.components.canary_rollout.launch import Observed, RolloutWatcher
    from content_arena.components.metrics_exporter.snapshot import Reader, Snapshot

_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql")


def main(arguments: Sequence[str] | None = None) -> int:
    """The module's command line; returns the exit code."""
    # Also while MLflow is being imported, and as process 1 of a container, which ignores SIGTERM otherwise.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logger.setLevel(logging.INFO)
    # Without these MLflow would ask a server that does not answer for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    refresher = Refresher(_reader(options.tracking_uri), options.interval)
    rollouts: Refresher[Observed] | None = None
    if options.service:
        watch = _watcher(options.namespace, options.service)
        rollouts = Refresher(watch, options.interval, source="the API server")
    try:
        server = make_server(options.host, options.port, application(refresher, rollouts), _Server, _Handler)
    except OSError as error:
        print(f"error: port {options.port} on {options.host} cannot be listened on: {error.strerror}", file=sys.stderr)
        return 2
    logger.info("serving http://%s:%d/metrics every %g s", options.host, server.server_port, options.interval)
    for each in (refresher, rollouts):
        if each is not None:
            threading.Thread(target=each.run, name="refresh", daemon=True).start()
    server.serve_forever()
    return 0


def application(refresher: Refresher[Snapshot], rollouts: Refresher[Observed] | None = None) -> WSGIApplication:
    """The WSGI application: ``/metrics``, ``/healthz`` (alive), ``/readyz`` (MLflow was tried once).

    Readiness does not wait for MLflow: that it is away is a figure, and a pod that is not ready is not scraped.

    Args:
        refresher: Reads MLflow.
        rollouts: Reads a service and its rollout in the cluster; None to export nothing about them.
    """
    registry = CollectorRegistry()
    registry.register(ArenaCollector(refresher.current))
    if rollouts is not None:
        registry.register(RolloutCollector(rollouts.current))
    ProcessCollector(registry=registry)
    metrics: WSGIApplication = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            return metrics(environ, start_response)
        ready = path == "/healthz" or (path == "/readyz" and refresher.tried.is_set())
        known = path in ("/healthz", "/readyz")
        status = "200 OK" if ready else "503 Service Unavailable" if known else "404 Not Found"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{status[4:].lower()}\n".encode()]

    return answer


def _reader(tracking_uri: str) -> Callable[[], Snapshot]:
    """A read that imports MLflow when it is first called: that takes seconds, and the port answers meanwhile."""
    made: list[Reader] = []

    def read() -> Snapshot:
        if not made:
            from content_arena.components.metrics_exporter.snapshot import Reader

            made.append(Reader(tracking_uri))
        return made[0].read()

    return read


def _watcher(namespace: str, service: str) -> Callable[[], Observed]:
    """A read of the cluster that imports its client when it is first called, as :func:`_reader` does."""
    made: list[RolloutWatcher] = []

    def read() -> Observed:
        if not made:
            from content_arena.components.canary_rollout.launch import RolloutWatcher, ServiceRef

            made.append(RolloutWatcher(ServiceRef(service, namespace)))
        return made[0].read()

    return read


class _Server(ThreadingWSGIServer):
    """One thread for each request."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Logs nothing: these are errors of clients that disconnected or sent nothing."""


class _Handler(WSGIRequestHandler):
    """Logs no request, and drops a client that sends nothing."""

    timeout = 10

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing."""


def _end(*_: object) -> NoReturn:
    # There is nothing to save, and a thread that waits for MLflow must not delay the end.
    os._exit(0)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="content_arena.components.metrics_exporter.server",
        description="Serves what MLflow holds about the arena as Prometheus metrics.",
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=_port, default=9100, help="TCP port; 0: any free one (default: %(default)s)")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: %(default)s)")  # noqa: S104
    parser.add_argument(
        "--tracking-uri",
        type=_uri,
        default=os.environ.get("MLFLOW_TRACKING_URI") or "",
        help="MLflow server or database (default: $MLFLOW_TRACKING_URI)",
    )
    parser.add_argument(
        "--interval", type=_interval, default=30.0, help="seconds between two reads, at least 1 (default: %(default)g)"
    )
    parser.add_argument(
        "--service",
        default="",
        help="InferenceService whose conditions and rollout are exported too (default: none, and no cluster is read)",
    )
    parser.add_argument("--namespace", default="content-arena", help="where that service is (default: %(default)s)")
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"got {text[:40]!r}, a port is 0 to 65535")
    return int(text)


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"got {text[:40]!r}, wanted 1 to 3600 seconds")
    return seconds


def _uri(text: str) -> str:
    """An address of MLflow's; the refusal does not quote it, there may be a password in it."""
    if not text:
        raise argparse.ArgumentTypeError("no MLflow given: pass --tracking-uri or set MLFLOW_TRACKING_URI")
    scheme, found, _ = text.partition("://")
    if not found or scheme.partition("+")[0] not in _SCHEMES:
        raise argparse.ArgumentTypeError(f"an address starts with one of {', '.join(_SCHEMES)} and ://")
    return text


if __name__ == "__main__":
    sys.exit(main())
