"""The values at /metrics after known requests."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from .conftest import KNOWS_PROBES, PROBE_TOKEN, running

REQUESTS = "content_arena_api_requests_total"
V1 = "/v1/models/{model_name}:predict"


@pytest.fixture(scope="module")
def fresh(tiny_bundle):
    arguments = ("--model_version", "42", "--model_alias", "challenger")
    with running(tiny_bundle.path, *arguments, environment=KNOWS_PROBES) as server:
        yield server


def count(samples, path, method, status):
    return samples.get(f'{REQUESTS}{{method="{method}",model_version="42",path="{path}",status="{status}"}}', 0)


def test_counts_by_route_status_and_version(fresh):
    before = fresh.metrics()
    assert before['content_arena_model_version{alias="challenger",model_version="42"}'] == 1
    assert before['content_arena_model_flagged_total{is_toxic="true",model_version="42"}'] == 0
    assert before['content_arena_model_pending_texts{model_version="42"}'] == 0
    fresh.predict(json={"instances": ["you idiot", "nice day", "nice weather"]})
    fresh.predict(json={"instances": []})
    fresh.infer(json={"inputs": [{"name": "t", "shape": [1], "datatype": "BYTES", "data": ["you idiot"]}]})
    requests.post(f"{fresh.url}/v1/models/hunter2:predict", json={}, timeout=10)
    requests.get(f"{fresh.url}/hunter2", timeout=10)
    requests.request("BREW", f"{fresh.url}/hunter2", timeout=10)
    after = fresh.metrics()
    assert count(after, V1, "POST", 200) == 1
    assert count(after, V1, "POST", 400) == 1
    assert count(after, V1, "POST", 404) == 1
    assert count(after, "/v2/models/{model_name}/infer", "POST", 200) == 1
    assert count(after, "unmatched", "GET", 404) == 1
    assert not any("hunter2" in name or "BREW" in name for name in after)
    seconds = "content_arena_api_request_duration_seconds"
    assert after[f'{seconds}_count{{method="POST",model_version="42",path="{V1}"}}'] == 3
    assert after['content_arena_model_inference_duration_seconds_count{model_version="42"}'] == 2
    # Of the two that were scored, one had a single text.
    assert before['content_arena_model_single_text_duration_seconds_count{model_version="42"}'] == 0
    assert after['content_arena_model_single_text_duration_seconds_count{model_version="42"}'] == 1
    assert after['content_arena_model_flagged_total{is_toxic="true",model_version="42"}'] == 2
    assert after['content_arena_model_flagged_total{is_toxic="false",model_version="42"}'] == 2


def test_score_histogram_has_20_equal_buckets(fresh):
    samples = fresh.metrics()
    edges = [name.split('le="')[1].split('"')[0] for name in samples if name.startswith("content_arena_model_score_b")]
    assert edges == [*(str(i / 20) for i in range(1, 21)), "+Inf"]
    assert samples['content_arena_model_score_count{model_version="42"}'] == 4
    assert samples['content_arena_model_score_bucket{le="0.5",model_version="42"}'] == 2


def users(samples):
    counted = ("content_arena_api", "content_arena_model_f", "content_arena_model_s", "content_arena_model_i")
    return {name: value for name, value in samples.items() if name.startswith(counted) and "/metrics" not in name}


def test_without_a_token_nobody_hides_traffic_from_the_metrics(server):
    probe, scored = {"x-content-arena-probe": "true"}, 'content_arena_model_score_count{model_version="7"}'
    before = server.metrics()
    answer = server.predict(json={"instances": ["you idiot"]}, headers=probe)
    assert (answer.status_code, answer.headers["x-content-arena-probe"]) == (200, "refused")
    after = server.metrics()
    assert after[scored] == before.get(scored, 0) + 1
    assert not any(name.startswith("content_arena_probe_requests_total") for name in after)


def test_a_rollouts_probes_are_not_counted_as_users_traffic(fresh):
    probe = {"x-content-arena-probe": PROBE_TOKEN}
    before = users(fresh.metrics())
    assert fresh.predict(json={"instances": ["you idiot"]}, headers=probe).json()["predictions"][0]["is_toxic"]
    tensor = {"name": "t", "shape": [1], "datatype": "BYTES", "data": ["nice day"]}
    assert fresh.infer(json={"inputs": [tensor]}, headers=probe).status_code == 200
    assert fresh.predict(json={"instances": []}, headers=probe).status_code == 400
    after = fresh.metrics()
    assert users(after) == before
    counted = 'content_arena_probe_requests_total{model_version="42",status="%d"}'
    assert (after[counted % 200], after[counted % 400]) == (2, 1)


def test_texts_that_wait_are_shown(slow_server):
    pending = 'content_arena_model_pending_texts{model_version="7"}'
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(slow_server.predict, json={"instances": ["you are an idiot " * 290] * 4})
        seen = set()
        while not large.done():
            seen.add(slow_server.metrics()[pending])
    assert 4 in seen
    assert slow_server.metrics()[pending] == 0
