"""The server under many simultaneous requests and with random bodies."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.shared.scoring.filter import ContentFilter

WORDS = ["idiot", "nice", "day", "stupid", "weather", "바보", "friend", "you"]


def test_64_concurrent_requests_get_their_own_answers(server, tiny_bundle):
    rng = np.random.default_rng(0)
    questions = [
        [" ".join(rng.choice(WORDS, size=rng.integers(1, 60))) for _ in range(rng.integers(1, 12))] for _ in range(64)
    ]
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda texts: server.predict(json={"instances": texts}), questions))
    content_filter = ContentFilter(tiny_bundle)
    for texts, answer in zip(questions, answers, strict=True):
        assert answer.status_code == 200
        scores = [prediction["toxic_score"] for prediction in answer.json()["predictions"]]
        np.testing.assert_allclose(scores, content_filter.score(texts), atol=1e-6)
    content_filter.close()


def test_health_answers_while_a_large_request_is_scored(slow_server):
    server = slow_server
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(server.predict, json={"instances": ["you are an idiot " * 290] * 4})
        n_probes = 0
        while not large.done():
            assert requests.get(f"{server.url}/v2/health/live", timeout=2).status_code == 200
            n_probes += 1
    assert large.result().status_code == 200
    assert n_probes > 1


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
# What UTF-8 can carry: a lone surrogate is a code point and no character, and is refused with a 400.
UNICODE_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
V1_LIKE = st.fixed_dictionaries({"instances": JSON | st.lists(ANY_TEXT | JSON, max_size=5)})
TENSOR = st.fixed_dictionaries(
    {
        "name": JSON | st.just("text"),
        "shape": JSON | st.lists(st.integers(), max_size=2) | st.just([1]),
        "datatype": st.sampled_from(["BYTES", "bytes", "FP16", "INT32", ""]) | JSON,
    },
    optional={
        "data": JSON | st.lists(ANY_TEXT, max_size=3),
        "parameters": JSON | st.just({"binary_data_size": 4}) | st.just({"binary_data_size": -1}),
    },
)
V2_LIKE = st.fixed_dictionaries(
    {"inputs": JSON | st.lists(TENSOR, max_size=2)},
    optional={
        "id": JSON,
        "parameters": JSON | st.just({"binary_data_output": True}),
        "outputs": JSON | st.just([{"name": "is_toxic", "parameters": {"binary_data": True}}]),
    },
)


@st.composite
def nearly_v2(draw):
    """A good V2 request with at most one thing changed or added."""
    tensor = {"name": "t", "shape": [2], "datatype": "BYTES", "data": ["you idiot", "nice day"], "parameters": {}}
    outputs = [{"name": "is_toxic", "parameters": {"binary_data": draw(JSON)}}] * draw(st.integers(0, 2))
    request = {"id": "1", "inputs": [tensor], "outputs": outputs, "parameters": {}}
    place = draw(st.sampled_from([request, tensor, request["parameters"], tensor["parameters"], {}]))
    key = draw(st.sampled_from([*place, "binary_data_output", "binary_data_size"]))
    place[key] = draw(JSON | st.integers(-1, 99) | st.lists(st.integers(0, 2)))
    return request


BODY = st.binary(max_size=200) | (JSON | V1_LIKE | V2_LIKE | nearly_v2() | nearly_v2()).map(
    lambda value: json.dumps(value).encode()
)
HEADERS = st.fixed_dictionaries(
    {"content-type": st.sampled_from(["application/json", "application/octet-stream", "text/plain", "a/b", ""])},
    optional={
        "inference-header-content-length": st.integers(-1, 400).map(str),
        "ce-id": st.just("1"),
        "ce-source": st.just("x"),
        "ce-type": st.just("y"),
        "ce-specversion": st.sampled_from(["1.0", "nonsense"]),
    },
)


@settings(max_examples=300)
@given(body=BODY, headers=HEADERS, tail=st.binary(max_size=12))
def test_no_body_makes_a_5xx(server, body, headers, tail):
    for send in (server.predict, server.infer):
        for data in {body, body + tail}:
            response = send(data=data, headers=headers)
            assert response.status_code in (200, 400), (response.status_code, response.text)


@settings(max_examples=60)
@given(texts=st.lists(UNICODE_TEXT.filter(lambda text: text.strip()), min_size=1, max_size=4))
def test_any_text_gets_a_score_over_both_protocols(server, texts):
    v1 = server.predict(json={"instances": texts})
    tensor = {"name": "t", "shape": [len(texts)], "datatype": "BYTES", "data": texts}
    v2 = server.infer(json={"inputs": [tensor]})
    assert (v1.status_code, v2.status_code) == (200, 200)
    scores = [prediction["toxic_score"] for prediction in v1.json()["predictions"]]
    np.testing.assert_allclose(scores, v2.json()["outputs"][0]["data"], atol=1e-6)
    assert all(0 <= score <= 1 for score in scores)


def test_alive_after_the_fuzz(server):
    assert server.process.poll() is None
    assert server.predict(json={"instances": ["you idiot"]}).json()["predictions"][0]["is_toxic"]
    assert "Traceback" not in server.log
