"""OpenAI's moderations over HTTP."""

import pytest
import requests

from .conftest import MODERATIONS


@pytest.fixture
def moderate(adapters):
    return lambda **body: requests.post(f"{adapters.url}{MODERATIONS}", json=body, timeout=30)


def test_each_text_has_a_result(moderate, score):
    body = moderate(input=["you idiot", "nice day", "you idiot"], model="omni-moderation-latest").json()
    assert body["model"] == "content-filter-7"
    assert [result["flagged"] for result in body["results"]] == [True, False, True]
    assert [result["categories"]["toxicity"] for result in body["results"]] == [True, False, True]
    assert body["results"][1]["category_scores"]["toxicity"] == pytest.approx(score("nice day"), abs=1e-5)


def test_nothing_is_said_of_categories_that_the_filter_does_not_know(moderate):
    (result,) = moderate(input="you idiot").json()["results"]
    others = set(result["categories"]) - {"toxicity"}
    assert "harassment/threatening" in others
    assert {result[part][name] for part in ("categories", "category_scores") for name in others} == {None}
    assert all(result["category_applied_input_types"][name] == [] for name in others)


def test_the_parts_of_one_input_have_one_result(moderate, score):
    parts = [{"type": "text", "text": text} for text in ("nice day", "you idiot")]
    (result,) = moderate(input=parts).json()["results"]
    assert result["category_scores"]["toxicity"] == pytest.approx(score("you idiot"), abs=1e-5)


def test_a_long_text_is_scored_in_pieces(moderate):
    (result,) = moderate(input="nice day " * 2_000 + "idiot " * 10).json()["results"]
    assert result["flagged"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": ["fine", " "]}, "input"),
        ({"input": ["fine", 7]}, "input"),
        ({"input": [{"type": "image_url", "image_url": {"url": "https://example.org"}}]}, "input"),
        ({"input": [{"type": "text", "text": "a"}, "b"]}, "input"),
        ({"input": [f"x{n}" for n in range(257)]}, "input"),
        ({"input": "x", "model": 7}, "model"),
        ({"input": "\ud800"}, "input"),
    ],
)
def test_refusals_have_openais_form(moderate, body, param):
    response = moderate(**body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
