"""FMS Guardrails' detectors over HTTP."""

import pytest
import requests

from .conftest import CONTENTS


@pytest.fixture
def detect(adapters):
    def post(body, headers={"detector-id": "mine"}):  # noqa: B006
        return requests.post(f"{adapters.url}{CONTENTS}", json=body, headers=headers, timeout=30)

    return post


def test_a_toxic_text_has_a_detection_over_its_length(detect, score):
    text = "안녕 \U0001f600 바보 idiot"
    assert detect({"contents": ["nice day", text, "", " "]}).json() == [
        [],
        [
            {
                "start": 0,
                "end": len(text),
                "text": text,
                "detection": "toxic",
                "detection_type": "toxicity",
                "score": pytest.approx(score(text), abs=1e-5),
            }
        ],
        [],
        [],
    ]
    assert detect({"contents": []}).json() == []


def test_the_threshold_can_be_given(detect, score):
    texts = ["you idiot", "nice day"]
    assert [len(found) for found in detect({"contents": texts, "detector_params": {"threshold": 0}}).json()] == [1, 1]
    above = {"threshold": (score("you idiot") + 1) / 2}
    assert detect({"contents": texts, "detector_params": above}).json() == [[], []]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"contents": "text"},
        {"contents": ["fine", 7]},
        {"contents": ["x"], "detector_params": 7},
        {"contents": ["x"], "detector_params": {"threshold": 2}},
        {"contents": ["x"], "detector_params": {"threshold": True}},
        {"contents": [f"x{n}" for n in range(257)]},
        {"contents": ["\ud800"]},
    ],
)
def test_refusals_have_the_detectors_form(detect, body):
    response = detect(body)
    assert response.status_code == 422
    assert set(response.json()) == {"code", "message"}


def test_the_header_is_required(detect):
    assert detect({"contents": ["x"]}, headers={}).status_code == 422


def test_health(adapters):
    assert requests.get(f"{adapters.url}/health", timeout=30).ok
