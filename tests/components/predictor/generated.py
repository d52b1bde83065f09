"""Requests that are made up: of the OpenAPI schemas, of each API's fields, and of bytes that may be no HTTP at all."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import CheckFunction
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)

from .adapters.test_generated_requests import BODIES
from .test_load import BODY, HEADERS

V1, V2, EXPLAIN = (
    "/v1/models/content-filter:predict", "/v2/models/content-filter/infer", "/v1/models/content-filter:explain",
)  # fmt: skip
PATHS = (V1, V2, EXPLAIN, "/v2/repository/models/content-filter/load", *BODIES)
_DETECTION = {"type": "object", "required": ["start", "end", "text", "detection", "detection_type", "score"]}
_DETECTIONS = {"type": "array", "items": {"type": "array", "items": _DETECTION}}
_CONTENTS = {
    "type": "object",
    "required": ["contents"],
    "properties": {
        "contents": {"type": "array", "items": {"type": "string"}},
        "detector_params": {
            "type": "object",
            "properties": {"threshold": {"type": "number", "minimum": 0, "maximum": 1}},
        },
    },
}
_DETECTOR_ID = {"name": "detector-id", "in": "header", "required": True, "schema": {"type": "string"}}


def _json(schema: object) -> dict[str, object]:
    return {"content": {"application/json": {"schema": schema}}}


_ANSWERS = {
    "200": {"description": "Detections of each text."} | _json(_DETECTIONS),
    "422": {"description": "Refused."} | _json({"type": "object", "required": ["code", "message"]}),
}
#: The detectors API of FMS Guardrails, as far as it is served, in words of our own.
DETECTORS = {
    "openapi": "3.1.0",
    "info": {"title": "detectors", "version": "1"},
    "paths": {
        "/api/v1/text/contents": {
            "post": {
                "parameters": [_DETECTOR_ID],
                "requestBody": {"required": True} | _json(_CONTENTS),
                "responses": _ANSWERS,
            }
        }
    },
}
_CHECKS: list[CheckFunction] = [status_code_conformance, content_type_conformance, response_schema_conformance]


#: Sends a request, checks its answer, and returns the status; 0 for a connection that was closed without an answer.
Request = Callable[[], int]


@dataclass(frozen=True)
class Kind:
    """A kind of request.

    Attributes:
        name: Of the API and of how it is made up.
        requests: Strategy of requests of this kind.
    """

    name: str
    requests: st.SearchStrategy[Request]


def kinds(url: str) -> Iterator[Kind]:
    """Every kind, for a server with all adapters."""
    served = schemathesis.openapi.from_url(f"{url}/openapi.json")
    detectors = schemathesis.openapi.from_dict(DETECTORS)
    detectors.config.update(base_url=url)
    for schema in (served, detectors):
        yield from _of_schema(schema)
    session = requests.Session()
    session.headers["detector-id"] = "any"
    for path, bodies in BODIES.items():
        yield Kind(f"POST {path}, of fields", bodies.map(lambda body, path=path: _posted(session, url + path, body)))
    for path in (V1, V2, EXPLAIN):
        yield Kind(
            f"POST {path}, of fields",
            st.tuples(BODY, HEADERS).map(lambda drawn, path=path: _posted(session, url + path, *drawn)),
        )
    port = int(url.rpartition(":")[2])
    yield Kind("raw bytes", _RAW.map(lambda sent: lambda: _answer_to(port, sent)))


def _of_schema(schema: schemathesis.BaseSchema) -> Iterator[Kind]:
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode:
            has_input = bool(operation.body) or bool(list(operation.path_parameters))
            if mode is GenerationMode.NEGATIVE and not has_input:
                continue
            # That a tensor fits its shape, and a number of tokens its limit, is in no schema.
            accepted = [] if operation.path.endswith("/infer") else [positive_data_acceptance]
            checks = [*_CHECKS, *(accepted if mode is GenerationMode.POSITIVE else [negative_data_rejection])]
            cases = operation.as_strategy(generation_mode=mode)
            name = f"{operation.method.upper()} {operation.path}, {mode.value}"
            yield Kind(name, cases.map(lambda case, checks=checks: lambda: _called(case, checks)))


def _called(case: schemathesis.Case, checks: list[CheckFunction]) -> int:
    response = case.call(timeout=30)
    assert response.status_code < 500, (case.path, case.body, response.status_code)
    case.validate_response(response, checks=checks)
    return response.status_code


def _posted(session: requests.Session, url: str, body: object, headers: dict[str, str] | None = None) -> Request:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def send() -> int:
        response = session.post(url, data=data, headers=headers, timeout=30)
        assert response.status_code < 500, (url, data, response.status_code)
        assert response.headers["content-type"].startswith("application/")
        return response.status_code

    return send


def _answer_to(port: int, sent: bytes) -> int:
    """The status of the first answer to bytes, after which the client sends no more."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client, contextlib.suppress(ConnectionError):
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := client.recv(65_536):
            answer += chunk
        if answer:
            status = int(answer.split(b" ", 2)[1])
            assert status < 500, (sent, answer)
            return status
    return 0


def _line(path: str) -> st.SearchStrategy[bytes]:
    method = st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "PRI", "P\u00d6ST", ""])
    version = st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", ""])
    return st.tuples(method, version).map(lambda drawn: f"{drawn[0]} {path} {drawn[1]}\r\n".encode())


_HEADER = st.sampled_from(
    [
        b"Host: x", b"Content-Length: 5", b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: -1",
        b"Content-Length: 99999999999999999999", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked",
        b"Content-Encoding: gzip", b"Expect: 100-continue", b"Connection: close",
        b"Connection: upgrade\r\nUpgrade: h2c",
        b"Upgrade: websocket", b"Inference-Header-Content-Length: 7", b"X-Request-Id: \xff\xfe", b"no header", b": x",
        b"X: " + b"x" * 5_000, b"Content-Type: multipart/form-data; boundary=x",
    ]
)  # fmt: skip
_PAYLOAD = st.sampled_from(
    [b"", b'{"instances": ["you idiot"]}', b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"\x00" * 9]
) | st.binary(max_size=300)
_REQUEST = st.builds(
    lambda line, headers, payload: line + b"\r\n".join([*headers, b"", payload]),
    st.sampled_from(
        [*PATHS, "/", "/metrics", "*", "//", "/%", "/%00", "/" + "x" * 9_000, "http://x/", "/\u00e4"]
    ).flatmap(_line),
    st.lists(_HEADER, max_size=4),
    _PAYLOAD,
)
#: Requests that are nearly right, several at once, cut off or with a byte changed, and anything.
_RAW = (
    st.binary(max_size=500)
    | st.lists(_REQUEST, min_size=1, max_size=3).map(b"".join)
    | st.tuples(_REQUEST, st.integers(0, 400)).map(lambda drawn: drawn[0][: drawn[1]])
    | st.tuples(_REQUEST, st.integers(0, 400), st.binary(max_size=3)).map(
        lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] + 1 :]
    )
)
