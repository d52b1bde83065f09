"""A server with API keys, a rate, a probe token and a JSON log: who comes in, and what is counted and logged."""

import asyncio
import hashlib
import hmac
import json
import re
import time

import pytest
import requests
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

from .conftest import running

BOT, GAME, TOKEN, SALT = "bot-key-0123456789", "game-key-0123456789", "token-of-the-rollout", "salt"
SECRET = "hunter2 is an idiot"
BODY = {"instances": [SECRET]}
KEY_REQUESTS = 'content_arena_api_key_requests_total{key="%s",model_version="7",status="%d"}'
PROBES = 'content_arena_probe_requests_total{model_version="7",status="200"}'
V1 = "/v1/models/{model_name}:predict"


@pytest.fixture(scope="module")
def keyed(tiny_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name, key in {"bot": BOT, "game": GAME}.items():
        (folder / name).write_text(key)
    arguments = ["--api_keys", str(folder), "--key_rate", "0.01", "--key_burst", "30", "--log_format", "json"]
    arguments += ["--api_adapters", "perspective,openai,fms"]
    environment = {"CONTENT_ARENA_PROBE_TOKEN": TOKEN, "CONTENT_ARENA_LOG_SALT": SALT}
    with running(
        tiny_bundle.path, "--model_version", "7", "--log_text_hashes", *arguments, environment=environment
    ) as server:
        yield server


def bearer(key):
    return {"authorization": f"Bearer {key}"}


def lines(server):
    """The log's JSON objects; a line that is none fails."""
    return [json.loads(line) for line in server.lines]


def line_of(server, request_id):
    """The line of a request, which is written after its answer."""
    for _ in range(500):
        for line in lines(server):
            if line.get("request_id") == request_id:
                return line
        time.sleep(0.02)
    raise AssertionError(server.log)


def test_a_reload_needs_a_key_even_from_the_servers_own_machine(keyed):
    load = f"{keyed.url}/v2/repository/models/content-filter/load"
    assert requests.post(load, timeout=30).status_code == 401
    answer = requests.post(load, headers=bearer(GAME), timeout=30)
    assert answer.json() == {"name": "content-filter", "load": True, "model_version": "7"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("nobodys-key-0123456789"),
        {"authorization": f"Basic {BOT}"},
        {"authorization": BOT},
        {"x-api-key": ""},
        {"x-api-key": BOT[:-1]},
        {"x-api-key": BOT.upper()},
        {"x-api-key": "x" * 5_000},
        {"x-api-key": "\u00e4" * 20},
        {"x-content-arena-probe": "true"},
    ],
)
def test_without_a_valid_key_nothing_is_read(keyed, headers):
    # The body would be a 400.
    answer = keyed.predict(data=b"{", headers={name: value.encode("latin-1") for name, value in headers.items()})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert list(answer.json()) == ["error"]
    assert "API key" in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/metrics", 200),
        ("GET", "/v2/health/live", 200),
        ("GET", "/v2/health/ready", 200),
        ("GET", "/health", 200),
        ("GET", "/docs/swagger-ui.css", 200),
        ("GET", "/v1/models/content-filter", 200),
        ("GET", "/v2/models/content-filter/ready", 200),
        ("POST", "/v2/models/content-filter/infer", 401),
        ("POST", "/v2/health/live", 401),
        ("GET", "/v2/models/content-filter", 401),
        ("GET", "/v1/models", 401),
        ("GET", "/v2/health/live/", 401),
        ("POST", "/v1/models/content-filter:explain", 401),
        ("POST", "/v2/repository/models/content-filter/unload", 401),
        ("GET", "/nowhere", 401),
    ],
)
def test_only_health_and_metrics_are_open(keyed, method, path, status):
    assert requests.request(method, keyed.url + path, timeout=10).status_code == status


def test_keys_are_counted_by_name_and_each_has_its_own_rate(keyed):
    before = keyed.metrics()
    for headers in (bearer(BOT), {"authorization": f"bEARER  {BOT}"}, {"x-api-key": BOT}):
        answer = keyed.predict(json=BODY, headers=headers)
        assert answer.status_code == 200, answer.text
    # A gateway in front may have a token of its own in one of the headers.
    assert keyed.predict(json=BODY, headers=bearer("of-a-gateway") | {"x-api-key": BOT}).status_code == 200
    statuses = [keyed.predict(json=BODY, headers=bearer(BOT)).status_code for _ in range(27)]
    assert statuses == [200] * 26 + [429]
    refused = keyed.predict(json=BODY, headers=bearer(BOT))
    assert list(refused.json()) == ["error"]
    assert 0 < int(refused.headers["retry-after"]) <= 100
    assert keyed.predict(json=BODY, headers=bearer(GAME)).status_code == 200
    samples = keyed.metrics()
    assert (samples[KEY_REQUESTS % ("bot", 200)], samples[KEY_REQUESTS % ("bot", 429)]) == (30, 2)
    assert samples[KEY_REQUESTS % ("game", 200)] == before.get(KEY_REQUESTS % ("game", 200), 0) + 1
    refusals = f'content_arena_api_requests_total{{method="POST",model_version="7",path="{V1}",status="401"}}'
    keyed.predict(json=BODY)
    assert keyed.metrics()[refusals] == samples.get(refusals, 0) + 1


def test_kserves_own_client_sends_a_key(keyed):
    async def ask():
        client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
        texts = InferInput("text", [2], "BYTES", ["you idiot", "nice day"])
        request = InferRequest("content-filter", [texts])
        return await client.infer(keyed.url, request, headers=bearer(GAME), model_name="content-filter")

    verdicts = {output.name: output.data for output in asyncio.run(ask()).outputs}["is_toxic"]
    assert list(verdicts) == [True, False]


def users(samples):
    names = ("content_arena_api", "content_arena_model_f", "content_arena_model_s", "content_arena_model_i")
    return {
        name: value
        for name, value in samples.items()
        if name.startswith(names) and not re.search("/metrics|_created", name)
    }


def test_a_probe_with_the_token_comes_in_without_a_key_and_is_counted_apart(keyed):
    before = keyed.metrics()
    answer = keyed.predict(json=BODY, headers={"x-content-arena-probe": TOKEN, "x-request-id": "probe-1"})
    assert answer.status_code == 200
    assert "x-content-arena-probe" not in answer.headers
    after = keyed.metrics()
    assert after[PROBES] == before.get(PROBES, 0) + 1
    rollout = KEY_REQUESTS % ("rollout", 200)
    assert users(after) == users(before) | {rollout: before.get(rollout, 0) + 1}
    line = line_of(keyed, "probe-1")
    assert (line["probe"], line["key"]) == (True, "rollout")


@pytest.mark.parametrize("token", ["true", TOKEN[:-1], TOKEN + " x", ""])
def test_a_probe_without_the_token_is_a_user(keyed, token):
    before = keyed.metrics()
    answer = keyed.predict(json=BODY, headers=bearer(GAME) | {"x-content-arena-probe": token})
    assert (answer.status_code, answer.headers["x-content-arena-probe"]) == (200, "refused")
    after = keyed.metrics()
    assert after.get(PROBES, 0) == before.get(PROBES, 0)
    counted = 'content_arena_model_score_count{model_version="7"}'
    assert after[counted] == before[counted] + 1


def test_a_line_for_each_request_and_no_text_in_it(keyed):
    tensor = {"name": "t", "shape": [2], "datatype": "BYTES", "data": [SECRET, "nice day"]}
    headers = bearer(GAME) | {"x-request-id": "mine-1"}
    answer = keyed.infer(json={"inputs": [tensor]}, headers=headers)
    assert answer.headers["x-request-id"] == "mine-1"
    line = line_of(keyed, "mine-1")
    assert 0 < line.pop("response_time") < 30
    assert line.pop("timestamp").endswith("+00:00")
    hashes = [hmac.new(SALT.encode(), text.encode(), hashlib.sha256).hexdigest()[:32] for text in tensor["data"]]
    assert line == {
        "level": "INFO",
        "logger": "content_arena.requests",
        "message": "request",
        "request_id": "mine-1",
        "http_method": "POST",
        "path": "/v2/models/{model_name}/infer",
        "status_code": 200,
        "model_version": "7",
        "key": "game",
        "instances": 2,
        "probe": False,
        "text_hashes": hashes,
    }


@pytest.mark.parametrize(
    ("path", "body", "texts"),
    [
        (
            "/v1alpha1/comments:analyze",
            {"comment": {"text": f"{SECRET}. Hm."}, "requestedAttributes": {"TOXICITY": {}}, "spanAnnotations": True},
            [f"{SECRET}. Hm.", f"{SECRET}.", "Hm."],
        ),
        ("/v1/moderations", {"input": [SECRET, SECRET]}, [SECRET, SECRET]),
        ("/api/v1/text/contents", {"contents": ["x " * 4_000, "", SECRET]}, ["x " * 4_000, SECRET]),
    ],
)
def test_what_an_adapter_scored_is_logged_as_well(keyed, path, body, texts):
    answer = requests.post(keyed.url + path, json=body, headers=bearer(GAME) | {"detector-id": "any"}, timeout=30)
    assert answer.status_code == 200, answer.text
    line = line_of(keyed, answer.headers["x-request-id"])
    hashes = [hmac.new(SALT.encode(), text.encode(), hashlib.sha256).hexdigest()[:32] for text in texts]
    assert (line["path"], line["key"], line["instances"], line["text_hashes"]) == (path, "game", len(texts), hashes)


def test_a_request_without_a_usable_id_gets_one(keyed):
    found = set()
    for given in ({}, {"x-request-id": "two words"}, {"x-request-id": "x" * 129}, {"x-request-id": ""}):
        answer = keyed.predict(json={}, headers=bearer(GAME) | given)
        found.add(answer.headers["x-request-id"])
        line = line_of(keyed, answer.headers["x-request-id"])
        assert (line["status_code"], line["instances"], line["text_hashes"]) == (400, None, [])
    assert len(found) == 4
    assert all(len(one) == 32 for one in found)


def test_every_line_is_json_and_none_has_a_text_or_a_secret(keyed):
    requests.get(f"{keyed.url}/{SECRET}?q={SECRET}", timeout=10, headers=bearer(GAME))
    assert all(secret not in keyed.log for secret in ("hunter2", BOT, GAME, TOKEN))
    messages = [line["message"] for line in lines(keyed)]
    assert "API keys of bot, game; each 0.01 requests a second, 30 at once" in messages
    # Probes of Kubernetes and scrapes come every few seconds.
    paths = [line["path"] for line in lines(keyed) if line["message"] == "request" and line["status_code"] == 200]
    assert "/metrics" not in paths
    assert "/v2/health/ready" not in paths
    assert "/health" not in paths
