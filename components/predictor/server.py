"""Serves a bundle over HTTP, as KServe's ServingRuntime starts it: ``python -m ...predictor.server --model_dir DIR``.

Exit codes: 0 after SIGTERM or SIGINT, 2 if the port or the bundle cannot be used (one line on stderr).
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import logging
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from content_arena.components.predictor.adapters.options import (
    NAMES,
    NO_ADAPTERS,
    SUGGESTIONS_VARIABLE,
    VARIABLE,
    AdapterOptions,
)
from content_arena.components.predictor.door import (
    API_KEYS_FILE_VARIABLE,
    API_KEYS_VARIABLE,
    LOG_FORMAT_VARIABLE,
    LOG_FORMATS,
    LOG_SALT_VARIABLE,
    OPEN,
    PROBE_TOKEN_VARIABLE,
    Door,
    DoorOptions,
)
from content_arena.components.predictor.limits import DEADLINE_SECONDS, Limits
from content_arena.components.shared.errors import ArenaError, InputError
from content_arena.components.shared.library_errors import LibraryError, during, traceback_of

logger = logging.getLogger("kserve.content_arena")


def serve(
    bundle_path: str | Path,
    *,
    port: int = 8080,
    host: str = "127.0.0.1",
    alias: str | None = None,
    version: str | None = None,
    threads: int | None = None,
    deadline: float = DEADLINE_SECONDS,
    door: Door = OPEN,
    adapters: AdapterOptions = NO_ADAPTERS,
    announce: Callable[[str], None] = lambda url: None,
) -> None:
    """Serves a bundle until SIGTERM or SIGINT; requests in flight are finished before it returns.

    The port is bound first and listened on last: a readiness probe that gets a connection finds a warm model.

    Args:
        bundle_path: The bundle's folder, or a folder with exactly one bundle in it.
        port: TCP port; 0 for any free one, which is logged.
        host: Address to listen on.
        alias: Registry alias to report in ``content_arena_model_version``.
        version: Registry version to answer with; the bundle's own digest if None.
        threads: Model sessions in parallel; the number of CPUs this process may use if None.
        deadline: Seconds until a request has a 504, from when its body was read.
        door: Who may come in, and what is logged.
        adapters: Which APIs are served beside KServe's.
        announce: Called with the base URL when the port is bound and the model is warm.

    Raises:
        InputError: The port is in use, or this user may not use it; or an adapter's file cannot be written.
        BundleError: The bundle is missing, broken, or fails its warm-up.
    """
    with _signals(), _bind(host, port) as listener:
        with _hidden_arguments():
            from content_arena.components.predictor import metrics
            from content_arena.components.predictor.adapters.catalogue import Adapters
            from content_arena.components.predictor.model import ContentFilterModel
            from content_arena.components.predictor.request_log import configure_json
            from content_arena.components.predictor.rest import FilterServer
        from content_arena.components.shared.filter import ContentFilter

        if door.logs_json:
            configure_json()
        apis = Adapters(adapters)
        model = ContentFilterModel(
            ContentFilter.open(bundle_path, version=version, threads=threads), Limits(deadline=deadline)
        )
        try:
            model.load()
            metrics.announce(model.version, alias)
            port = listener.getsockname()[1]
            server = FilterServer(model, port, apis, door)
            url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            logger.info("serving %s version %s on %s", model.name, model.version, url)
            for line in door.described():
                logger.info(line)
            announce(url)
            try:
                server.run(listener)
            except OSError as error:
                raise _port_error(host, port, error) from error
        finally:
            model.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """The module's command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        with during(f"serving {options.model_dir}"):
            serve(
                options.model_dir,
                port=options.port,
                host=options.host,
                alias=options.model_alias,
                version=options.model_version,
                threads=options.threads,
                deadline=options.deadline,
                door=Door.of(_door_options(options)),
                adapters=AdapterOptions.of(options.api_adapters, options.suggestions),
            )
    except ArenaError as error:
        if isinstance(error, LibraryError):
            print(traceback_of(error), end="", file=sys.stderr)
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="content_arena.components.predictor.server", description="Serves a bundle.")
    parser.add_argument("--model_dir", default="/mnt/models", help="folder of the bundle (default: %(default)s)")
    parser.add_argument(
        "--model_version",
        default=os.environ.get("CONTENT_ARENA_MODEL_VERSION") or None,
        help="registry version to answer with (default: $CONTENT_ARENA_MODEL_VERSION, else the bundle's digest)",
    )
    parser.add_argument(
        "--model_alias",
        default=os.environ.get("CONTENT_ARENA_MODEL_ALIAS") or None,
        help="registry alias to report in the metrics (default: $CONTENT_ARENA_MODEL_ALIAS)",
    )
    parser.add_argument(
        "--port", "--http_port", dest="port", type=_port, default=8080, help="TCP port (default: %(default)s)"
    )
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: %(default)s)")  # noqa: S104
    parser.add_argument("--threads", type=_positive, default=None, help="model sessions (default: one per CPU)")
    parser.add_argument(
        "--deadline",
        type=_seconds,
        default=DEADLINE_SECONDS,
        help="seconds until a request that is not finished is answered with 504 (default: %(default)s)",
    )
    _add_door_options(parser)
    parser.add_argument(
        "--api_adapters",
        default=os.environ.get(VARIABLE),
        help=f"other APIs to serve, between commas: {', '.join(NAMES)} (default: ${VARIABLE}, else none)",
    )
    named = os.environ.get(SUGGESTIONS_VARIABLE)
    parser.add_argument(
        "--suggestions",
        type=Path,
        default=Path(named) if named else None,
        help=f"file for the scores that Perspective's clients suggest (default: ${SUGGESTIONS_VARIABLE}, else none)",
    )
    return parser


def _add_door_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "door",
        f"Secrets come from files and from the environment: ${API_KEYS_VARIABLE} (lines NAME=KEY), "
        f"${PROBE_TOKEN_VARIABLE} (without it any client may send x-content-arena-probe, and is counted as a rollout's "
        f"probe then), ${LOG_SALT_VARIABLE}.",
    )
    group.add_argument(
        "--api_keys",
        type=Path,
        default=None,
        help="file with lines NAME=KEY, or folder with a file for each key, as a Secret is mounted (default: "
        f"${API_KEYS_FILE_VARIABLE}). Without keys every client is served",
    )
    group.add_argument(
        "--key_rate", type=float, default=None, help="requests a second for each API key (default: unlimited)"
    )
    group.add_argument(
        "--key_burst", type=int, default=None, help="requests at once for each API key (default: those of a second)"
    )
    group.add_argument(
        "--log_format",
        choices=LOG_FORMATS,
        default=os.environ.get(LOG_FORMAT_VARIABLE) or "text",
        help=f"json: one object a line, and a line for each request (default: ${LOG_FORMAT_VARIABLE}, else text)",
    )
    group.add_argument(
        "--log_text_hashes",
        action="store_true",
        help=f"add a hash of each text to a request's line, keyed with ${LOG_SALT_VARIABLE} (default: a random one)",
    )


def _door_options(options: argparse.Namespace) -> DoorOptions:
    return DoorOptions(
        api_keys=options.api_keys,
        key_rate=options.key_rate,
        key_burst=options.key_burst,
        log_format=options.log_format,
        log_text_hashes=options.log_text_hashes,
    )


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError(f"got {number}, a port is 0 to 65535")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"got {number}, wanted at least 1")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"got {number}, wanted more than 0 seconds")
    return number


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
def _hidden_arguments() -> Iterator[None]:
    """Hides sys.argv, which kserve parses when it is first imported."""
    arguments, sys.argv = sys.argv, sys.argv[:1]
    try:
        yield
    finally:
        sys.argv = arguments


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Makes SIGTERM end the process while the model loads (process 1 of a container ignores it otherwise).

    While it serves, :mod:`content_arena.components.predictor.rest` handles the signals. Afterwards the old handlers
    are restored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
