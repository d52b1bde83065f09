"""The Perspective API over HTTP: scores, spans, refusals in Google's form, suggestions."""

import json

import pytest
import requests

from .conftest import ANALYZE, DISCOVERY, SUGGEST

SECRET = "hunter2-secret"
TOXIC, LONG = "you idiot", "nice day today " * 1_300 + "idiot idiot idiot idiot"


@pytest.fixture
def analyze(adapters):
    def post(text, attributes=None, **more):
        body = {"comment": {"text": text}, "requestedAttributes": attributes or {"TOXICITY": {}}, **more}
        return requests.post(f"{adapters.url}{ANALYZE}", params={"key": SECRET}, json=body, timeout=30)

    return post


@pytest.fixture
def suggest(adapters):
    def post(text, value, **more):
        scores = {"TOXICITY": {"summaryScore": {"value": value}}}
        body = {"comment": {"text": text}, "attributeScores": scores, **more}
        return requests.post(f"{adapters.url}{SUGGEST}", json=body, timeout=30)

    return post


def test_toxicity_is_the_score_of_predict(analyze, score):
    body = analyze(TOXIC, clientToken="mine \ud800", languages=["en-US"], doNotStore=True).json()
    expected = {"value": score(TOXIC), "type": "PROBABILITY"}
    assert body == {
        "attributeScores": {
            "TOXICITY": {"summaryScore": expected, "spanScores": [{"begin": 0, "end": 9, "score": expected}]}
        },
        "languages": ["en-US"],
        "clientToken": "mine \ud800",
    }
    assert analyze(TOXIC).json()["languages"] == ["en"]


def test_sentences_are_scored_apart_and_counted_in_utf16(analyze, score):
    text = "Nice \U0001f600 day. you idiot!"
    toxicity = analyze(text, spanAnnotations=True).json()["attributeScores"]["TOXICITY"]
    units = text.encode("utf-16-le")
    found = {
        units[2 * span["begin"] : 2 * span["end"]].decode("utf-16-le"): span["score"]["value"]
        for span in toxicity["spanScores"]
    }
    assert found == near({sentence: score(sentence) for sentence in ("Nice \U0001f600 day.", "you idiot!")})
    assert toxicity["summaryScore"]["value"] == near(score(text))


def test_scores_below_the_threshold_are_left_out(analyze):
    text = "you idiot! The weather is nice today and the garden is sunny."
    whole = analyze(text).json()["attributeScores"]["TOXICITY"]["summaryScore"]["value"]
    shown = analyze(text, {"TOXICITY": {"scoreThreshold": whole + 0.01}}, spanAnnotations=True).json()
    assert [span["end"] for span in shown["attributeScores"]["TOXICITY"]["spanScores"]] == [10]
    assert "summaryScore" not in shown["attributeScores"]["TOXICITY"]
    assert analyze(text, {"TOXICITY": {"scoreThreshold": 1}}).json() == {"languages": ["en"]}


def test_a_comment_of_many_texts_gets_the_highest_score_of_its_pieces(analyze):
    assert 5_000 < len(LONG) <= 20_480
    body = analyze(LONG, spanAnnotations=True).json()["attributeScores"]["TOXICITY"]
    assert body["summaryScore"]["value"] > 0.5
    assert body["summaryScore"]["value"] == near(max(span["score"]["value"] for span in body["spanScores"]))


def test_what_is_not_served_is_left_out_where_the_client_asks_for_that(analyze):
    asked = {"TOXICITY": {}, "INSULT": {}}
    assert list(analyze(TOXIC, asked, dropUnsupportedAttributes=True).json()["attributeScores"]) == ["TOXICITY"]
    assert_refused(analyze(TOXIC, {"INSULT": {}}, dropUnsupportedAttributes=True), "INVALID_REQUEST", "INSULT")


def near(expected):
    """Scores of the same text differ in the last digit with what is scored beside it."""
    return pytest.approx(expected, abs=1e-5)


def assert_refused(response, kind, *words):
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert [detail["errorType"] for detail in error["details"]] == [kind]
    assert all(word in error["message"] for word in words), error["message"]
    assert SECRET not in response.text


REFUSED = {
    "empty comment": ({"comment": {"text": ""}}, "COMMENT_EMPTY", "Comment must be non-empty"),
    "white space": ({"comment": {"text": " \n"}}, "COMMENT_EMPTY", "Comment must be non-empty"),
    "null": ({"comment": None}, "COMMENT_EMPTY", ""),
    "too long": ({"comment": {"text": "\u00e9" * 10_241}}, "COMMENT_TOO_LONG", "20482 bytes"),
    "nothing asked for": ({"requestedAttributes": {}}, "NO_REQUESTED_ATTRIBUTES", "Missing requested_attributes"),
    "unknown attribute": ({"requestedAttributes": {"INSULT": {}}}, "INVALID_REQUEST", "attribute: INSULT (served here"),
    "no attribute": ({"requestedAttributes": {SECRET: {}}}, "INVALID_REQUEST", "Unknown requested attribute"),
    "one of two": ({"requestedAttributes": {"TOXICITY": {}, "THREAT": {}}}, "INVALID_REQUEST", "THREAT"),
    "language": (
        {"languages": ["de", "en"]},
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        "request languages: de, en",
    ),
    "no language": ({"languages": [SECRET * 9]}, "INVALID_REQUEST", "languages"),
    "score type": ({"requestedAttributes": {"TOXICITY": {"scoreType": "RAW"}}}, "INVALID_REQUEST", "score type"),
    "threshold": ({"requestedAttributes": {"TOXICITY": {"scoreThreshold": SECRET}}}, "INVALID_REQUEST", "number"),
    "huge number": ({"requestedAttributes": {"TOXICITY": {"scoreThreshold": 10**400}}}, "INVALID_REQUEST", "finite"),
    "HTML": ({"comment": {"text": SECRET, "type": "HTML"}}, "INVALID_REQUEST", "PLAIN_TEXT"),
    "half a character": ({"comment": {"text": "a \ud800"}}, "INVALID_REQUEST", "surrogate"),
    "two contexts": ({"context": {"entries": [], "articleAndParentComment": {}}}, "INVALID_REQUEST", "context"),
    "flag": ({"spanAnnotations": "yes"}, "INVALID_REQUEST", "spanAnnotations"),
    "token": ({"clientToken": 7}, "INVALID_REQUEST", "clientToken"),
    "text": ({"comment": SECRET}, "INVALID_REQUEST", "comment"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_have_googles_form(adapters, name):
    change, kind, words = REFUSED[name]
    body = {"comment": {"text": SECRET}, "requestedAttributes": {"TOXICITY": {}}} | change
    assert_refused(requests.post(f"{adapters.url}{ANALYZE}", json=body, timeout=30), kind, words)


def test_fields_may_be_written_in_snake_case(adapters):
    asked = {"TOXICITY": {"score_threshold": 1}}
    body = {"comment": {"text": TOXIC}, "requested_attributes": asked, "client_token": "t"}
    answer = requests.post(f"{adapters.url}{ANALYZE}", json=body, timeout=30).json()
    assert answer == {"languages": ["en"], "clientToken": "t"}


def test_errors_of_the_server_have_googles_form_too(adapters):
    """The body's encoding and the method are refused before the adapter sees the request."""
    packed = requests.post(f"{adapters.url}{ANALYZE}", data=b"x", headers={"content-encoding": "br"}, timeout=30)
    assert (packed.status_code, packed.json()["error"]["code"]) == (415, 415)
    assert packed.headers["accept-encoding"] == "gzip"
    wrong = requests.get(f"{adapters.url}{ANALYZE}", timeout=30)
    assert (wrong.status_code, wrong.json()["error"]["status"]) == (405, "INVALID_ARGUMENT")
    assert requests.post(f"{adapters.url}{ANALYZE}", data=b"{", timeout=30).json()["error"]["code"] == 400


def test_suggestions_are_kept_for_a_training_unless_the_client_forbids_it(suggest, suggestions):
    before = suggestions.read_text().count("\n")
    assert suggest(TOXIC, 1, clientToken="t", communityId="/forum").json() == {"clientToken": "t"}
    assert suggest("nice day", 0, languages=["en"]).json() == {"requestedLanguages": ["en"]}
    assert suggest(SECRET, 1, doNotStore=True).json() == {}
    lines = [json.loads(line) for line in suggestions.read_text().splitlines()[before:]]
    assert [(line["text"], line["label"]) for line in lines] == [(TOXIC, "toxic"), ("nice day", "benign")]
    assert lines[0]["model"] == "content-filter-7"
    assert suggestions.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"TOXICITY": {}},
        {"INSULT": {"summaryScore": {"value": 1}}},
        {"TOXICITY": {"summaryScore": {}}},
        {"TOXICITY": {"summaryScore": {"value": 1.5}}},
        {"TOXICITY": {"spanScores": [{"score": {"value": 1}}]}},
    ],
)
def test_suggestions_that_say_nothing_are_refused(suggest, suggestions, scores):
    before = suggestions.read_bytes()
    assert_refused(suggest(SECRET, 1, attributeScores=scores), "INVALID_REQUEST")
    assert suggestions.read_bytes() == before


def test_the_discovery_document_has_the_address_that_the_client_used(adapters):
    document = requests.get(adapters.url + DISCOVERY, headers={"host": "filter.example:8443"}, timeout=30).json()
    assert document["rootUrl"] == "http://filter.example:8443/"
    assert document["resources"]["comments"]["methods"]["analyze"]["path"] == ANALYZE[1:]


def test_no_log_line_holds_a_key_or_a_comment(analyze, adapters):
    analyze(SECRET)
    analyze("", {SECRET: {}})
    assert SECRET not in adapters.log
    assert "Traceback" not in adapters.log
