"""Both protocols on a real server: answers, refusals, and that no message quotes a text."""

import json
import struct

import numpy as np
import pytest
import requests

from content_arena.components.shared.scoring.filter import ContentFilter

TEXTS = ["you idiot", "nice day today", "Stupid book!", "안녕 바보", "i\u200bd\u200biot \U0001f600 \x00", "the weather"]
SECRET = "hunter2-secret"


def tensor(data, **changes):
    return {"inputs": [{"name": "any", "shape": [len(data)], "datatype": "BYTES", "data": data} | changes]}


@pytest.fixture(scope="module")
def expected(tiny_bundle):
    content_filter = ContentFilter(tiny_bundle)
    yield content_filter.score(TEXTS)
    content_filter.close()


def test_v1_scores_like_the_filter(server, expected):
    response = server.predict(json={"instances": TEXTS})
    assert response.status_code == 200
    predictions = response.json()["predictions"]
    assert list(predictions[0]) == ["toxic_score", "is_toxic", "confidence", "model_version"]
    np.testing.assert_allclose([p["toxic_score"] for p in predictions], expected, atol=1e-6)
    assert [p["is_toxic"] for p in predictions] == [True, False, True, True, True, False]
    np.testing.assert_allclose([p["confidence"] for p in predictions], np.abs(expected - 0.5) / 0.5, atol=1e-6)
    assert {p["model_version"] for p in predictions} == {"7"}


def test_v1_reads_json_whatever_the_content_type(server):
    for kind in ("application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded"):
        response = server.predict(data=b'{"instances": ["x"]}', headers={"content-type": kind})
        assert response.status_code == 200, kind


def test_v2_scores_like_v1(server, expected):
    response = server.infer(json=tensor(TEXTS) | {"id": "mine"})
    assert response.status_code == 200
    body = response.json()
    assert (body["id"], body["model_name"], body["model_version"]) == ("mine", "content-filter", "7")
    outputs = {output["name"]: output for output in body["outputs"]}
    assert {name: output["datatype"] for name, output in outputs.items()} == {
        "toxic_score": "FP32",
        "is_toxic": "BOOL",
        "confidence": "FP32",
        "model_version": "BYTES",
    }
    assert all(output["shape"] == [len(TEXTS)] for output in outputs.values())
    np.testing.assert_allclose(outputs["toxic_score"]["data"], expected, atol=1e-6)
    assert outputs["is_toxic"]["data"] == [True, False, True, True, True, False]
    assert outputs["model_version"]["data"] == ["7"] * len(TEXTS)


def test_v2_gives_only_the_outputs_asked_for(server):
    body = server.infer(json=tensor(["x"]) | {"outputs": [{"name": "is_toxic"}]}).json()
    assert [output["name"] for output in body["outputs"]] == ["is_toxic"]


def test_v2_binary_both_ways(server):
    texts = ["you idiot", "안녕 nice day"]
    raw = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)
    response = binary(server, raw, len(texts), {"binary_data_output": True})
    assert response.status_code == 200
    size = int(response.headers["inference-header-content-length"])
    scores = np.frombuffer(response.content[size : size + 8], dtype="<f4")
    assert json.loads(response.content[:size])["model_version"] == "7"
    assert scores[0] > 0.9
    assert scores[1] < 0.5


@pytest.mark.parametrize(
    "raw",
    [b"\xff\xff\xff\xffabc", b"\x01", struct.pack("<I", 2) + b"\xff\xfe", b""],
    ids=["too long", "cut", "not UTF-8", "empty"],
)
def test_v2_binary_refuses_broken_tensors(server, raw):
    assert binary(server, raw, 1).status_code == 400


def binary(server, raw, n, parameters=None):
    description = {"name": "t", "shape": [n], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}
    header = json.dumps({"inputs": [description], "parameters": parameters or {}}).encode()
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(header))}
    return server.infer(data=header + raw, headers=headers)


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ([2, 1], [["you idiot"], ["nice day"]]),
        ([1, 2], [["you idiot", "nice day"]]),
        ([1, 2, 1], [[["you idiot"], ["nice day"]]]),
        ([2, 1], ["you idiot", "nice day"]),
    ],
)
def test_v2_takes_nested_data_as_well_as_flat(server, shape, data):
    outputs = {output["name"]: output for output in server.infer(json=tensor(data, shape=shape)).json()["outputs"]}
    assert outputs["is_toxic"]["data"] == [True, False]
    assert outputs["is_toxic"]["shape"] == [2]


def test_the_time_of_the_work_is_part_of_both_answers(server):
    v1 = server.predict(json={"instances": TEXTS}).json()
    v2 = server.infer(json=tensor(TEXTS)).json()
    assert 0 < v1["inference_time_ms"] < 30_000
    assert 0 < v2["parameters"]["inference_time_ms"] < 30_000


def test_what_was_read_is_shown_if_it_is_asked_for(server):
    texts, read = ["you \u0456dіоt", "call me at someone@example.org"], ["you idiot", "call me at [email]"]
    asked = {"parameters": {"read_as": True}}
    v1 = server.predict(json={"instances": texts} | asked).json()["predictions"]
    assert [prediction["read_as"] for prediction in v1] == read
    assert "read_as" not in server.predict(json={"instances": texts}).json()["predictions"][0]
    for request in (tensor(texts) | asked, tensor(texts) | {"outputs": [{"name": "read_as"}]}):
        outputs = {output["name"]: output for output in server.infer(json=request).json()["outputs"]}
        assert (outputs["read_as"]["datatype"], outputs["read_as"]["data"]) == ("BYTES", read)
    assert len(outputs) == 1


REFUSED = {
    "no JSON": (b"not json " + SECRET.encode(), "not JSON"),
    "empty body": (b"", "not JSON"),
    "not UTF-8": (b'{"instances": ["\xff\xfe\xff"]}', "not valid UTF-8"),
    "half a surrogate pair": (b'{"instances": ["fine", "a \\ud800"]}', "instance 1 holds half a surrogate pair"),
    "half a surrogate pair as bytes": (b'{"instances": ["\xed\xa0\x80"]}', "instance 0 holds half a surrogate pair"),
    "nested too deep": (b"[" * 60_000, "nested too deep"),
    "more values than a request has": (b"[" * 100_000, "more than 4096 values"),
    "list": ([SECRET], "object"),
    "string": (SECRET, "object"),
    "null": (None, "object"),
    "no instances": ({"texts": [SECRET]}, "no instances"),
    "instances no list": ({"instances": SECRET}, "must be a list"),
    "instances null": ({"instances": None}, "must be a list"),
    "instances object": ({"instances": {"0": SECRET}}, "must be a list"),
    "empty list": ({"instances": []}, "empty"),
    "number": ({"instances": ["fine", 7, SECRET]}, "instance 1 is not a string"),
    "object inside": ({"instances": [{"text": SECRET}]}, "instance 0 is not a string"),
    "empty text": ({"instances": ["fine", SECRET, ""]}, "instance 2 is empty"),
    "white space": ({"instances": [" \t\n\u3000"]}, "instance 0 is empty"),
    "too long": ({"instances": ["fine", SECRET + "x" * 5_000]}, "instance 1 has 5014 characters, at most 5000"),
    "too many": ({"instances": [SECRET] * 257}, "257 texts, at most 256"),
    "read_as of another type": ({"instances": ["x"], "parameters": {"read_as": 1}}, "read_as is true or false"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_v1_refuses(server, name):
    body, message = REFUSED[name]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert_refused(server.predict(data=data, headers={"content-type": "application/json"}), message)


V2_REFUSED = {
    "no JSON": (b'{"inputs": ' + SECRET.encode(), "not JSON"),
    "not UTF-8": (b'{"inputs": ["\xff\xfe\xff"]}', "not valid UTF-8"),
    "nested too deep": (b"[" * 60_000, "nested too deep"),
    "more values than a request has": (b"[" * 100_000, "more than 4096 values"),
    "half a surrogate pair": (tensor(["fine", "a \ud800"]), "instance 1 holds half a surrogate pair"),
    "list": ([SECRET], "no V2 inference request"),
    "string": (SECRET, "no V2 inference request"),
    "no inputs": ({"instances": [SECRET]}, "no V2 inference request"),
    "no input": ({"inputs": []}, "got 0 input tensors"),
    "two inputs": ({"inputs": tensor([SECRET])["inputs"] * 2}, "got 2 input tensors"),
    "no data": ({"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES"}]}, "neither data nor"),
    "other datatype": (tensor([1], datatype="INT32"), "datatype BYTES"),
    "half precision": (tensor([1.0], datatype="FP16", name=SECRET), "datatype BYTES"),
    "shape no list": (tensor([SECRET], shape=SECRET), "wrong at inputs.0.shape"),
    "other shape": (tensor(["x"], shape=[2]), "shape does not fit"),
    "negative shape": (tensor(["x"], shape=[-1]), "shape does not fit"),
    "unknown output": (tensor(["x"]) | {"outputs": [{"name": SECRET}]}, "unknown output"),
    "empty": (tensor([]), "empty"),
    "number": (tensor(["fine", 7]), "instance 1 is not a string"),
    "nested": (tensor([["fine"]]), "instance 0 is not a string"),
    "nested otherwise than its shape": (tensor([["fine", "x"], ["x"]], shape=[3, 1]), "instance 0 is not a string"),
    "nested deeper than its shape": (tensor([[["fine"]]], shape=[1, 1]), "instance 0 is not a string"),
    "nested too many": (tensor([[SECRET]] * 257, shape=[257, 1]), "257 texts, at most 256"),
    "read_as of another type": (tensor(["x"]) | {"parameters": {"read_as": "yes"}}, "read_as is true or false"),
    "white space": (tensor(["fine", " "]), "instance 1 is empty"),
    "too long": (tensor([SECRET + "x" * 5_000]), "instance 0 has 5014 characters"),
    "too many": (tensor([SECRET] * 257), "257 texts, at most 256"),
    "id no string": (tensor(["x"]) | {"id": {SECRET: 1}}, "wrong at id"),
    "parameter": (tensor(["x"]) | {"parameters": {SECRET: [1]}}, "wrong at parameters"),
}


@pytest.mark.parametrize("name", V2_REFUSED)
@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream"])
def test_v2_refuses(server, name, kind):
    body, message = V2_REFUSED[name]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = server.infer(data=data, headers={"content-type": kind})
    assert_refused(response, message)


@pytest.mark.parametrize("length", ["-1", "x", "", "9" * 5_000, "\u0661"])
def test_v2_refuses_a_broken_length_header(server, length):
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": length.encode()}
    assert server.infer(data=b'{"inputs": []}', headers=headers).status_code == 400


def assert_refused(response, message):
    assert response.status_code == 400
    assert list(response.json()) == ["error"]
    assert message in response.json()["error"]
    assert SECRET not in response.text


def test_the_limits_themselves_are_allowed(server):
    assert len(server.predict(json={"instances": ["x"] * 256}).json()["predictions"]) == 256
    assert server.predict(json={"instances": ["x" * 5_000]}).status_code == 200


def test_a_text_of_invisible_characters_is_a_text_and_scored(server):
    assert len(server.predict(json={"instances": ["\u200b"]}).json()["predictions"]) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize("model", ["content-filter", "other"])
def test_only_post_predicts(server, method, model):
    response = requests.request(method, f"{server.url}/v1/models/{model}:predict", timeout=10)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


def test_a_body_over_16_mib_is_refused_before_it_is_read(server):
    def chunks():
        for _ in range(17):
            yield b" " * 1024 * 1024

    assert server.predict(data=chunks()).status_code == 413
    headers = {"content-length": str(20 * 1024 * 1024)}
    request = requests.Request("POST", f"{server.url}/v1/models/content-filter:predict", headers=headers).prepare()
    request.headers["content-length"] = headers["content-length"]
    with requests.Session() as session:
        assert session.send(request, timeout=10).status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/models/other:predict", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("GET", "/v1/models/other", 404),
        ("GET", "/v2/models/other/ready", 404),
        ("GET", f"/{SECRET}", 404),
        ("PUT", "/v1/models/content-filter:predict", 405),
        ("POST", "/v1/models/other:explain", 404),
        ("POST", "/v2/models/content-filter/versions/7/infer", 404),
        ("POST", "/v2/repository/models/content-filter/unload", 404),
        ("POST", "/v2/repository/models/other/load", 404),
    ],
)
def test_what_is_not_there(server, method, path, status):
    body = {"instances": [SECRET]} if "/v1/" in path else tensor([SECRET])
    response = requests.request(method, server.url + path, json=body, timeout=10)
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert SECRET not in response.text
    assert server.predict(json={"instances": ["x"]}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/models",
        "/v1/models/content-filter",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/content-filter",
        "/v2/models/content-filter/ready",
    ],
)
def test_probes(server, path):
    assert requests.get(server.url + path, timeout=10).status_code == 200


def test_the_log_holds_no_text_and_no_traceback(server):
    server.predict(json={"instances": [SECRET, 1]})
    server.predict(json={"instances": [SECRET]})
    requests.get(f"{server.url}/{SECRET}?q={SECRET}", timeout=10)
    assert SECRET not in server.log
    assert "Traceback" not in server.log
    assert "not registered" not in server.log
    since_start = server.log.split("Application startup complete", 1)[1]
    assert not any(word in since_start for word in ("_ms", "POST", "GET", "predict", "Deprecat"))
