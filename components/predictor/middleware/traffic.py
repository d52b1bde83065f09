"""The ASGI layer around all that answers: names requests, tells a rollout's probes from users', counts, and logs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from content_arena.components.predictor.metrics import route_template
from content_arena.components.predictor.middleware.accounting import REQUEST_ID_HEADER, Accounting, Facts
from content_arena.components.predictor.probe_token import PROBE_HEADER

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PROBE = PROBE_HEADER.encode()
_REQUEST_ID = REQUEST_ID_HEADER.encode()
#: Where the scope of a request has its :class:`Facts`.
FACTS = "content_arena"


def facts_of(scope: Scope) -> Facts | None:
    """The facts of a request; None where :class:`TrafficMiddleware` is not there, in a test for example."""
    found: Facts | None = scope.get(FACTS)
    return found


class TrafficMiddleware:
    """Counts and times every HTTP request, and answers with its ``x-request-id``."""

    def __init__(self, app: ASGIApp, accounting: Accounting) -> None:
        """Wraps ``app``; ``accounting`` counts."""
        self._app = app
        self._accounting = accounting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, and counts it when it is answered or has failed (status 500)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, probe = b"", None
        for name, value in scope["headers"]:
            if name == _REQUEST_ID:
                request_id = value
            elif name == _PROBE:
                probe = value
        facts = scope[FACTS] = self._accounting.begin(request_id, probe)
        if facts.is_refused_probe:
            # Nothing below may take it for a probe.
            scope["headers"] = [header for header in scope["headers"] if header[0] != _PROBE]
        answer_headers = [(name.encode(), value.encode()) for name, value in facts.answer_headers]
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *answer_headers]
            await send(message)

        start = time.perf_counter()
        try:
            await self._app(scope, receive, watch)
        finally:
            seconds = time.perf_counter() - start
            self._accounting.end(facts, scope["method"], route_template(scope), status, seconds)
