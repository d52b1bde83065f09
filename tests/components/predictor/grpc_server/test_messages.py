"""Any bytes: what is no request is a RequestError, on the parser itself and over a real server."""

from __future__ import annotations

import contextlib

import pytest
from grpc import StatusCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from content_arena.components.predictor import protocol
from content_arena.components.predictor.grpc_server import messages, wire
from content_arena.components.predictor.limits import SMALL_BODY_BYTES

from .conftest import MODEL, asked, asked_raw

#: Codes of a call that was answered, or refused with a reason.
TOLD = {StatusCode.OK, StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND, StatusCode.UNIMPLEMENTED}
METHODS = (
    "ModelInfer",
    "ModelReady",
    "ModelMetadata",
    "ServerMetadata",
    "RepositoryModelLoad",
    "RepositoryModelUnload",
)

parameters = st.dictionaries(
    st.sampled_from(["read_as", "attributes", "other"]),
    st.sampled_from([{"bool_param": True}, {"int64_param": -1}, {"string_param": "x"}, {}]),
    max_size=2,
)
contents = st.fixed_dictionaries(
    {},
    optional={
        "bytes_contents": st.lists(st.binary(max_size=12), max_size=4),
        "int_contents": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=2),
        "fp32_contents": st.lists(st.just(float("nan")), max_size=2),
    },
)
tensors = st.fixed_dictionaries(
    {"datatype": st.sampled_from(["BYTES", "bytes", "INT32", "FP16", "", "x"])},
    optional={
        "name": st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
        "shape": st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=4),
        "parameters": parameters,
        "contents": contents,
    },
)
length_prefixed = st.lists(st.binary(max_size=8), max_size=3).map(
    lambda texts: b"".join(len(text).to_bytes(4, "little") + text for text in texts)
)
requests = st.builds(
    lambda **fields: pb.ModelInferRequest(**fields),
    model_name=st.sampled_from([MODEL, "other", ""]),
    model_version=st.sampled_from(["", "7"]),
    id=st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    parameters=parameters,
    inputs=st.lists(tensors, max_size=2),
    outputs=st.lists(st.sampled_from(["is_toxic", "read_as", "none"]).map(lambda name: {"name": name}), max_size=2),
    raw_input_contents=st.lists(st.binary(max_size=12) | length_prefixed, max_size=2),
).map(lambda request: request.SerializeToString())
#: A request with a byte changed or cut off.
broken = st.tuples(requests, st.integers(0, 80), st.binary(max_size=2)).map(
    lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] + 1 :]
)
anything = st.binary(max_size=200) | requests | broken


@given(anything)
def test_bytes_are_a_request_or_refused(message):
    for read in (messages.read, wire.check_message):
        with contextlib.suppress(protocol.RequestError):
            protocol.texts_of(read(message) or {"instances": ["x"]})


@given(requests)
def test_what_protobuf_writes_can_be_walked_through(message):
    wire.check_message(message)


@pytest.mark.parametrize("ask", [asked, asked_raw])
def test_texts_may_be_as_many_and_as_long_as_they_are(ask):
    wire.check_message(ask(["\U0001f600" * 5_000] * 256).SerializeToString())


@pytest.mark.parametrize(
    "message",
    [
        b"\x2a\x00" * SMALL_BODY_BYTES,
        asked(["x"], outputs=[{"name": "x"}] * 20_000).SerializeToString(),
        asked(["x"], [1] * 70_000).SerializeToString(),
        asked([""] * 40_000).SerializeToString(),
        pb.ModelInferRequest(
            inputs=[{"datatype": "INT32", "contents": {"int_contents": [1] * 70_000}}]
        ).SerializeToString(),
        b"\x3a" + b"\xff" * 20,
        b"\x3a\xff\xff\x7f",
        b"\x0b",
    ],
)
def test_a_large_message_of_little_text_is_refused(message):
    with pytest.raises(protocol.RequestError):
        wire.check_message(message)


@settings(max_examples=300, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(METHODS), message=anything)
def test_no_bytes_are_the_servers_fault(served, method, message):
    reply = served.send(method, message)
    assert reply.code in TOLD, reply
    assert (reply.code is StatusCode.OK) == bool(not reply.details)


def test_after_all_that_it_serves_and_has_logged_no_fault(served):
    served.infer()
    assert "Traceback" not in served.server.log
    assert "Error" not in served.server.log
