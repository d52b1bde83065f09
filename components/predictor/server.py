"""Serves a bundle over HTTP, as KServe's ServingRuntime starts it: ``python -m ...predictor.server --model_dir DIR``.

If it is asked to, it serves gRPC beside it.

Exit codes: 0 after SIGTERM or SIGINT, 2 if the port or the bundle cannot be used (one line on stderr).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

from content_arena.components.predictor.adapters.options import NO_ADAPTERS, AdapterOptions
from content_arena.components.predictor.arguments import ServeOptions, chosen, parser
from content_arena.components.predictor.hang_up import HangUp
from content_arena.components.predictor.middleware.door import OPEN, Door
from content_arena.components.predictor.sources import BundleSource, source_of
from content_arena.components.shared.errors import ArenaError, InputError
from content_arena.components.shared.library_errors import LibraryError, during, traceback_of

logger = logging.getLogger("kserve.content_arena")


@dataclass(frozen=True)
class Serving:
    """What is served.

    Attributes:
        url: Base URL.
        version: What answers name.
        grpc: Address for gRPC, as HOST:PORT; None if it is off.
        threshold: A text is toxic if its score is at least this.
    """

    url: str
    version: str
    threshold: float
    grpc: str | None = None


def serve(
    source: BundleSource,
    options: ServeOptions | None = None,
    *,
    door: Door = OPEN,
    adapters: AdapterOptions = NO_ADAPTERS,
    announce: Callable[[Serving], None] = lambda serving: None,
) -> None:
    """Serves a bundle until SIGTERM or SIGINT; requests in flight are finished before it returns.

    The port is bound first and listened on last: a readiness probe that gets a connection finds a warm model.

    Args:
        source: Where the bundle comes from. It is asked again at SIGHUP, and when a client asks for a reload.
        options: How it is served; the defaults if None.
        door: Who may come in, and what is logged.
        adapters: Which APIs are served beside KServe's.
        announce: Called when the port is bound and the model is warm.

    Raises:
        InputError: The port is in use, or this user may not use it; or an adapter's file cannot be written.
        BundleError: A bundle is missing, broken, another one than was meant, or fails its warm-up.
        ArenaError: The registry does not answer, or has no such version.
    """
    options = options or ServeOptions()
    host, grpc_port = options.host, options.grpc_port
    with contextlib.ExitStack() as stack:
        hang_up = stack.enter_context(_signals())
        listener = stack.enter_context(_bind(host, options.port))
        grpc_socket = stack.enter_context(_bind(host, grpc_port)) if grpc_port else None
        if grpc_socket:
            # Its lines are no JSON, and who has sent what is counted and logged here.
            os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        with _light_kserve():
            from content_arena.components.predictor import startup
            from content_arena.components.predictor.adapters.catalogue import Adapters
            from content_arena.components.predictor.middleware.request_log import configure_json
            from content_arena.components.predictor.rest.server import FilterServer

        if door.logs_json:
            configure_json()
        apis = Adapters(adapters)
        model, reloader = startup.loaded(source, options)
        hang_up.reload_with(reloader)
        try:
            port = listener.getsockname()[1]
            server = FilterServer(model, port, apis, door, reloader, grpc_socket)
            shown = f"[{host}]" if ":" in host else host
            url = f"http://{shown}:{port}"
            grpc = f"{shown}:{grpc_port}" if grpc_port else None
            threads = model.serving.threads
            logger.info("serving %s version %s on %s with --threads %d", model.name, model.version, url, threads)
            if grpc:
                logger.info("gRPC (V2 protocol) on %s", grpc)
            for line in door.described():
                logger.info(line)
            announce(Serving(url, model.version, model.serving.threshold, grpc))
            try:
                server.run(listener)
            except OSError as error:
                raise _port_error(host, port, error) from error
        finally:
            model.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """The module's command line; returns the exit code."""
    given = parser().parse_args(arguments)
    try:
        with during(f"serving {given.model_dir}"):
            source = source_of(given.model_dir, given.model_version, given.model_alias)
            settings = chosen(vars(given), given.host, given.port, source_of)
            serve(source, settings.options, door=Door.of(settings.door), adapters=settings.adapters)
    except ArenaError as error:
        if isinstance(error, LibraryError):
            print(traceback_of(error), end="", file=sys.stderr)
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _bind(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, proto)
    except (OSError, OverflowError) as error:
        raise _port_error(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _port_error(host, port, error) from error
    return listener


def _port_error(host: str, port: int, error: Exception) -> InputError:
    if getattr(error, "errno", None) == errno.EADDRINUSE:
        return InputError(f"port {port} on {host} is in use: choose another, or stop what listens there")
    return InputError(f"port {port} on {host} cannot be listened on: {error}")


@contextlib.contextmanager
def _light_kserve() -> Iterator[None]:
    """For the first import of kserve: hides sys.argv, which it parses, and its client of Kubernetes.

    The client, which a server has no use for, imports the package kubernetes: 46 MB of memory and 0.4 s of a processor.
    """
    client = ModuleType("kserve.api.kserve_client")
    client.KServeClient = object  # type: ignore[attr-defined]
    is_first = "kserve" not in sys.modules
    arguments, sys.argv = sys.argv, sys.argv[:1]
    if is_first:
        sys.modules[client.__name__] = client
    try:
        yield
    finally:
        sys.argv = arguments
        if is_first:
            del sys.modules[client.__name__]  # Whoever imports it from now on gets the real one.


@contextlib.contextmanager
def _signals() -> Iterator[HangUp]:
    """Makes SIGTERM end the process while the model loads (process 1 of a container ignores it otherwise).

    SIGHUP has its handler, which is yielded, from here on. While it serves,
    :mod:`content_arena.components.predictor.rest.server` handles the other signals. Afterwards the old handlers are
    restored.
    """
    hang_up = HangUp()
    if threading.current_thread() is not threading.main_thread():
        yield hang_up
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, hang_up)
    try:
        yield hang_up
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
