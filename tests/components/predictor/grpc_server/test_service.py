"""The methods on a real server: the answers of V2 over HTTP, and what is refused."""

import numpy as np
import pytest
from grpc import StatusCode
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from .conftest import MODEL, TEXTS, asked, asked_raw

SECRET = "hunter2-secret"
_FIELDS = {"FP32": "fp32_contents", "BOOL": "bool_contents", "BYTES": "bytes_contents"}
_TYPES = {"FP32": "<f4", "BOOL": "?"}


def columns(answer):
    """By name, the values of an answer with contents."""
    return {output.name: list(getattr(output.contents, _FIELDS[output.datatype])) for output in answer.outputs}


def raw_columns(answer):
    """By name, the values of a raw answer."""
    values = {}
    for output, raw in zip(answer.outputs, answer.raw_output_contents, strict=True):
        assert not output.HasField("contents")
        if output.datatype == "BYTES":
            values[output.name] = []
            while raw:
                end = 4 + int.from_bytes(raw[:4], "little")
                values[output.name].append(raw[4:end])
                raw = raw[end:]
        else:
            values[output.name] = np.frombuffer(raw, _TYPES[output.datatype]).tolist()
    return values


@pytest.fixture(scope="module")
def over_http(served):
    tensor = {"name": "text", "shape": [len(TEXTS)], "datatype": "BYTES", "data": TEXTS}
    outputs = served.server.infer(json={"inputs": [tensor]}).json()["outputs"]
    assert {output["datatype"] for output in outputs} == {"FP32", "BOOL", "BYTES"}
    data = {output["name"]: output["data"] for output in outputs}
    return data | {"model_version": [version.encode() for version in data["model_version"]]}


@pytest.mark.parametrize("shape", [[4], [4, 1], [2, 2]])
@pytest.mark.parametrize(("ask", "read"), [(asked, columns), (asked_raw, raw_columns)])
def test_answers_are_those_of_http_in_the_form_of_the_request(served, over_http, shape, ask, read):
    answer = served.infer(ask(TEXTS, shape, id="mine"))
    assert (answer.id, answer.model_name, answer.model_version) == ("mine", MODEL, "7")
    assert all(list(output.shape) == [4] for output in answer.outputs)
    found = read(answer)
    assert list(found) == list(over_http)
    for name, values in over_http.items():
        if isinstance(values[0], float):
            np.testing.assert_allclose(found[name], values, atol=1e-6)
        else:
            assert found[name] == values
    assert 0 < float(answer.parameters["inference_time_ms"].string_param) < 30_000


def test_an_answer_has_an_id_and_the_outputs_asked_for_in_their_order(served):
    answer = served.infer(asked(["x"], outputs=[{"name": "is_toxic"}, {"name": "toxic_score"}, {"name": "is_toxic"}]))
    assert list(columns(answer)) == ["is_toxic", "toxic_score"]
    assert answer.id


@pytest.mark.parametrize(
    "fields", [{"parameters": {"read_as": {"bool_param": True}}}, {"outputs": [{"name": "read_as"}]}]
)
def test_what_was_read_is_shown_if_it_is_asked_for(served, fields):
    assert columns(served.infer(asked(["you \u0456dіоt"], **fields)))["read_as"] == [b"you idiot"]


TENSOR = {"name": "t", "datatype": "BYTES", "shape": [1]}
REFUSED = {
    "no message of this kind": (b"\xff" + SECRET.encode(), "no ModelInferRequest"),
    "no tensor": (pb.ModelInferRequest(model_name=MODEL), "got 0 input tensors"),
    "two tensors": (pb.ModelInferRequest(model_name=MODEL, inputs=[TENSOR, TENSOR]), "got 2 input tensors"),
    "no data": (pb.ModelInferRequest(model_name=MODEL, inputs=[TENSOR]), "data is empty"),
    "another datatype": (
        pb.ModelInferRequest(
            model_name=MODEL, inputs=[TENSOR | {"datatype": "INT32", "contents": {"int_contents": [1]}}]
        ),
        "datatype BYTES",
    ),
    "no UTF-8": (asked(["fine", b"\xff" + SECRET.encode()]), "instance 1 is not UTF-8"),
    "empty text": (asked([SECRET, ""]), "instance 1 is empty"),
    "too long": (asked([SECRET + "x" * 5_000]), "instance 0 has 5014 characters"),
    "too many": (asked([SECRET] * 257), "257 texts, at most 256"),
    "another shape": (asked([SECRET], [2]), "shape does not fit"),
    "unknown output": (asked([SECRET], outputs=[{"name": SECRET}]), "unknown output"),
    "a parameter of another type": (
        asked([SECRET], parameters={"read_as": {"string_param": SECRET}}),
        "read_as is true or false",
    ),
    "a version": (asked([SECRET], model_version="7"), "model_version"),
    "raw and contents": (asked([SECRET], raw_input_contents=[b"\1\0\0\0x"]), "not both"),
    "more raw contents than tensors": (
        pb.ModelInferRequest(model_name=MODEL, inputs=[TENSOR], raw_input_contents=[b"", b""]),
        "one element of raw_input_contents",
    ),
    "broken raw contents": (
        pb.ModelInferRequest(model_name=MODEL, inputs=[TENSOR], raw_input_contents=[b"\xff\xff\xff\xffx"]),
        "length-prefixed",
    ),
    "much beside the texts": (asked(["x"], parameters={SECRET * 5_000: {"bool_param": True}}), "beside its texts"),
    "as many tensors as there is room for": (b"\x2a\x00" * 100_000, "beside its texts"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_is_refused_with_the_reason_and_without_its_text(served, name):
    message, words = REFUSED[name]
    reply = served.send("ModelInfer", message)
    assert reply.code is StatusCode.INVALID_ARGUMENT
    assert words in reply.details
    assert SECRET not in str(reply)
    assert SECRET not in served.server.log


def test_texts_that_are_too_much_work_together_are_refused(served):
    reply = served.send("ModelInfer", asked(["word " * 900] * 60))
    assert reply.code is StatusCode.INVALID_ARGUMENT
    assert "send fewer in one request" in reply.details


def test_the_largest_request_there_can_be_is_read(served):
    # Invisible characters of four bytes, which are no tokens.
    assert len(columns(served.infer(asked(["\U000e0041" * 5_000] * 256), timeout=60))["is_toxic"]) == 256


def test_health_and_metadata(served):
    assert pb.ServerLiveResponse.FromString(served.send("ServerLive").answer).live
    assert pb.ServerReadyResponse.FromString(served.send("ServerReady").answer).ready
    ready = served.send("ModelReady", pb.ModelReadyRequest(name=MODEL))
    assert pb.ModelReadyResponse.FromString(ready.answer).ready
    assert pb.ServerMetadataResponse.FromString(served.send("ServerMetadata").answer).name
    told = served.send("ModelMetadata", pb.ModelMetadataRequest(name=MODEL))
    metadata = pb.ModelMetadataResponse.FromString(told.answer)
    assert [(each.name, each.datatype, list(each.shape)) for each in metadata.inputs] == [("text", "BYTES", [-1])]
    assert [each.name for each in metadata.outputs] == ["toxic_score", "is_toxic", "confidence", "model_version"]


@pytest.mark.parametrize(
    ("method", "message", "code"),
    [
        ("ModelInfer", asked(["x"], model_name="other"), StatusCode.NOT_FOUND),
        ("ModelReady", pb.ModelReadyRequest(name="other"), StatusCode.NOT_FOUND),
        ("ModelMetadata", pb.ModelMetadataRequest(name="other"), StatusCode.NOT_FOUND),
        ("ModelReady", b"\xff", StatusCode.INVALID_ARGUMENT),
        ("ModelReady", b"\x0a\x80\x80\x08" + b"x" * 2**17, StatusCode.INVALID_ARGUMENT),
        ("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="other"), StatusCode.NOT_FOUND),
        ("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(model_name=MODEL), StatusCode.UNIMPLEMENTED),
        ("NoSuchMethod", b"", StatusCode.UNIMPLEMENTED),
    ],
)
def test_what_is_not_there(served, method, message, code):
    assert served.send(method, message).code is code
    served.infer()


def test_without_keys_only_the_servers_own_machine_may_load_a_bundle(served):
    message = pb.RepositoryModelLoadRequest(model_name=MODEL)
    loaded = pb.RepositoryModelLoadResponse.FromString(served.send("RepositoryModelLoad", message).answer)
    assert (loaded.model_name, loaded.isLoaded) == (MODEL, True)
    through_a_proxy = served.send("RepositoryModelLoad", message, (("x-forwarded-for", "203.0.113.7"),))
    assert through_a_proxy.code is StatusCode.PERMISSION_DENIED
