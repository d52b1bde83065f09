"""Refusals and answers in the form that each API's clients read.

What goes wrong outside of an adapter (a body over the limit, a full queue, a missing API key, a fault) is answered by
the server as ``{"error": "..."}``. :class:`ErrorForms` rewrites these answers on the adapters' paths.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Request, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Makes the body of a refusal from its status and its text.
ErrorForm = Callable[[HTTPStatus, str], dict[str, object]]


class AdapterError(Exception):
    """A refusal with a body of its own; the text never quotes a user's comment."""

    def __init__(self, status: HTTPStatus, body: Mapping[str, object]) -> None:
        """Takes the answer's status and JSON body."""
        super().__init__(status.phrase)
        self.status, self.body = status, dict(body)


def answer(body: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """A JSON answer. Everything beyond ASCII is escaped, so that half a surrogate pair can be sent back."""
    return Response(json.dumps(body), status, media_type="application/json; charset=UTF-8")


async def refuse(_: Request, error: Exception) -> Response:
    """FastAPI's handler for an :class:`AdapterError`."""
    if not isinstance(error, AdapterError):
        raise error
    return answer(error.body, error.status)


class ErrorForms:
    """An ASGI layer that rewrites the server's own error answers on some paths."""

    def __init__(self, app: ASGIApp, forms: Mapping[str, ErrorForm]) -> None:
        """Wraps ``app``; ``forms`` are the errors' forms by path."""
        self._app = app
        self._forms = dict(forms)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        form = self._forms.get(scope["path"]) if scope["type"] == "http" else None
        await self._app(scope, receive, _Rewriting(form, send) if form else send)


class _Rewriting:
    """The way back of one answer: held until it is whole if it is an error."""

    def __init__(self, form: ErrorForm, send: Send) -> None:
        self._form = form
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        """Sends a message of the answer, now or when its body is there."""
        if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
            self._start = message
        elif self._start is None or message["type"] != "http.response.body":
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        body = self._rewritten(HTTPStatus(start["status"]))
        headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        start["headers"] = [*headers, (b"content-length", str(len(body)).encode())]
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})

    def _rewritten(self, status: HTTPStatus) -> bytes:
        try:
            text = json.loads(self._body)["error"]
        except (ValueError, TypeError, KeyError):
            return self._body
        return json.dumps(self._form(status, text)).encode() if isinstance(text, str) else self._body
