"""Servers with gRPC, and calls to them."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import grpc
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.components.predictor.conftest import running
from tests.ports import free_ports

SERVICE = "/inference.GRPCInferenceService/"
TEXTS = ["you idiot", "nice day today", "안녕 바보", "i\u200bd\u200biot \U0001f600 \x00"]
MODEL = "content-filter"


class Reply(NamedTuple):
    """What a call got."""

    code: grpc.StatusCode
    details: str
    metadata: dict[str, str]
    answer: bytes


class Port:
    """A server's gRPC port."""

    def __init__(self, server, port):
        self.server = server
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.channel = grpc.insecure_channel(self.address)

    def send(self, method, message=b"", metadata=(), **options):
        """Sends a call; ``message`` is serialised, or a message."""
        data = message if isinstance(message, bytes) else message.SerializeToString()
        call = self.channel.unary_unary(SERVICE + method)
        try:
            answer, ended = call.with_call(data, timeout=options.pop("timeout", 30), metadata=metadata, **options)
        except grpc.RpcError as error:
            ended, answer = error, b""
        return Reply(ended.code(), ended.details() or "", dict(ended.trailing_metadata() or ()), answer)

    def infer(self, request=None, metadata=(), **options):
        """The answer to a request, which has to be one."""
        reply = self.send("ModelInfer", request or asked(TEXTS), metadata, **options)
        assert reply.code is grpc.StatusCode.OK, reply
        return pb.ModelInferResponse.FromString(reply.answer)


def asked(texts, shape=None, **fields):
    """A request with ``contents``."""
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)] if shape is None else shape}
    tensor["contents"] = {"bytes_contents": [text if isinstance(text, bytes) else text.encode() for text in texts]}
    return pb.ModelInferRequest(**{"model_name": MODEL, "inputs": [tensor]} | fields)


def asked_raw(texts, shape=None, **fields):
    """A request with ``raw_input_contents``."""
    raw = b"".join(len(text.encode()).to_bytes(4, "little") + text.encode() for text in texts)
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)] if shape is None else shape}
    return pb.ModelInferRequest(**{"model_name": MODEL, "inputs": [tensor], "raw_input_contents": [raw]} | fields)


@contextlib.contextmanager
def running_grpc(bundle, *arguments, **options):
    port = free_ports(1)[0]
    with running(bundle, "--model_version", "7", "--grpc_port", str(port), *arguments, **options) as server:
        grpc_port = Port(server, port)
        grpc.channel_ready_future(grpc_port.channel).result(20)
        try:
            yield grpc_port
        finally:
            grpc_port.channel.close()


@pytest.fixture(scope="session")
def served(tiny_bundle):
    with running_grpc(tiny_bundle.path) as port:
        yield port
