"""Victims behind HTTP: our own predictor, foreign servers, and servers with invalid answers."""

import re

import numpy as np
import pytest

from content_arena.components.attack_generation.victims import CachedVictim, EndpointVictim, open_victim
from content_arena.components.shared.errors import InputError, RegistryError, VictimError
from content_arena.components.shared.scoring.filter import ContentFilter
from tests.components.attack_generation import faulty_proxy
from tests.components.attack_generation.filters import serving

TEXTS = ["you stupid idiot", "a nice day", "they are scum", "coffee and bread"]


@pytest.fixture
def server():
    """A server whose answer to each request body a test chooses."""
    with serving() as reply:
        yield reply


def test_a_server_that_answers_scores_only_is_judged_at_the_threshold_given(server):
    victim = EndpointVictim(server.url + "/v1/models/theirs:predict", threshold=0.7, batch_size=3)
    assert victim.score(TEXTS).tolist() == [0.5] * 4
    assert victim.threshold == 0.7
    assert server.paths == ["/v1/models/theirs:predict"] * 2


def test_texts_of_about_the_same_length_share_a_request(server):
    lengths = []

    def make(body):
        lengths.append([len(text) for text in body["instances"]])
        return {"predictions": [len(text) / 100 for text in body["instances"]]}

    server.make = make
    texts = ["x" * n for n in (9, 2, 40, 1, 8, 39, 7)]
    scores = CachedVictim(EndpointVictim(server.url, batch_size=3)).score(texts)
    assert scores.tolist() == pytest.approx([len(text) / 100 for text in texts], abs=1e-6)
    assert lengths == [[1, 2, 7], [8, 9, 39], [40]]


@pytest.mark.parametrize("status", [413, 504])
def test_a_request_that_is_too_much_work_is_halved_until_it_is_not(server, status):
    def answer(body):
        server.status = status if len(body["instances"]) > 1 else 200
        return {"predictions": [float(text == TEXTS[1]) for text in body["instances"]]}

    server.make = answer
    victim = EndpointVictim(server.url + "/v1/models/theirs:predict")
    assert victim.score(TEXTS).tolist() == [0.0, 1.0, 0.0, 0.0]
    server.make, server.status = lambda body: {}, status
    with pytest.raises(VictimError, match=str(status)):
        victim.score(TEXTS)


@pytest.mark.parametrize(
    ("status", "headers"), [(429, {"Retry-After": "3600"}), (429, {}), (503, {"Retry-After": "1"})]
)
def test_a_busy_server_is_asked_again_for_a_while(server, status, headers):
    server.status, server.headers = status, headers

    def answer(body):
        server.status = status if len(server.paths) < 3 else 200
        return {"predictions": [0.5] * len(body["instances"])}

    server.make = answer
    assert EndpointVictim(server.url, longest_wait=0.01).score(TEXTS).tolist() == [0.5] * 4
    assert len(server.paths) == 3
    server.make, server.status = lambda body: {"error": "busy"}, status
    with pytest.raises(VictimError, match=f"HTTP {status} .*asked 5 times more: it is too busy"):
        EndpointVictim(server.url, repeats=5, longest_wait=0.01).score(TEXTS)
    assert len(server.paths) == 3 + 6


@pytest.mark.parametrize(("status", "advice"), [(500, "look at its log"), (502, "look at its log"), (503, "too busy")])
def test_an_accident_does_not_end_a_battle_and_a_broken_server_does(server, status, advice):
    server.status = lambda n: status if n <= 2 else 200
    assert EndpointVictim(server.url, longest_wait=0.01).score(TEXTS).tolist() == [0.5] * 4
    server.make, server.status = lambda body: {"error": "broken"}, status
    with pytest.raises(VictimError, match=f"HTTP {status} .*asked 2 times more: .*{advice}"):
        EndpointVictim(server.url, longest_wait=0.01).score(TEXTS)
    assert len(server.paths) == 3 + 3


def test_a_connection_that_breaks_off_is_repeated(server):
    with faulty_proxy.before(server.url) as proxy:
        proxy.reset("dead", lambda n: n <= 2)
        assert EndpointVictim(proxy.url, longest_wait=0.01).score(TEXTS).tolist() == [0.5] * 4
        assert (proxy.n_requests, proxy.n_passed) == (3, 1)


def test_v2(server):
    server.make = lambda body: {"outputs": [{"name": "scores", "data": [0.25] * body["inputs"][0]["shape"][0]}]}
    assert EndpointVictim(server.url + "/v2/models/theirs/infer").score(TEXTS).tolist() == [0.25] * 4


def test_a_base_url_means_our_own_model(server):
    EndpointVictim(server.url + "/").score(TEXTS[:1])
    assert server.paths == ["/v1/models/content-filter:predict"]


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("", "/v1/models/content-filter:predict"),
        ("/gateway/", "/gateway/v1/models/content-filter:predict"),
        ("/v1/models/theirs", "/v1/models/theirs:predict"),
        ("/v1/models/theirs/", "/v1/models/theirs:predict"),
        ("/v1/models/theirs:predict", "/v1/models/theirs:predict"),
        ("/v1/models/infer:predict?key=1", "/v1/models/infer:predict?key=1"),
        ("/v2/models/theirs", "/v2/models/theirs/infer"),
        ("/v2/models/theirs/versions/3", "/v2/models/theirs/versions/3/infer"),
        ("/v2/models/infer", "/v2/models/infer/infer"),
        ("/v1/projects/1/endpoints/2:predict", "/v1/projects/1/endpoints/2:predict"),
        ("/scores:predict", "/scores:predict"),
        ("/prefix/v2/models/theirs/infer/", "/prefix/v2/models/theirs/infer"),
        ("/v2/models/v1", "/v2/models/v1/infer"),
        ("/v1/filter/v1/models/theirs", "/v1/filter/v1/models/theirs:predict"),
        ("/team/v2/filter", "/team/v2/filter/v1/models/content-filter:predict"),
        ("/api/v1/pods/a:80/proxy", "/api/v1/pods/a:80/proxy/v1/models/content-filter:predict"),
        ("/api/v1/pods/a:80/proxy/v2/models/theirs", "/api/v1/pods/a:80/proxy/v2/models/theirs/infer"),
    ],
)
def test_a_url_is_completed_to_where_the_model_answers(server, given, asked):
    def answer(body):
        if "inputs" in body:
            return {"outputs": [{"name": "scores", "data": [0.5]}]}
        return {"predictions": [0.5]}

    server.make = answer
    open_victim(server.url + given).score(TEXTS[:1])
    assert server.paths == [asked]


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/models",
        "/v1/models/a/b",
        "/v2/models",
        "/v1/models/a:explain",
        "/v1/model/a",
        "/v2/health/ready",
        "/api/v1/pods/a:80/proxy/v1/model/a",
    ],
)
def test_a_url_that_names_no_model_is_refused_with_those_that_would(path):
    with pytest.raises(InputError, match=r"names no model.*/v2/models/NAME"):
        open_victim("http://127.0.0.1:9" + path)


@pytest.mark.parametrize("url", ["http://", "http:///v1/models/a", "http://host:port", "http://[::1"])
def test_a_url_without_a_host_is_refused(url):
    with pytest.raises(InputError, match="is no URL of a filter"):
        open_victim(url)


@pytest.mark.parametrize(
    "spec", ["localhost:18091", "127.0.0.1:8080/v1/models/a", "[::1]:80", "filter.example/v1/models/a"]
)
def test_a_url_without_a_scheme_is_refused_with_advice(spec):
    with pytest.raises(InputError, match=f"so give http://{re.escape(spec)}"):
        open_victim(spec)


def test_a_path_that_is_not_there_is_answered_with_the_forms_of_a_url(server):
    server.status = 404
    with pytest.raises(VictimError, match=r"HTTP 404.*/v1/models/NAME"):
        EndpointVictim(server.url + "/v1/models/nope").score(TEXTS)


def test_the_threshold_is_learnt_from_the_verdicts_and_parts_them(server):
    scores = {"a": 0.1, "b": 0.4, "c": 0.45, "d": 0.9}
    server.make = lambda body: {
        "predictions": [{"toxic_score": scores[t], "is_toxic": scores[t] >= 0.42} for t in body["instances"]]
    }
    victim = EndpointVictim(server.url)
    for texts in (["a"], ["d"], ["b", "c"]):
        answered = victim.score(texts)
        assert ((answered >= victim.threshold) == [scores[t] >= 0.42 for t in texts]).all()
    assert 0.4 < victim.threshold <= 0.45


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"predictions": [0.5]}, 200),
        ({"predictions": ["high"] * 4}, 200),
        ({"scores": []}, 200),
        ({"predictions": [{"label": "toxic"}] * 4}, 200),
        (b"<html>", 200),
        ({"error": "busy"}, 503),
    ],
)
def test_nonsense_is_a_victim_error(server, answer, status):
    server.make, server.status = lambda body: answer, status
    with pytest.raises(VictimError, match="127"):
        EndpointVictim(server.url, longest_wait=0.01).score(TEXTS)


def test_verdicts_that_do_not_follow_the_score_are_an_error(server):
    server.make = lambda body: {"predictions": [{"toxic_score": s, "is_toxic": s < 0.5} for s in (0.1, 0.9, 0.2, 0.8)]}
    with pytest.raises(VictimError, match="other than its score"):
        EndpointVictim(server.url).score(TEXTS)


def test_a_server_that_is_not_there():
    with pytest.raises(VictimError, match="is the server up"):
        EndpointVictim("http://127.0.0.1:9", longest_wait=0.01).score(TEXTS)


def test_our_own_predictor_over_http_is_the_filter_itself(tiny_bundle):
    from tests.components.predictor.conftest import start

    served = start(tiny_bundle.path)
    try:
        local = ContentFilter(tiny_bundle)
        victim = open_victim(served.url)
        np.testing.assert_allclose(victim.score(TEXTS), local.score(TEXTS), atol=1e-6)
        assert ((victim.score(TEXTS) >= victim.threshold) == local.is_toxic(local.score(TEXTS))).all()
    finally:
        served.process.terminate()
        served.process.wait()


def test_a_bundle_folder(tiny_bundle):
    assert open_victim(str(tiny_bundle.path)).score(TEXTS)[0] > 0.5


def test_names_that_mean_nothing(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with pytest.raises(InputError, match=r"nobody.*champion"):
        open_victim("nobody", uri)
    with pytest.raises(RegistryError, match="champion"):
        open_victim("champion", uri)
