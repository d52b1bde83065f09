"""The settings of the server, which both of its command lines take; nothing of the server is imported here.

``python -m ...predictor.server``, which a container starts, and ``arena serve`` make their options of :data:`SETTINGS`.
What a setting is called, means and is by default is written once, there.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from content_arena.components.predictor.adapters.options import NAMES, SUGGESTIONS_VARIABLE, VARIABLE, AdapterOptions
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
from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    from content_arena.components.predictor.sources import BundleSource

#: Default of the option that says which SHA-256 the bundle has.
EXPECTED_SHA256_VARIABLE = "CONTENT_ARENA_EXPECTED_SHA256"
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
        grpc_port: TCP port for gRPC; 0 for none.
        cache: Windows (of up to 128 tokens) whose scores are kept; 0 for none.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    threads: int | None = None
    deadline: float = DEADLINE_SECONDS
    expected_sha256: str | None = None
    shadow: BundleSource | None = None
    grpc_port: int = 0
    cache: int = 0


@dataclass(frozen=True)
class Setting:
    """An option of both command lines.

    Attributes:
        name: Its name, with underscores, as a command line of this module has it.
        meaning: Its help, without the default.
        metavar: What its value is called in the help; None for an option without a value, which is false by default.
        read: Makes the value of what was written. Raises ValueError, which says what was wanted.
        default: The value if nothing is written.
        variable: Of the environment, which holds what is taken if nothing is written; None for none. An empty one is
            none.
    """

    name: str
    meaning: str
    metavar: str | None
    read: Callable[[str], Any] = str
    default: object = None
    variable: str | None = None

    @property
    def help(self) -> str:
        """Its help, with the variable."""
        return self.meaning + (f" (default: ${self.variable}, else {self._shown})" if self.variable else "")

    @property
    def _shown(self) -> str:
        return "none" if self.default is None else str(self.default)


@dataclass(frozen=True)
class Chosen:
    """What a command line says.

    Attributes:
        options: How the bundle is served.
        door: Who may come in, and what is logged.
        adapters: Which APIs are served beside KServe's.
    """

    options: ServeOptions
    door: DoorOptions
    adapters: AdapterOptions


def chosen(given: Mapping[str, Any], host: str, port: int, bundle_of: Callable[[str], BundleSource]) -> Chosen:
    """Sorts the values of a command line.

    Args:
        given: Of every setting, by name.
        host: Address to listen on.
        port: TCP port; 0 for any free one.
        bundle_of: Reads where the shadow comes from.

    Raises:
        InputError: A value cannot be used.
    """
    from content_arena.components.predictor.sources import checked_sha256

    adapters = AdapterOptions.of(given["api_adapters"], given["suggestions"])
    options = ServeOptions(
        host=host,
        port=port,
        threads=given["threads"],
        deadline=given["deadline"],
        expected_sha256=checked_sha256(given["expected_sha256"]),
        shadow=bundle_of(given["shadow"]) if given["shadow"] else None,
        grpc_port=_other_port(given["grpc_port"], port),
        cache=given["cache"],
    )
    door = DoorOptions(
        api_keys=given["api_keys"],
        key_rate=given["key_rate"],
        key_burst=given["key_burst"],
        log_format=given["log_format"],
        log_text_hashes=given["log_text_hashes"],
    )
    return Chosen(options, door, adapters)


def parser() -> argparse.ArgumentParser:
    """What the command line of the container takes."""
    made = argparse.ArgumentParser(
        prog="content_arena.components.predictor.server",
        description="Serves a bundle.",
        epilog=f"Secrets come from files and from the environment: ${API_KEYS_VARIABLE} (lines NAME=KEY), "
        f"${PROBE_TOKEN_VARIABLE} (a rollout's probes have to hold it; without it they count as users' requests), "
        f"${LOG_SALT_VARIABLE}.",
    )
    made.add_argument(
        "--model_dir",
        default="/mnt/models",
        help="folder of the bundle, or models:/content-filter@ALIAS or models:/content-filter/VERSION for one of the "
        "registry that $MLFLOW_TRACKING_URI names (default: %(default)s)",
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
        "--port", "--http_port", dest="port", type=_reader(_port), default=8080, help="TCP port (default: %(default)s)"
    )
    made.add_argument("--host", default="0.0.0.0", help="address to listen on (default: %(default)s)")  # noqa: S104
    for setting in SETTINGS:
        _add(made, setting)
    return made


def _add(parser: argparse.ArgumentParser, setting: Setting) -> None:
    name = f"--{setting.name}"
    if setting.metavar is None:
        parser.add_argument(name, action="store_true", help=setting.help)
        return

    written = os.environ.get(setting.variable) if setting.variable else None
    shown = "" if setting.default is None or setting.variable else " (default: %(default)s)"
    parser.add_argument(
        name,
        type=_reader(setting.read),
        default=written or setting.default,
        metavar=setting.metavar,
        help=setting.help + shown,
    )


def _other_port(grpc_port: int, port: int) -> int:
    if grpc_port and grpc_port == port:
        raise InputError(f"HTTP and gRPC cannot share port {port}: choose another one for gRPC")
    return grpc_port


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= number <= 65_535:
        raise ValueError(f"got {text}, a port is 0 to 65535")
    return number


def _reader(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Reads a value for argparse, which shows the messages of its own errors alone."""

    def shown(text: str) -> object:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return shown


def _whole(least: int) -> Callable[[str], int]:
    """Reads whole numbers from ``least`` on."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise ValueError(f"got {text}, wanted a whole number, at least {least}")
        return number

    return read


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"got {text}, wanted a number") from None


def _seconds(text: str) -> float:
    number = _number(text)
    if not 0 < number < math.inf:
        raise ValueError(f"got {text}, wanted more than 0 seconds")
    return number


#: In the order of the help.
SETTINGS = (
    Setting(
        "expected_sha256",
        "SHA-256 that the bundle has to have, as the registry records it; another one is not served",
        "SHA256",
        variable=EXPECTED_SHA256_VARIABLE,
    ),
    Setting(
        "shadow",
        "A second bundle that scores users' texts off the request path, for /metrics to compare: a folder, or "
        "models:/content-filter@ALIAS; `arena serve` takes champion, challenger, previous and a version's number too",
        "BUNDLE",
        variable=SHADOW_VARIABLE,
    ),
    Setting(
        "grpc_port",
        "Port for KServe's V2 protocol over gRPC, on the same address as HTTP; 0 for none",
        "PORT",
        _port,
        0,
    ),
    Setting("threads", "Batches that are scored in parallel; one per CPU if not given", "N", _whole(1)),
    Setting(
        "deadline",
        "Seconds until a request that is not finished is answered with 504",
        "SECONDS",
        _seconds,
        DEADLINE_SECONDS,
    ),
    Setting(
        "cache",
        "Windows (a text has one, a long one several) whose scores are kept for the next request that has them",
        "N",
        _whole(0),
        0,
        CACHE_VARIABLE,
    ),
    Setting(
        "api_keys",
        "File with lines NAME=KEY, or folder with a file for each key, as a Secret is mounted; else "
        f"${API_KEYS_FILE_VARIABLE}, or the lines themselves in ${API_KEYS_VARIABLE}. Without keys every client is "
        "served",
        "PATH",
        Path,
    ),
    Setting("key_rate", "Requests a second for each API key; unlimited if not given", "N", _number),
    Setting("key_burst", "Requests at once for each API key; those of a second if not given", "N", _whole(1)),
    Setting(
        "log_format",
        "text, or json: one object a line, and a line for each request",
        "|".join(LOG_FORMATS),
        default="text",
        variable=LOG_FORMAT_VARIABLE,
    ),
    Setting(
        "log_text_hashes",
        f"Add a hash of each text to a request's line, keyed with ${LOG_SALT_VARIABLE}, else with a random key",
        None,
        default=False,
    ),
    Setting(
        "api_adapters",
        f"Other APIs to serve as well, between commas: {', '.join(NAMES)}",
        "A,B,C",
        variable=VARIABLE,
    ),
    Setting(
        "suggestions",
        "Where scores go that Perspective's clients suggest: a file, or s3://bucket/folder. Else they are refused",
        "PLACE",
        variable=SUGGESTIONS_VARIABLE,
    ),
)
