"""Reads texts from request bodies, in both KServe protocols; pure functions.

V1 is ``{"instances": [text, ...]}``. V2 (Open Inference Protocol) is one BYTES tensor, as JSON or with the binary data
extension. Error messages name an instance by its 0-based index and never quote the request: they are logged, and texts
are private.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from kserve import InferRequest
from kserve.errors import InvalidInput
from kserve.protocol.rest.v2_datamodels import InferenceRequest
from pydantic import ValidationError

from content_arena.components.predictor.limits import MAX_INSTANCES
from content_arena.components.predictor.middleware.bodies import BodyError, check_json
from content_arena.components.predictor.scoring.judgement import ATTRIBUTES, OUTPUTS, READ_AS
from content_arena.components.shared.limits import MAX_TEXT_LENGTH

_LENGTH = struct.Struct("<I")
_SURROGATE = re.compile("[\ud800-\udfff]")
_OUTPUT_NAMES = [output["name"] for output in (*OUTPUTS, READ_AS)]
_FIELDS = frozenset({"id", "inputs", "outputs", "name", "shape", "datatype", "data", "parameters"})


class RequestError(InvalidInput):
    """The client's request cannot be answered; the client gets the message (HTTP 400)."""


def parse_json(body: bytes) -> object:
    """Parses a body as JSON, whatever its content type.

    It uses the standard library's parser, which accepts lone surrogates: the error can then name the text that has one.
    orjson refuses the whole body.

    Raises:
        RequestError: Not UTF-8, not JSON, nested too deep to read, or far more values than a request has.
    """
    try:
        check_json(body)
        return json.loads(body)
    except BodyError as error:
        raise RequestError(str(error)) from None
    except UnicodeDecodeError:
        raise RequestError("the body is not valid UTF-8") from None
    except RecursionError:
        raise RequestError("the body is nested too deep to read") from None
    except ValueError:
        raise RequestError("the body is not JSON") from None


def read_v2(body: bytes, json_length: str | None, model_name: str) -> InferRequest:
    """A V2 request.

    Args:
        body: JSON, followed by binary tensors if ``json_length`` is given.
        json_length: Value of the header ``Inference-Header-Content-Length``: bytes of ``body`` that are JSON.
        model_name: Name of the model, for the result.

    Raises:
        RequestError: Not a V2 request.
    """
    request = _from_bytes(body, json_length)
    if not all(tensor.datatype.upper() == "BYTES" for tensor in request.inputs):
        raise RequestError("the input tensor must have datatype BYTES")
    return InferRequest.from_inference_request(request, model_name)


def _from_bytes(body: bytes, json_length: str | None) -> InferenceRequest:
    if json_length is not None and not (json_length.isascii() and json_length.isdigit()):
        raise RequestError("the header Inference-Header-Content-Length is not a number of bytes")
    size = len(body) if json_length is None else min(int(json_length[:20]), len(body))
    payload = parse_json(body[:size])
    tail = body[size:]
    tensors = payload.get("inputs") if isinstance(payload, dict) else None
    for tensor in tensors if isinstance(tensors, list) else []:
        if isinstance(tensor, dict) and "data" not in tensor:
            length = _binary_size(tensor)
            if length > len(tail):
                raise RequestError("the body ends before its binary tensor does")
            tensor["data"], tail = strings(tail[:length]), tail[length:]
    try:
        return InferenceRequest.model_validate(payload)
    except ValidationError as error:
        raise RequestError(describe(error.errors(include_input=False, include_url=False))) from None


def _binary_size(tensor: dict[str, Any]) -> int:
    parameters = tensor.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise RequestError("an input tensor has neither data nor the parameter binary_data_size")
    return size


def strings(raw: bytes) -> list[str]:
    """The elements of a BYTES tensor: each is its length as a little-endian uint32, and UTF-8.

    Raises:
        RequestError: It is no such sequence, or has too many elements.
    """
    texts: list[str] = []
    position = 0
    while position < len(raw):
        if len(texts) == MAX_INSTANCES:
            raise RequestError(f"the binary tensor has more than {MAX_INSTANCES} elements")
        start = position + _LENGTH.size
        end = start + _LENGTH.unpack_from(raw, position)[0] if start <= len(raw) else start
        if end > len(raw):
            raise RequestError("the binary tensor is not a sequence of length-prefixed elements")
        texts.append(decoded(raw[start:end], len(texts)))
        position = end
    return texts


def decoded(element: bytes, index: int) -> str:
    """An element of a BYTES tensor as a text.

    Raises:
        RequestError: It is not UTF-8; the message names ``index``.
    """
    try:
        return element.decode()
    except UnicodeDecodeError:
        raise RequestError(f"instance {index} is not UTF-8") from None


def describe(errors: Sequence[Mapping[str, Any]]) -> str:
    """Describes what pydantic refused, without values, keys and messages that could quote the request.

    Args:
        errors: As pydantic's and FastAPI's validation errors list them.
    """
    if any(error["type"] == "json_invalid" for error in errors):
        return "the body is not JSON"
    # A body is validated as an object and as bytes; the error with the longest path is the specific one.
    paths = ([part for part in error["loc"] if isinstance(part, int) or part in _FIELDS] for error in errors)
    path = max(paths, key=len, default=[])
    place = ".".join(str(part) for part in path) or "body"
    return f"no V2 inference request (wrong at {place}): one BYTES tensor in inputs, with name, shape, datatype, data"


def texts_of(payload: object, attributes: Sequence[str] = ()) -> list[str]:
    """The texts of a V1 or V2 request, checked.

    Args:
        payload: Parsed JSON of a V1 request, or a V2 request.
        attributes: Outputs that a V2 request may ask for beside the usual ones.

    Returns:
        1 to 256 texts of 1 to 5,000 characters.

    Raises:
        RequestError: Anything else.
    """
    if isinstance(payload, InferRequest):
        return _v2_texts(payload, attributes)
    if not isinstance(payload, dict):
        raise RequestError('the body must be a JSON object like {"instances": ["a text"]}')
    if "instances" not in payload:
        raise RequestError("the body has no instances")
    return _checked(payload["instances"], "instances")


def _v2_texts(request: InferRequest, attributes: Sequence[str]) -> list[str]:
    if len(request.inputs) != 1:
        raise RequestError(f"got {len(request.inputs)} input tensors, wanted one")
    tensor = request.inputs[0]
    if tensor.datatype != "BYTES":
        raise RequestError("the input tensor must have datatype BYTES")
    for output in request.request_outputs or []:
        if output.name not in (*_OUTPUT_NAMES, *attributes):
            raise RequestError(f"an unknown output is asked for: there are {', '.join((*_OUTPUT_NAMES, *attributes))}")
    texts = _checked(_flat(tensor.data, tensor.shape), "data")
    if math.prod(tensor.shape) != len(texts):
        raise RequestError(f"the tensor's shape does not fit its {len(texts)} elements")
    return texts


def _flat(data: object, shape: Sequence[int]) -> object:
    """The elements of nested lists in row-major order; anything that is not nested as its shape says stays as it is."""
    if len(shape) < 2 or not isinstance(data, list) or not data or isinstance(data[0], str):
        return data
    if len(data) != shape[0]:
        return data
    flat = data
    for size in shape[1:]:
        if len(flat) > MAX_INSTANCES or not all(isinstance(row, list) and len(row) == size for row in flat):
            return data
        flat = [element for row in flat for element in row]
    return flat


def _checked(instances: object, name: str) -> list[str]:
    if not isinstance(instances, list):
        raise RequestError(f"{name} must be a list of texts")
    if not instances:
        raise RequestError(f"{name} is empty")
    if len(instances) > MAX_INSTANCES:
        raise RequestError(f"{name} has {len(instances)} texts, at most {MAX_INSTANCES} go into one request")
    for index, text in enumerate(instances):
        if not isinstance(text, str):
            raise RequestError(f"instance {index} is not a string")
        if len(text) > MAX_TEXT_LENGTH:
            raise RequestError(f"instance {index} has {len(text)} characters, at most {MAX_TEXT_LENGTH} are allowed")
        if not text or text.isspace():
            raise RequestError(f"instance {index} is empty")
        if not text.isascii() and _SURROGATE.search(text):
            raise RequestError(f"instance {index} holds half a surrogate pair, which is no character")
    return instances


def wants_reading(payload: object) -> bool:
    """Whether a V1 or V2 request asks for what the model reads: ``"parameters": {"read_as": true}``.

    Raises:
        RequestError: The parameter is neither true nor false, or the parameters are no object.
    """
    return READ_AS["name"] in _outputs(payload) or _flag(payload, READ_AS["name"])


def wants_attributes(payload: object) -> bool:
    """Whether a V1 or V2 request asks for what is scored beside toxicity: ``"parameters": {"attributes": true}``.

    Args:
        payload: Of which :func:`texts_of` has checked the outputs.

    Raises:
        RequestError: The parameter is neither true nor false.
    """
    return not _outputs(payload).issubset(_OUTPUT_NAMES) or _flag(payload, ATTRIBUTES)


def _outputs(payload: object) -> frozenset[str]:
    """The outputs that a V2 request names."""
    named = payload.request_outputs if isinstance(payload, InferRequest) else None
    return frozenset(output.name for output in named or [])


def _flag(payload: object, name: str) -> bool:
    if isinstance(payload, InferRequest):
        parameters: object = payload.parameters
    else:
        parameters = payload.get("parameters") if isinstance(payload, dict) else None
        if parameters is not None and not isinstance(parameters, dict):
            raise RequestError("parameters must be an object")
    value = parameters.get(name, False) if isinstance(parameters, dict) else False
    if not isinstance(value, bool):
        raise RequestError(f"the parameter {name} is true or false")
    return value
