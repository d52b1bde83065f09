"""Why a text got its score: what was read, with places in the text, and what each word contributes."""

import asyncio
import re

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from kserve import InferenceRESTClient, RESTConfig

from content_arena.components.predictor.scoring.explanation import MAX_PARTS, Occlusion
from content_arena.components.predictor.scoring.spans import spans
from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.reader import Reader
from tests.tiny_bundle import BENIGN_WORDS, TOXIC_WORDS

from .conftest import running

LEXICON = Lexicon(dict.fromkeys([word for word in (*TOXIC_WORDS, *BENIGN_WORDS) if word.isascii()], 5.0))
READING = Reading(reader=Reader(LEXICON))
# fmt: off
WORDS = st.sampled_from([
    *sorted(LEXICON.costs)[:12], "1d10t", "st*pid", "i d i o t", "ni ce", "youidiot", "a@example.org", "@someone_else",
    "010-1234-5678", "\u0456diot", "\u200b", "(i)(d)(i)(o)(t)", "\u202etoidi\u202c", "!!", "\U0001f600", "바보",
    "b\b\bc",
])
# fmt: on


def read_spans(text):
    return [(text[start:end], read_as) for start, end, read_as in spans(text, READING)]


def test_spans_say_which_part_was_read_as_what():
    assert read_spans("you  are an i d i o t my st*pid\u200b \u200b friend: write to a@example.org") == [
        ("you", "you"),
        ("are", "are"),
        ("an", "an"),
        ("i d i o t", "idiot"),
        ("my", "my"),
        ("st*pid\u200b", "stupid"),
        ("\u200b", ""),
        ("friend:", "friend:"),
        ("write", "write"),
        ("to", "to"),
        ("a@example.org", "[email]"),
    ]


def assert_laws(text):
    found = spans(text, READING)
    assert " ".join(span.read_as for span in found if span.read_as) == " ".join(READING(text).split())
    places = [place for start, end, _ in found for place in (start, end)]
    assert places == sorted(places)
    assert all(start < end for start, end, _ in found)
    left = list(text)
    for start, end, _ in found:
        left[start:end] = " " * (end - start)
    assert not "".join(left).split()


@settings(max_examples=60)
@given(st.lists(WORDS, max_size=12).map(" ".join))
def test_spans_hold_every_word_and_what_was_read(text):
    assert_laws(text)


@settings(max_examples=60)
@given(st.text(st.characters(), max_size=40))
def test_spans_of_any_text(text):
    assert_laws(text)


def test_a_text_of_single_letters_is_not_read_over_and_over():
    calls = []
    text = "q " * 2_500
    spans(text, lambda piece: calls.append(piece) or "x".join(piece.split()))
    assert len(calls) <= 513


@settings(max_examples=25)
@given(st.integers(1, 100), st.integers(1, 80))
def test_parts_are_the_words_or_as_many_as_may_be(n_words, most):
    text = " ".join(["you"] * n_words)
    occlusion = Occlusion.of(text, READING.canonicalise, most)
    assert len(occlusion.parts) == min(n_words, most, MAX_PARTS)
    assert sum(len(text[start:end].split()) for start, end in occlusion.parts) == n_words
    for (start, end), without in zip(occlusion.parts, occlusion.texts(), strict=True):
        assert without.split() == text[:start].split() + text[end:].split()


@pytest.fixture(scope="module")
def reading_server(tmp_path_factory):
    from tests.tiny_bundle import make_tiny_bundle

    bundle = make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "bundle", lexicon=LEXICON)
    with running(bundle.path, "--model_version", "7") as server:
        yield server


def explain(server, **request):
    return requests.post(f"{server.url}/v1/models/content-filter:explain", timeout=60, **request)


def test_a_moderator_sees_what_was_read_and_which_word_it_was(reading_server):
    text = "you are an 1d10t today"
    texts = {"instances": [text, "nice day today"]}
    body = asyncio.run(
        InferenceRESTClient(RESTConfig(protocol="v1", retries=0)).explain(reading_server.url, "content-filter", texts)
    )
    assert [prediction["is_toxic"] for prediction in body["predictions"]] == [True, False]
    assert body["predictions"] == reading_server.predict(json=texts).json()["predictions"]
    assert body["inference_time_ms"] > 0
    explanation = body["explanations"][0]
    assert explanation["read_as"] == "you are an idiot today"
    assert explanation["changes"] == [{"start": 11, "end": 16, "text": "1d10t", "read_as": "idiot"}]
    assert [text[word["start"] : word["end"]] for word in explanation["words"]] == text.split()
    worst = max(explanation["words"], key=lambda word: word["contribution"])
    assert worst["text"] == "1d10t"
    (without,) = reading_server.predict(json={"instances": [text.replace("1d10t", "")]}).json()["predictions"]
    expected = body["predictions"][0]["toxic_score"] - without["toxic_score"]
    assert worst["contribution"] == pytest.approx(expected, abs=1e-6)
    assert body["explanations"][1]["changes"] == []


def test_explaining_is_bounded_like_a_request(reading_server):
    long_text = "you are an idiot today " * 200
    (explanation,) = explain(reading_server, json={"instances": [long_text]}).json()["explanations"]
    # 1,000 words in windows of 32 tokens make some 2,000 tokens, of 32,768 for all: fifteen parts at most.
    assert 5 < len(explanation["words"]) < 30
    assert "".join(word["text"] for word in explanation["words"]).split() != []
    too_long = explain(reading_server, json={"instances": [long_text] * 9})
    assert too_long.status_code == 413
    assert "send fewer" in too_long.json()["error"]


@pytest.mark.parametrize(
    ("body", "status"), [({"instances": []}, 400), ({"instances": ["x" * 5_001]}, 400), ({}, 400), ([], 400)]
)
def test_what_cannot_be_predicted_cannot_be_explained(reading_server, body, status):
    assert explain(reading_server, json=body).status_code == status


def test_what_was_explained_is_not_counted_as_users_texts(reading_server):
    name = 'content_arena_model_score_count{model_version="7"}'
    before = reading_server.metrics()[name]
    assert explain(reading_server, json={"instances": ["you idiot", "\u200b"]}).status_code == 200
    assert reading_server.metrics()[name] == before


def test_the_description_names_what_the_server_does(reading_server):
    described = requests.get(f"{reading_server.url}/openapi.json", timeout=10).json()
    paths = set(described["paths"])
    assert {f"/v1/models/{{model_name}}:{verb}" for verb in ("predict", "explain")} < paths
    assert "/v2/models/{model_name}/infer" in paths
    assert "securitySchemes" not in described["components"]
    page = requests.get(f"{reading_server.url}/docs", timeout=10)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "openapi.json" in page.text
    # A cluster may have no way to other hosts.
    assets = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(assets) == 3
    assert all(requests.get(f"{reading_server.url}/{asset}", timeout=10).ok for asset in assets)
