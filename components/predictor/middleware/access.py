"""Who may come in, and how many requests a second each API key may send: the same for every protocol.

A request's key is looked for before any of its body is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from content_arena.components.predictor.middleware.accounting import Facts
from content_arena.components.predictor.middleware.api_keys import ROLLOUT, ApiKeys
from content_arena.components.predictor.middleware.rates import Rate, RateLimiter
from content_arena.components.shared.errors import ArenaError

_BEARER = b"bearer "


class UnauthenticatedError(ArenaError):
    """The request has no valid API key (HTTP 401)."""


class RateError(ArenaError):
    """The API key has sent too many requests (HTTP 429).

    Attributes:
        seconds: Until it may send the next one.
    """

    def __init__(self, seconds: float) -> None:
        """Takes the time to wait."""
        super().__init__("too many requests a second with this API key")
        self.seconds = seconds


class Access:
    """Asks for an API key; for the event loop."""

    def __init__(self, keys: ApiKeys, rate: Rate | None = None) -> None:
        """Takes who may come in.

        Args:
            keys: The keys of all clients.
            rate: How many requests each key may send; unlimited if None.
        """
        self._keys = keys
        self._limiter = RateLimiter(rate) if rate else None

    def enter(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        facts: Facts | None,
        find: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Counts a request for its key, and notes the key's name.

        Args:
            headers: Names in small letters, and values.
            facts: What is known of the request; None where nothing is counted.
            find: Finds a key where the clients of another API have it, if there is none in the headers.

        Raises:
            UnauthenticatedError: It has no valid key.
            RateError: It is one too many of its key.
        """
        if facts is not None and facts.is_probe:  # It has the rollout's token.
            facts.key = ROLLOUT
            return
        name = self._name_of(headers, find)
        if name is None:
            raise UnauthenticatedError("no valid API key: send the header Authorization: Bearer KEY, or X-API-Key: KEY")
        if facts is not None:
            facts.key = name
        if self._limiter is not None and (wait := self._limiter.wait(name)):
            raise RateError(wait)

    def _name_of(self, headers: Iterable[tuple[bytes, bytes]], find: Callable[[], str | None]) -> str | None:
        """The client that one of the request's keys belongs to: a gateway may use one of the headers for itself."""
        for name, value in headers:
            key = None
            if name == b"x-api-key":
                key = value.decode("latin-1")
            elif name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
                key = value[len(_BEARER) :].decode("latin-1").strip()
            if key and (found := self._keys.name_of(key)):
                return found
        key = find()
        return self._keys.name_of(key) if key else None
