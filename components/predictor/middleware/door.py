"""What an operator configures at the server's door: who may come in, what is counted, what is logged."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from content_arena.components.predictor.middleware.api_keys import ApiKeys
from content_arena.components.predictor.middleware.rates import Rate
from content_arena.components.shared.errors import InputError

#: Lines NAME=KEY, as a Secret's key that a variable is filled from.
API_KEYS_VARIABLE = "CONTENT_ARENA_API_KEYS"
#: Default of the option: the path of a file or folder with keys.
API_KEYS_FILE_VARIABLE = "CONTENT_ARENA_API_KEYS_FILE"
PROBE_TOKEN_VARIABLE = "CONTENT_ARENA_PROBE_TOKEN"  # noqa: S105
LOG_FORMAT_VARIABLE = "CONTENT_ARENA_LOG_FORMAT"
LOG_SALT_VARIABLE = "CONTENT_ARENA_LOG_SALT"
#: For people, without lines of requests; and JSON.
LOG_FORMATS = ("text", "json")


@dataclass(frozen=True)
class DoorOptions:
    """What the command line says. Secrets are not among it: they come from files and the environment.

    Attributes:
        api_keys: File or folder with API keys; the environment's if None.
        key_rate: Requests a second that each key may send; unlimited if None.
        key_burst: Requests that each key may send at once; as many as in a second, and at least 1, if None.
        log_format: ``text`` or ``json``.
        log_text_hashes: Whether a request's line has the hashes of its texts.
    """

    api_keys: Path | None = None
    key_rate: float | None = None
    key_burst: int | None = None
    log_format: str = "text"
    log_text_hashes: bool = False


@dataclass(frozen=True)
class Door:
    """The options with the secrets that belong to them.

    Attributes:
        keys: Who may come in; everybody if None.
        rate: How many requests each key may send; unlimited if None.
        probe_token: What a rollout's probes hold; nothing is a probe if None.
        logs_json: Whether lines are JSON, with one for each request.
        log_text_hashes: See :class:`DoorOptions`.
        log_salt: Key of these hashes; drawn if None.
    """

    keys: ApiKeys | None = None
    rate: Rate | None = None
    probe_token: str | None = None
    logs_json: bool = False
    log_text_hashes: bool = False
    log_salt: str | None = None

    @classmethod
    def of(cls, options: DoorOptions, environment: Mapping[str, str] = os.environ) -> Door:
        """Reads the secrets.

        Args:
            options: What the command line says.
            environment: Where the variables are.

        Raises:
            InputError: The keys cannot be used, or an option has no effect without another.
        """
        keys, rate = _keys(options.api_keys, environment), _rate(options)
        if rate and not keys:
            raise InputError("a rate for each API key needs API keys: name their file or folder")
        if options.log_format not in LOG_FORMATS:
            raise InputError(f"got a log format of {options.log_format!r}, wanted {' or '.join(LOG_FORMATS)}")
        logs_json = options.log_format == "json"
        if options.log_text_hashes and not logs_json:
            raise InputError("hashes of texts are part of the JSON log: set the log format to json")
        return cls(
            keys=keys,
            rate=rate,
            probe_token=environment.get(PROBE_TOKEN_VARIABLE) or None,
            logs_json=logs_json,
            log_text_hashes=options.log_text_hashes,
            log_salt=environment.get(LOG_SALT_VARIABLE) or None,
        )

    def described(self) -> list[str]:
        """Lines for the log: who may come in, and which probes count."""
        who = "every client is served, no API keys are configured"
        if self.keys:
            who = f"API keys of {', '.join(self.keys.names)}"
            if self.rate:
                who += f"; each {self.rate.per_second:g} requests a second, {self.rate.burst} at once"
        probes = "probes of a rollout need its token"
        if not self.probe_token:
            probes = (
                "probes of a rollout are counted as users' requests: "
                f"set {PROBE_TOKEN_VARIABLE} to a token that the rollout has too"
            )
        return [who, probes]


#: Everybody may come in, and nothing is logged of requests.
OPEN = Door()


def _keys(path: Path | None, environment: Mapping[str, str]) -> ApiKeys | None:
    lines, named = environment.get(API_KEYS_VARIABLE), environment.get(API_KEYS_FILE_VARIABLE)
    # A variable that is there and empty is a Secret or a path that was lost: the door does not open by that.
    if path is None and named == "":
        raise InputError(f"${API_KEYS_FILE_VARIABLE} is empty: name a file or folder with API keys, or unset it")
    path = path or (Path(named) if named else None)
    if path is not None and lines is not None:
        raise InputError(f"API keys are in ${API_KEYS_VARIABLE} and in {path}: give one of them")
    if path is not None:
        return ApiKeys.load(path)
    return None if lines is None else ApiKeys.parse(lines, f"${API_KEYS_VARIABLE}")


def _rate(options: DoorOptions) -> Rate | None:
    if options.key_rate is None:
        if options.key_burst is not None:
            raise InputError("a burst needs a rate: how many requests a second each API key may send")
        return None
    if options.key_burst is not None:
        return Rate(options.key_rate, options.key_burst)
    rate = Rate(options.key_rate, burst=1)
    return replace(rate, burst=max(1, int(rate.per_second)))
