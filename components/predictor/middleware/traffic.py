"""The ASGI layer around all that answers: names requests, tells a rollout's probes from users', counts, and logs."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from content_arena.components.predictor import metrics
from content_arena.components.predictor.probe_token import PROBE_HEADER, REFUSED, ProbeToken

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from content_arena.components.predictor.middleware.request_log import RequestLog

_PROBE = PROBE_HEADER.encode()
_REQUEST_ID = b"x-request-id"
#: What a client may name a request: it goes into a header and into the log.
_USABLE_ID = re.compile(rb"[!-~]{1,128}")
_REFUSED = (_PROBE, REFUSED.encode())
#: Where the scope of a request has its :class:`Facts`.
FACTS = "content_arena"
_PRESENT: ContextVar[Facts | None] = ContextVar("facts of the present request", default=None)


@dataclass(slots=True)
class Facts:
    """What is known of a request beside what HTTP says.

    Attributes:
        request_id: The client's name for it, or one made here.
        is_probe: Whether a rollout sent it.
        key: Name of the API key that it came with; None if no keys are asked for, or it had none.
        instances: Texts that were scored; None if there are none.
        texts: These texts, only if the log asks for their hashes.
        version: Of the model that answers it; None if it did not come to one.
    """

    request_id: bytes
    is_probe: bool = False
    key: str | None = None
    instances: int | None = None
    texts: list[str] | None = None
    version: str | None = None


def facts_of(scope: Scope) -> Facts | None:
    """The facts of a request; None where :class:`TrafficMiddleware` is not there, in a test for example."""
    found: Facts | None = scope.get(FACTS)
    return found


def note_version(version: str) -> None:
    """Notes the version of the model that answers the present request, if one is answered."""
    if facts := _PRESENT.get():
        facts.version = version


class TrafficMiddleware:
    """Counts and times every HTTP request, and answers with its ``x-request-id``."""

    def __init__(
        self,
        app: ASGIApp,
        version: Callable[[], str],
        probe_token: ProbeToken | None = None,
        log: RequestLog | None = None,
    ) -> None:
        """Wraps ``app``.

        Args:
            app: The next layer.
            version: Of the model that is served now; it goes into every label set of a request that came to no model.
            probe_token: What a probe has to hold; nothing is a probe if None.
            log: Where a line for each request goes; nowhere if None.
        """
        self._app = app
        self._version = version
        self._probe_token = probe_token or ProbeToken()
        self._log = log

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
                probe = self._probe_token.accepts(value)
        if not _USABLE_ID.fullmatch(request_id):
            request_id = os.urandom(16).hex().encode()
        facts = scope[FACTS] = Facts(request_id, bool(probe))
        answer_headers = [(_REQUEST_ID, request_id)]
        if probe is False:
            # Nothing below may take it for a probe.
            scope["headers"] = [header for header in scope["headers"] if header[0] != _PROBE]
            answer_headers.append(_REFUSED)
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *answer_headers]
            await send(message)

        _PRESENT.set(facts)
        start = time.perf_counter()
        try:
            await self._app(scope, receive, watch)
        finally:
            seconds = time.perf_counter() - start
            version = facts.version = facts.version or self._version()
            metrics.count(scope, status, seconds, version, is_probe=facts.is_probe)
            if facts.key is not None:
                metrics.KEY_REQUESTS.labels(facts.key, str(status), version).inc()
            if self._log is not None:
                self._log.write(scope, facts, status, seconds)
