"""The options of the server and its command line; nothing of the server is imported here."""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import dataclass
from pathlib import Path

from content_arena.components.predictor.adapters.options import NAMES, SUGGESTIONS_VARIABLE, VARIABLE
from content_arena.components.predictor.limits import DEADLINE_SECONDS
from content_arena.components.predictor.middleware.door import (
    API_KEYS_FILE_VARIABLE,
    API_KEYS_VARIABLE,
    LOG_FORMAT_VARIABLE,
    LOG_FORMATS,
    LOG_SALT_VARIABLE,
    PROBE_TOKEN_VARIABLE,
    DoorOptions,
)
from content_arena.components.predictor.sources import EXPECTED_SHA256_VARIABLE, BundleSource

#: Default of the option that names a second bundle.
SHADOW_VARIABLE = "CONTENT_ARENA_SHADOW"
#: Default of the option that bounds the cache of scores.
CACHE_VARIABLE = "CONTENT_ARENA_CACHE"


@dataclass(frozen=True)
class ServeOptions:
    """How a bundle is served.

    Attributes:
        host: Address to listen on.
        port: TCP port; 0 for any free one, which is logged.
        threads: Model sessions in parallel; the number of CPUs this process may use if None.
        deadline: Seconds until a request has a 504, from when its body was read.
        expected_sha256: SHA-256 (hex) that the bundle has to have; None for any.
        shadow: A second bundle that scores users' texts off the request path; None for none.
        cache: Windows (of up to 128 tokens) whose scores are kept; 0 for none.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    threads: int | None = None
    deadline: float = DEADLINE_SECONDS
    expected_sha256: str | None = None
    shadow: BundleSource | None = None
    cache: int = 0


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    made = argparse.ArgumentParser(prog="content_arena.components.predictor.server", description="Serves a bundle.")
    made.add_argument(
        "--model_dir",
        default="/mnt/models",
        help="folder of the bundle, or models:/content-filter@ALIAS or models:/content-filter/VERSION for one of the "
        "registry that $MLFLOW_TRACKING_URI names (default: %(default)s)",
    )
    made.add_argument(
        "--expected_sha256",
        default=os.environ.get(EXPECTED_SHA256_VARIABLE) or None,
        help="SHA-256 that the bundle has to have, as the registry records it; another one is not served "
        f"(default: ${EXPECTED_SHA256_VARIABLE}, else any)",
    )
    made.add_argument(
        "--shadow",
        default=os.environ.get(SHADOW_VARIABLE) or None,
        help="a second bundle, given like --model_dir, that scores users' texts off the request path; its agreement is "
        f"in the metrics (default: ${SHADOW_VARIABLE}, else none)",
    )
    made.add_argument(
        "--model_version",
        default=os.environ.get("CONTENT_ARENA_MODEL_VERSION") or None,
        help="registry version to answer with (default: $CONTENT_ARENA_MODEL_VERSION, else the bundle's digest)",
    )
    made.add_argument(
        "--model_alias",
        default=os.environ.get("CONTENT_ARENA_MODEL_ALIAS") or None,
        help="registry alias to report in the metrics (default: $CONTENT_ARENA_MODEL_ALIAS)",
    )
    made.add_argument(
        "--port", "--http_port", dest="port", type=_port, default=8080, help="TCP port (default: %(default)s)"
    )
    made.add_argument("--host", default="0.0.0.0", help="address to listen on (default: %(default)s)")  # noqa: S104
    made.add_argument("--threads", type=_positive, default=None, help="model sessions (default: one per CPU)")
    made.add_argument(
        "--deadline",
        type=_seconds,
        default=DEADLINE_SECONDS,
        help="seconds until a request that is not finished is answered with 504 (default: %(default)s)",
    )
    made.add_argument(
        "--cache",
        type=_size,
        default=os.environ.get(CACHE_VARIABLE) or 0,
        help="windows (a text has one, a long one several) whose scores are kept for the next request that has them "
        f"(default: ${CACHE_VARIABLE}, else 0)",
    )
    _add_door_options(made)
    made.add_argument(
        "--api_adapters",
        default=os.environ.get(VARIABLE),
        help=f"other APIs to serve, between commas: {', '.join(NAMES)} (default: ${VARIABLE}, else none)",
    )
    named = os.environ.get(SUGGESTIONS_VARIABLE)
    made.add_argument(
        "--suggestions",
        type=Path,
        default=Path(named) if named else None,
        help=f"file for the scores that Perspective's clients suggest (default: ${SUGGESTIONS_VARIABLE}, else none)",
    )
    return made


def _add_door_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "door",
        f"Secrets come from files and from the environment: ${API_KEYS_VARIABLE} (lines NAME=KEY), "
        f"${PROBE_TOKEN_VARIABLE} (a rollout's probes have to hold it; without it they count as users' requests), "
        f"${LOG_SALT_VARIABLE}.",
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


def door_options(options: argparse.Namespace) -> DoorOptions:
    """What a command line says of the door."""
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


def _size(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"got {number}, wanted at least 0")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"got {number}, wanted more than 0 seconds")
    return number
