"""The ASGI layer that asks for an API key, and bounds how many requests a second each key may send.

It stands before any body is read, and asks at every path but those that Kubernetes, Prometheus and a reader of the
documentation need. Where no keys are configured, the server does not have this layer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING

from starlette.routing import Match
from starlette.types import Scope

from content_arena.components.predictor import openapi
from content_arena.components.predictor.middleware.api_keys import ROLLOUT, ApiKeys
from content_arena.components.predictor.middleware.rates import Rate, RateLimiter
from content_arena.components.predictor.middleware.traffic import facts_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Send

#: Liveness, readiness (``/health`` is that of the FMS adapter), metrics, documentation: GET needs no key here.
_OPEN = frozenset({"/", "/metrics", "/v2/health/live", "/v2/health/ready", "/health"}) | openapi.PATHS
_READING = frozenset({"GET", "HEAD"})
_NO_KEY = "no valid API key: send the header Authorization: Bearer KEY, or X-API-Key: KEY"
_TOO_MANY = "too many requests a second with this API key"
_BEARER = b"bearer "

#: Finds a key where the clients of another API have it, such as in the query.
KeyFinder = Callable[[Scope], str | None]


class AccessMiddleware:
    """Refuses a request without a valid key (401), and one too many of its key (429, with ``Retry-After``)."""

    def __init__(
        self,
        app: ASGIApp,
        keys: ApiKeys,
        model_name: str,
        rate: Rate | None = None,
        key_finders: Mapping[str, KeyFinder] = MappingProxyType({}),
    ) -> None:
        """Wraps ``app``.

        Args:
            app: The next layer.
            keys: Who may come in.
            model_name: Its readiness is asked for without a key.
            rate: How many requests each key may send; unlimited if None.
            key_finders: By path, for a request that has no key in the usual headers. Refusals have the form of KServe's
                errors there too; an outer layer may give them another.
        """
        self._app = app
        self._keys = keys
        self._limiter = RateLimiter(rate) if rate else None
        self._key_finders = dict(key_finders)
        self._open = _OPEN | {f"/v1/models/{model_name}", f"/v2/models/{model_name}/ready"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request with a valid key on, and notes the key's name."""
        if scope["type"] != "http" or (scope["path"] in self._open and scope["method"] in _READING):
            await self._app(scope, receive, send)
            return
        facts = facts_of(scope)
        if facts is not None and facts.is_probe:  # It has the rollout's token.
            facts.key = ROLLOUT
            await self._app(scope, receive, send)
            return
        name = self._name_of(scope)
        if name is None:
            await _refuse(scope, send, HTTPStatus.UNAUTHORIZED, _NO_KEY, (b"www-authenticate", b"Bearer"))
            return
        if facts is not None:
            facts.key = name
        if self._limiter is not None and (wait := self._limiter.wait(name)):
            header = (b"retry-after", str(math.ceil(wait)).encode())
            await _refuse(scope, send, HTTPStatus.TOO_MANY_REQUESTS, _TOO_MANY, header)
            return
        await self._app(scope, receive, send)

    def _name_of(self, scope: Scope) -> str | None:
        """The client that one of the request's keys belongs to: a gateway may use one of the headers for itself."""
        for name, value in scope["headers"]:
            key = None
            if name == b"x-api-key":
                key = value.decode("latin-1")
            elif name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
                key = value[len(_BEARER) :].decode("latin-1").strip()
            if key and (found := self._keys.name_of(key)):
                return found
        find = self._key_finders.get(scope["path"])
        key = find(scope) if find else None
        return self._keys.name_of(key) if key else None


async def _refuse(scope: Scope, send: Send, status: HTTPStatus, text: str, header: tuple[bytes, bytes]) -> None:
    # No route was asked yet, and the metrics count by routes.
    scope["route"] = next((route for route in scope["app"].routes if route.matches(scope)[0] != Match.NONE), None)
    body = json.dumps({"error": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), header]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
