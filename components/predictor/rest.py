"""kserve's REST server with other error answers, logs and administration endpoints.

kserve answers an error with ``str(exception)`` and logs its traceback, and both can quote users' texts. It logs two
lines per request, and lets any client unload the model. Here every error has a fixed text and a status, only faults of
the server are logged, without messages, and the model cannot be unloaded.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
import threading
import traceback
import warnings
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kserve import ModelServer, errors
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.server import RESTServer
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from content_arena.components.predictor import metrics, protocol
from content_arena.components.predictor.model import ContentFilterModel, FilterDataPlane, OverloadedError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("kserve.content_arena")

#: 256 texts of 5,000 characters, every character as two JSON escapes (12 bytes), and the frame.
MAX_BODY_BYTES = 16 * 1024 * 1024
#: Seconds for requests in flight after SIGTERM; Kubernetes kills after 30.
DRAIN_SECONDS = 25

Handler = Callable[[Request, Exception], Awaitable[JSONResponse]]


def _answer(status: HTTPStatus, text: str, headers: dict[str, str] | None = None) -> Handler:
    async def handle(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse({"error": text}, status, headers)

    return handle


async def _bad_request(_: Request, error: Exception) -> JSONResponse:
    # Only our own messages are known not to quote users.
    text = str(error) if isinstance(error, protocol.RequestError) else "the request cannot be read"
    return JSONResponse({"error": text}, HTTPStatus.BAD_REQUEST)


async def _invalid_body(_: Request, error: RequestValidationError) -> JSONResponse:
    return JSONResponse({"error": protocol.describe(error.errors())}, HTTPStatus.BAD_REQUEST)


async def _http_error(_: Request, error: HTTPException) -> JSONResponse:
    text = HTTPStatus(error.status_code).phrase
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # FastAPI's only one: a V2 body that could not be parsed for another reason than its syntax.
        text = "the body is not valid UTF-8, or nested too deep to read"
    return JSONResponse({"error": text}, error.status_code, error.headers)


async def _post_only() -> None:
    raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})


_NOT_READY = _answer(HTTPStatus.SERVICE_UNAVAILABLE, "not ready")
# kserve answers 501 here, but a 5xx is the server's fault and counts as an error in a canary analysis.
_NOT_OFFERED = _answer(HTTPStatus.NOT_FOUND, "not offered by this server")
_HANDLERS: dict[type[Exception], Any] = {
    errors.InvalidInput: _bad_request,
    RequestValidationError: _invalid_body,
    HTTPException: _http_error,
    ClientDisconnect: _answer(HTTPStatus.BAD_REQUEST, "the client left"),
    errors.ModelNotFound: _answer(HTTPStatus.NOT_FOUND, "no such model"),
    NotImplementedError: _NOT_OFFERED,
    errors.UnsupportedProtocol: _NOT_OFFERED,
    errors.ModelNotReady: _NOT_READY,
    errors.ServerNotReady: _NOT_READY,
    errors.ServerNotLive: _NOT_READY,
    OverloadedError: _answer(HTTPStatus.SERVICE_UNAVAILABLE, "too many texts are waiting", {"Retry-After": "1"}),
}


class _BodyTooLargeError(Exception):
    """The body exceeded the limit while it was read."""


class BoundaryMiddleware:
    """Refuses bodies over 16 MiB (413), and answers unhandled errors with a 500 without details."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on; never raises an :class:`Exception`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False
        read = 0

        async def count(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        async def limit() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MAX_BODY_BYTES:
                raise _BodyTooLargeError
            return message

        status, text = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is over {MAX_BODY_BYTES} bytes"
        try:
            if _declared_length(scope) <= MAX_BODY_BYTES:
                await self._app(scope, limit, count)
                return
        except _BodyTooLargeError:
            pass
        except Exception as error:
            status, text = HTTPStatus.INTERNAL_SERVER_ERROR, "internal error"
            # The message of an exception may quote the request; the lines of code cannot.
            frames = "".join(traceback.format_tb(error.__traceback__))
            logger.error("%s on %s\n%s", type(error).__name__, metrics.route_template(scope), frames)
        if not started:
            await _send_error(send, status, text)


def _declared_length(scope: Scope) -> int:
    value = dict(scope["headers"]).get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0


async def _send_error(send: Send, status: HTTPStatus, text: str) -> None:
    body = json.dumps({"error": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _FixedRepository(ModelRepositoryExtension):
    """Refuses to load and unload models, which kserve's repository endpoints allow any client."""

    async def load(self, model_name: str) -> None:
        """Refused."""
        raise NotImplementedError

    async def unload(self, model_name: str) -> None:
        """Refused."""
        raise NotImplementedError


class _FilterREST(RESTServer):
    """kserve's routes behind our middlewares and error answers."""

    def __init__(self, server: ModelServer, version: str) -> None:
        super().__init__(
            "kserve.model_server:app",
            server.dataplane,
            _FixedRepository(server.registered_models),
            server.http_port,
            grace_period=server.grace_period,
            timeout_keep_alive=server.timeout_keep_alive,
        )
        self._version = version

    def _register_endpoints(self, app: FastAPI) -> None:
        # Before kserve's routes: that of a model's readiness would take "NAME:predict" for a name.
        app.add_api_route(
            "/v1/models/{model_name}:predict", _post_only, methods=["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]
        )
        # kserve logs which optional endpoints it lacks packages for; this server does not need them.
        kserve_logger = logging.getLogger("kserve")
        level = kserve_logger.level
        kserve_logger.setLevel(logging.WARNING)
        try:
            super()._register_endpoints(app)
        finally:
            kserve_logger.setLevel(level)

    def _add_middlewares(self, app: FastAPI) -> None:
        # Without kserve's timing middleware: it logs two lines per request, and quotes request headers in its errors.
        app.add_middleware(BoundaryMiddleware)
        app.add_middleware(metrics.MetricsMiddleware, version=self._version)

    def _add_exception_handlers(self, app: FastAPI) -> None:
        for kind, handler in _HANDLERS.items():
            app.add_exception_handler(kind, handler)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until SIGTERM or SIGINT, then finishes the requests in flight and returns."""
        server = self._server

        def leave(*_: object) -> None:
            server.should_exit = True

        # uvicorn handles these signals while it serves, and raises them again afterwards; the process has to survive.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, leave)
            signal.signal(signal.SIGINT, leave)
        # No access log: the metrics have the same information, and a URL can contain a user's text.
        access = logging.getLogger("uvicorn.access")
        access.handlers.clear()
        access.propagate = False
        # About kserve's response class, at the first request of every route.
        warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")
        super().run(sockets)


class FilterServer(ModelServer):
    """A kserve ModelServer with one model, HTTP only, on a socket that is already bound."""

    def __init__(self, model: ContentFilterModel, port: int) -> None:
        """Registers a loaded model; nothing is served before :meth:`run`."""
        super().__init__(
            http_port=port,
            enable_grpc=False,
            enable_docs_url=False,
            enable_latency_logging=False,
            grace_period=DRAIN_SECONDS,
        )
        self.dataplane = FilterDataPlane(self.registered_models)
        self.register_model(model)
        self._version = model.version

    def run(self, listener: socket.socket) -> None:
        """Serves on ``listener`` until SIGTERM or SIGINT; requests in flight are finished within 25 seconds.

        kserve's ``start`` is not used: it binds the port only now, and unloads the model on SIGQUIT while it serves.

        Raises:
            OSError: The socket cannot be listened on.
        """
        _FilterREST(self, self._version).run([listener])
