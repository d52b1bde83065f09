"""kserve's REST server with other error answers, logs and administration endpoints.

kserve answers an error with ``str(exception)`` and logs its traceback, and both can quote users' texts. It logs two
lines per request, and lets any client load and unload models. Here every error has a fixed text and a status, only
faults of the server are logged, without messages, and the model cannot be unloaded. Loading it again is in
administration.py.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import threading
import warnings
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kserve import ModelServer
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.server import RESTServer
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from content_arena.components.predictor import openapi, protocol
from content_arena.components.predictor.adapters.catalogue import Adapters
from content_arena.components.predictor.grpc_server.server import GrpcServer
from content_arena.components.predictor.grpc_server.service import Service
from content_arena.components.predictor.limits import DRAIN_SECONDS, FAREWELL_SECONDS
from content_arena.components.predictor.middleware.boundary import BoundaryMiddleware
from content_arena.components.predictor.middleware.door import Door
from content_arena.components.predictor.middleware.guard import GuardMiddleware
from content_arena.components.predictor.middleware.rules import Rules
from content_arena.components.predictor.middleware.tarpit import TarpitMiddleware
from content_arena.components.predictor.middleware.traffic import TrafficMiddleware
from content_arena.components.predictor.middleware.upgrades import UpgradeIgnoringProtocol
from content_arena.components.predictor.model import ContentFilterModel, FilterDataPlane
from content_arena.components.predictor.refusals import REFUSED, refusal_of
from content_arena.components.predictor.reload import Reloader
from content_arena.components.predictor.rest import administration, endpoints


async def _refuse(_: Request, error: Exception) -> JSONResponse:
    refusal = refusal_of(error)
    return JSONResponse({"error": refusal.text}, refusal.status, dict(refusal.headers))


async def _invalid_body(_: Request, error: RequestValidationError) -> JSONResponse:
    return JSONResponse({"error": protocol.describe(error.errors())}, HTTPStatus.BAD_REQUEST)


async def _http_error(_: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"error": HTTPStatus(error.status_code).phrase}, error.status_code, error.headers)


async def _left(_: Request, __: ClientDisconnect) -> JSONResponse:
    return JSONResponse({"error": "the client left"}, HTTPStatus.BAD_REQUEST)


_HANDLERS: dict[type[Exception], Callable[..., Awaitable[JSONResponse]]] = {
    **dict.fromkeys(REFUSED, _refuse),
    RequestValidationError: _invalid_body,
    HTTPException: _http_error,
    ClientDisconnect: _left,
}


class _FixedRepository(ModelRepositoryExtension):
    """Refuses what kserve's repository endpoints allow any client; :mod:`.administration` stands before them."""

    async def load(self, model_name: str) -> None:
        """Refused."""
        raise NotImplementedError

    async def unload(self, model_name: str) -> None:
        """Refused."""
        raise NotImplementedError


class _DrainingServer(uvicorn.Server):
    """Ends the requests that are not finished some seconds after SIGTERM, with an answer."""

    def __init__(
        self,
        config: uvicorn.Config,
        model: ContentFilterModel,
        reloader: Reloader,
        grpc_server: GrpcServer | None,
    ) -> None:
        super().__init__(config)
        self._model = model
        self._reloader = reloader
        self._grpc_server = grpc_server

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens."""
        if self._grpc_server:
            await self._grpc_server.start()
        await super().startup(sockets)
        self._reloader.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closes the ports and waits for the requests in flight."""
        self._reloader.close()
        timer = asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._model.close_queue)
        try:
            async with asyncio.TaskGroup() as ending:
                if self._grpc_server:
                    ending.create_task(self._grpc_server.stop(DRAIN_SECONDS + FAREWELL_SECONDS))
                await super().shutdown(sockets)
        finally:
            timer.cancel()


class _FilterREST(RESTServer):
    """kserve's routes behind our middlewares and error answers."""

    def __init__(self, server: FilterServer, dataplane: FilterDataPlane, model: ContentFilterModel) -> None:
        super().__init__(
            "kserve.model_server:app",
            dataplane,
            _FixedRepository(server.registered_models),
            server.http_port,
            grace_period=server.grace_period,
            timeout_keep_alive=server.timeout_keep_alive,
        )
        self._filter_dataplane = dataplane
        self._model, self._reloader = model, server.reloader
        self._door, self._adapters = server.door, server.adapters
        self._rules = Rules.of(server.door, model.limits, lambda: model.version)
        self.config.http = UpgradeIgnoringProtocol
        grpc_server = None
        if server.grpc_socket:
            logs = self._door.logs_json
            service = Service(dataplane, model.limits, self._rules, self._reloader, logs=logs)
            grpc_server = GrpcServer(server.grpc_socket, service, model.limits)
        self._server = _DrainingServer(self.config, model, self._reloader, grpc_server)

    def _register_endpoints(self, app: FastAPI) -> None:
        deadline, logs = self._model.limits.deadline, self._door.logs_json
        endpoints.register(app, self._filter_dataplane, deadline, logs=logs)
        administration.register(app, self._reloader, keyed=self._door.keys is not None)
        openapi.register(app, lambda: self._model.version, keyed=self._door.keys is not None)
        self._adapters.register(app, self._filter_dataplane, self._model)
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
        rules = self._rules
        app.add_middleware(BoundaryMiddleware, held=rules.held, body_seconds=self._model.limits.body_seconds)
        if rules.access:
            app.add_middleware(
                GuardMiddleware,
                access=rules.access,
                model_name=self._model.name,
                key_finders=self._adapters.key_finders,
            )
        # Outside of the layer that asks for keys: its refusals get each API's form too.
        self._adapters.add_layer(app)
        app.add_middleware(TrafficMiddleware, accounting=rules.accounting)
        # Outside of all: what it delays is over, and has been counted and measured.
        app.add_middleware(TarpitMiddleware)

    def _add_exception_handlers(self, app: FastAPI) -> None:
        for kind, handler in _HANDLERS.items():
            app.add_exception_handler(kind, handler)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until SIGTERM or SIGINT, then finishes the requests in flight and returns."""
        server = self._server

        def leave(*_: object) -> None:
            server.should_exit = True

        # uvicorn handles the first two while it serves, and raises them again afterwards; the process has to survive.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, leave)
            signal.signal(signal.SIGINT, leave)
        # No access log: the metrics have the same information, and a URL can contain a user's text.
        access = logging.getLogger("uvicorn.access")
        access.handlers.clear()
        access.propagate = False
        # About kserve's response class, at the first request of every route.
        warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")
        # A full collection stops every thread. What is loaded by now stays, so none looks at it again: during a reload
        # they took 50 ms of a core instead of 245.
        gc.collect()
        gc.freeze()
        super().run(sockets)


class FilterServer(ModelServer):
    """A kserve ModelServer with one model, on sockets that are already bound."""

    def __init__(
        self,
        model: ContentFilterModel,
        port: int,
        adapters: Adapters,
        door: Door,
        reloader: Reloader,
        grpc_socket: socket.socket | None = None,
    ) -> None:
        """Registers a loaded model; nothing is served before :meth:`run`.

        Args:
            model: What scores.
            port: Of the socket that is served on.
            adapters: Which APIs are served beside KServe's.
            door: Who may come in, and what is logged.
            reloader: Takes over another bundle.
            grpc_socket: Bound to the address for gRPC; None for no gRPC.
        """
        super().__init__(
            http_port=port,
            # None of the limits, keys and metrics holds for kserve's own: see grpc_server/.
            enable_grpc=False,
            enable_docs_url=False,
            enable_latency_logging=False,
            grace_period=DRAIN_SECONDS + FAREWELL_SECONDS,
        )
        self.dataplane = self._filter_dataplane = FilterDataPlane(self.registered_models)
        self.register_model(model)
        self._model = model
        self.door, self.adapters, self.reloader = door, adapters, reloader
        self.grpc_socket = grpc_socket

    def run(self, listener: socket.socket) -> None:
        """Serves on ``listener`` until SIGTERM or SIGINT; requests in flight have 15 seconds to finish.

        kserve's ``start`` is not used: it binds the port only now, and unloads the model on SIGQUIT while it serves.

        Raises:
            OSError: The socket cannot be listened on.
        """
        _FilterREST(self, self._filter_dataplane, self._model).run([listener])
