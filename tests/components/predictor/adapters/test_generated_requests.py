"""Whatever JSON comes, the answer is a success or a refusal in the API's own form."""

import json

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import ANALYZE, CONTENTS, MODERATIONS, SUGGEST

WORDS = st.sampled_from(["you idiot", "Nice day. Today!", "", " ", "\ud800", "TOXICITY", "INSULT", "PROBABILITY", "en"])
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.just(10**400) | WORDS | st.text(max_size=20)
ANY = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))


def objects(**fields):
    """Objects with some of the fields, each as it should be or anything."""
    return ANY | st.fixed_dictionaries({}, optional={name: likely | ANY for name, likely in fields.items()})


TEXT = st.text(max_size=200) | WORDS
COMMENT = objects(text=TEXT, type=st.just("PLAIN_TEXT"))
SCORE = objects(value=st.floats(0, 1), type=st.just("PROBABILITY"))
SPAN = objects(begin=st.integers(), end=st.integers(), score=SCORE)
COMMON = {"comment": COMMENT, "languages": st.lists(st.just("en"), max_size=2), "clientToken": st.text(max_size=9)}
PARAMETERS = objects(scoreThreshold=st.floats(0, 1), scoreType=st.just("PROBABILITY"))
SCORES = objects(summaryScore=SCORE, spanScores=st.lists(SPAN, max_size=2))
PART = objects(type=st.just("text"), text=WORDS)
FLAGS = {"spanAnnotations": st.booleans(), "dropUnsupportedAttributes": st.booleans()}
#: What an API reads mostly, and what it reads seldom.
BODIES = {
    ANALYZE: st.fixed_dictionaries(
        {"comment": st.fixed_dictionaries({"text": TEXT}), "requestedAttributes": st.just({"TOXICITY": {}})},
        optional=FLAGS | {"clientToken": st.text(max_size=9)},
    )
    | objects(**COMMON, **FLAGS, requestedAttributes=objects(TOXICITY=PARAMETERS)),
    SUGGEST: st.fixed_dictionaries(
        {
            "comment": st.fixed_dictionaries({"text": TEXT}),
            "attributeScores": st.fixed_dictionaries({"TOXICITY": SCORES}),
        }
    )
    | objects(**COMMON, attributeScores=objects(TOXICITY=SCORES), doNotStore=st.just(True)),
    MODERATIONS: st.fixed_dictionaries({"input": TEXT | st.lists(TEXT, min_size=1, max_size=3)})
    | objects(input=WORDS | st.lists(WORDS, max_size=3) | st.lists(PART, max_size=3), model=WORDS),
    CONTENTS: st.fixed_dictionaries({"contents": st.lists(TEXT, max_size=3)})
    | objects(contents=st.lists(WORDS, max_size=3), detector_params=objects(threshold=st.floats(0, 1))),
}


@pytest.fixture(scope="module")
def session():
    with requests.Session() as session:
        session.headers["detector-id"] = "any"
        yield session


@pytest.mark.parametrize("path", BODIES)
def test_any_json_is_answered(adapters, session, path):
    @settings(max_examples=50, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(BODIES[path])
    def answered(body):
        response = session.post(adapters.url + path, data=json.dumps(body), timeout=30)
        assert response.status_code == 200 or 400 <= response.status_code < 500, (body, response.text)
        if not response.ok:
            assert_own_form(path, response)

    answered()
    assert "Traceback" not in adapters.log


def assert_own_form(path, response):
    body = response.json()
    if path == CONTENTS:
        assert (set(body), body["code"]) == ({"code", "message"}, response.status_code)
    elif path == MODERATIONS:
        assert set(body["error"]) == {"message", "type", "param", "code"}
    else:
        assert body["error"]["code"] == response.status_code
        assert body["error"]["status"] == "INVALID_ARGUMENT"
