"""Clients that hang up: what of their texts is not scored yet is dropped."""

import json
import socket

import pytest

from .conftest import SLOW, running
from .test_limits import HUGE, PENDING, wait_for

V1, V2, EXPLAIN = (
    "/v1/models/content-filter:predict", "/v2/models/content-filter/infer", "/v1/models/content-filter:explain",
)  # fmt: skip
ANALYZE, MODERATIONS = "/v1alpha1/comments:analyze", "/v1/moderations"
SCORED = 'content_arena_model_score_count{model_version="7"}'
BODIES = {
    V1: {"instances": HUGE},
    V2: {"inputs": [{"name": "t", "shape": [len(HUGE)], "datatype": "BYTES", "data": HUGE}]},
    EXPLAIN: {"instances": HUGE[:2]},
    ANALYZE: {"comment": {"text": HUGE[0] * 8}, "requestedAttributes": {"TOXICITY": {}}},
    MODERATIONS: {"input": HUGE},
}


@pytest.fixture(scope="module")
def slow(tiny_bundle):
    arguments = ("--model_version", "7", "--threads", "1", "--api_adapters", "perspective,openai")
    with running(tiny_bundle.path, *arguments, module=SLOW) as server:
        yield server


@pytest.mark.parametrize("path", BODIES)
def test_what_is_not_scored_is_dropped(slow, path):
    before = slow.metrics()
    body = json.dumps(BODIES[path]).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", slow.port), timeout=30) as client:
        client.sendall(head.encode() + body)
        wait_for(lambda: slow.metrics()[PENDING] > 0)
    wait_for(lambda: slow.metrics()[PENDING] == 0)
    assert slow.metrics()[SCORED] == before[SCORED]
    name = "{model_name}"
    route = path.replace("content-filter", name)
    left = f'content_arena_api_requests_total{{method="POST",model_version="7",path="{route}",status="400"}}'
    wait_for(lambda: slow.metrics().get(left, 0) == before.get(left, 0) + 1)
    assert slow.predict(json={"instances": ["you idiot"]}).json()["predictions"][0]["is_toxic"]
    assert "Traceback" not in slow.log
