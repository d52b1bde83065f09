"""Texts from KServe's gRPC messages, and answers as such messages; pure functions.

The checks of :mod:`content_arena.components.predictor.protocol` hold here too: they are made of the same
:class:`kserve.InferRequest`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message
from kserve import InferInput, InferRequest, InferResponse
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.infer_type import RequestedOutput, to_http_parameters

from content_arena.components.predictor.grpc_server.wire import check_message
from content_arena.components.predictor.limits import SMALL_BODY_BYTES
from content_arena.components.predictor.protocol import RequestError, decoded, strings

#: By datatype: the field of InferTensorContents, and NumPy's type of the raw bytes, little-endian as Triton has them.
_FIELDS = {"FP32": "fp32_contents", "BOOL": "bool_contents", "BYTES": "bytes_contents"}
_RAW_TYPES = {"FP32": "<f4", "BOOL": "?"}

M = TypeVar("M", bound=Message)


def parsed(kind: type[M], message: bytes) -> M:
    """A message of a kind.

    Raises:
        RequestError: It is none.
    """
    found: M = kind()
    try:
        found.ParseFromString(message)
    except DecodeError:
        raise RequestError(f"the message is no {kind.__name__}") from None
    return found


def read(message: bytes) -> InferRequest:
    """A V2 request, whose tensor has texts.

    Args:
        message: A serialised ModelInferRequest, with ``contents`` or with ``raw_input_contents``.

    Raises:
        RequestError: Not a V2 request, or its tensor does not hold UTF-8.
    """
    if len(message) > SMALL_BODY_BYTES:
        check_message(message)
    request = parsed(pb.ModelInferRequest, message)
    if request.model_version:
        raise RequestError("this server does not offer model versions: leave model_version out")
    is_one = len(request.inputs) == 1  # Else it is refused by the check of all protocols.
    texts = _texts(request) if is_one else []
    return InferRequest(
        model_name=request.model_name,
        infer_inputs=[InferInput(each.name, list(each.shape), each.datatype, texts) for each in request.inputs],
        request_id=request.id,
        # An answer is raw if the request is, as with Triton.
        raw_inputs=request.raw_input_contents if is_one else None,
        from_grpc=True,
        parameters=to_http_parameters(request.parameters),
        request_outputs=[RequestedOutput(output.name) for output in request.outputs],
    )


def _texts(request: pb.ModelInferRequest) -> list[str]:
    (tensor,), raw = request.inputs, request.raw_input_contents
    if tensor.datatype.upper() != "BYTES":
        raise RequestError("the input tensor must have datatype BYTES")
    if not raw:
        return [decoded(element, index) for index, element in enumerate(tensor.contents.bytes_contents)]
    if len(raw) != 1 or tensor.HasField("contents"):
        raise RequestError("the input tensor must have contents, or one element of raw_input_contents, and not both")
    return strings(raw[0])


def answer(response: InferResponse, request: InferRequest) -> bytes:
    """A serialised ModelInferResponse, in the outputs and the format that the request asked for.

    The time of the work is a parameter as over HTTP, but a text: KServe's gRPC parameters have no fractions.
    """
    outputs = {output.name: output for output in response.outputs}
    message = pb.ModelInferResponse(
        id=response.id, model_name=response.model_name, model_version=response.model_version
    )
    for name, value in (response.parameters or {}).items():
        message.parameters[name].string_param = str(value)
    for name in dict.fromkeys(output.name for output in request.request_outputs) or outputs:
        output = outputs[name]
        tensor = message.outputs.add(name=name, datatype=output.datatype, shape=output.shape)
        data = [text.encode() for text in output.data] if output.datatype == "BYTES" else output.data
        if request.use_binary_outputs:
            message.raw_output_contents.append(_raw(data, output.datatype))
        else:
            getattr(tensor.contents, _FIELDS[output.datatype]).extend(data)
    serialised: bytes = message.SerializeToString()
    return serialised


def _raw(data: Sequence[Any], datatype: str) -> bytes:
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(element)) + element for element in data)
    return np.asarray(data, dtype=_RAW_TYPES[datatype]).tobytes()
