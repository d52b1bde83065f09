"""The methods of KServe's GRPCInferenceService, as its HTTP endpoints answer."""

from __future__ import annotations

import urllib.parse

import grpc
from google.protobuf.message import Message
from kserve.errors import ModelNotReady
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from content_arena.components.predictor import protocol
from content_arena.components.predictor.deadline import in_time
from content_arena.components.predictor.grpc_server import messages
from content_arena.components.predictor.grpc_server.calls import Call, Calls, Method
from content_arena.components.predictor.limits import SMALL_BODY_BYTES, Limits
from content_arena.components.predictor.middleware.large_bodies import parsed
from content_arena.components.predictor.middleware.rules import Rules
from content_arena.components.predictor.model import FilterDataPlane
from content_arena.components.predictor.probe_token import PROBE_HEADER
from content_arena.components.predictor.protocol import RequestError
from content_arena.components.predictor.reload import Reloader
from content_arena.components.predictor.rest import administration

SERVICE = "inference.GRPCInferenceService"


class Service:
    """Answers the calls of KServe's V2 protocol.

    Attributes:
        calls: What each of them goes through.
    """

    def __init__(
        self, dataplane: FilterDataPlane, limits: Limits, rules: Rules, reloader: Reloader, *, logs: bool = False
    ) -> None:
        """Takes what HTTP requests are answered with.

        Args:
            dataplane: What scores.
            limits: What a request may cost.
            rules: Who may come in, and what is counted.
            reloader: Takes over another bundle.
            logs: Whether requests are logged: what was scored is noted for the log then.
        """
        self._dataplane = dataplane
        self._limits = limits
        self._rules = rules
        self._reloader = reloader
        self._logs = logs
        self.calls = Calls(rules, limits)

    def handlers(self) -> grpc.GenericRpcHandler:
        """What gRPC's server calls."""
        # Open are those that need no key over HTTP either.
        methods = {
            "ServerLive": (self._server_live, True),
            "ServerReady": (self._server_ready, True),
            "ModelReady": (self._model_ready, True),
            "ServerMetadata": (self._server_metadata, False),
            "ModelMetadata": (self._model_metadata, False),
            "ModelInfer": (self._infer, False),
            "RepositoryModelLoad": (self._load, False),
            "RepositoryModelUnload": (self._unload, False),
        }
        handlers = {
            name: self.calls.handler(Method(f"/{SERVICE}/{name}", answer, is_open))
            for name, (answer, is_open) in methods.items()
        }
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    async def _server_live(self, _: Call) -> bytes:
        return _serialised(pb.ServerLiveResponse(live=(await self._dataplane.live())["status"] == "alive"))

    async def _server_ready(self, _: Call) -> bytes:
        return _serialised(pb.ServerReadyResponse(ready=await self._dataplane.ready()))

    async def _model_ready(self, call: Call) -> bytes:
        name = _small(pb.ModelReadyRequest, call.message).name
        return _serialised(pb.ModelReadyResponse(ready=await self._dataplane.model_ready(name)))

    async def _server_metadata(self, _: Call) -> bytes:
        return _serialised(pb.ServerMetadataResponse(**self._dataplane.metadata()))

    async def _model_metadata(self, call: Call) -> bytes:
        name = _small(pb.ModelMetadataRequest, call.message).name
        return _serialised(pb.ModelMetadataResponse(**await self._dataplane.model_metadata(name)))

    async def _infer(self, call: Call) -> bytes:
        async with in_time(self._limits.deadline):
            request = await parsed(len(call.message), lambda: messages.read(call.message))
            if not await self._dataplane.model_ready(request.model_name, True):
                raise ModelNotReady(request.model_name)
            headers = {PROBE_HEADER: ""} if call.facts.is_probe else {}
            response, _ = await self._dataplane.infer(request.model_name, request, headers)
        if self._logs:
            call.facts.note_texts(protocol.texts_of(request, [output.name for output in request.request_outputs]))
        return messages.answer(response, request)

    async def _load(self, call: Call) -> bytes:
        if self._rules.access is None:
            administration.check_local(_host(call.peer), call.headers)
        name = _small(pb.RepositoryModelLoadRequest, call.message).model_name
        await administration.load_again(name, self._reloader)
        return _serialised(pb.RepositoryModelLoadResponse(model_name=name, isLoaded=True))

    async def _unload(self, _: Call) -> bytes:
        raise NotImplementedError


def _small(kind: type[messages.M], message: bytes) -> messages.M:
    """A message that holds a name."""
    if len(message) > SMALL_BODY_BYTES:
        raise RequestError(f"the message is no {kind.__name__}")
    return messages.parsed(kind, message)


def _serialised(message: Message) -> bytes:
    serialised: bytes = message.SerializeToString()
    return serialised


def _host(peer: str) -> str | None:
    """The address of a peer, such as ``ipv4:127.0.0.1:5000`` or ``ipv6:%5B::1%5D:5000``; None if it has none."""
    kind, _, address = urllib.parse.unquote(peer).partition(":")
    return address.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else None
