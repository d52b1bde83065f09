"""The ASGI layer that asks for an API key at every path but those that are open.

It stands before any body is read. Kubernetes, Prometheus and a reader of the documentation need no key. Where no keys
are configured, the server does not have this layer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from starlette.routing import Match
from starlette.types import Scope

from content_arena.components.predictor import openapi
from content_arena.components.predictor.middleware.access import Access, RateError, UnauthenticatedError
from content_arena.components.predictor.middleware.traffic import facts_of
from content_arena.components.predictor.refusals import Refusal, refusal_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Send

#: Liveness, readiness (``/health`` is that of the FMS adapter), metrics, documentation: GET needs no key here.
_OPEN = frozenset({"/", "/metrics", "/v2/health/live", "/v2/health/ready", "/health"}) | openapi.PATHS
_READING = frozenset({"GET", "HEAD"})

#: Finds a key where the clients of another API have it, such as in the query.
KeyFinder = Callable[[Scope], str | None]


class GuardMiddleware:
    """Refuses a request without a valid key (401), and one too many of its key (429, with ``Retry-After``)."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        model_name: str,
        key_finders: Mapping[str, KeyFinder] = MappingProxyType({}),
    ) -> None:
        """Wraps ``app``.

        Args:
            app: The next layer.
            access: Who may come in, and how often.
            model_name: Its readiness is asked for without a key.
            key_finders: By path, for a request that has no key in the usual headers. Refusals have the form of KServe's
                errors there too; an outer layer may give them another.
        """
        self._app = app
        self._access = access
        self._key_finders = dict(key_finders)
        self._open = _OPEN | {f"/v1/models/{model_name}", f"/v2/models/{model_name}/ready"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request with a valid key on."""
        if scope["type"] == "http" and not (scope["path"] in self._open and scope["method"] in _READING):
            find = self._key_finders.get(scope["path"])
            try:
                self._access.enter(scope["headers"], facts_of(scope), lambda: find(scope) if find else None)
            except (UnauthenticatedError, RateError) as error:
                await _refuse(scope, send, refusal_of(error))
                return
        await self._app(scope, receive, send)


async def _refuse(scope: Scope, send: Send, refusal: Refusal) -> None:
    # No route was asked yet, and the metrics count by routes.
    scope["route"] = next((route for route in scope["app"].routes if route.matches(scope)[0] != Match.NONE), None)
    body = json.dumps({"error": refusal.text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in refusal.headers.items()]
    await send({"type": "http.response.start", "status": int(refusal.status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
