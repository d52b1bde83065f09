"""What a filter says about a text: read, or refused with its shape and without its texts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.attack_generation.victims.values import UnreadableError, answer_of, shape_of, verdict

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "said", [True, 1, 1.0, "1", "true", "TRUE", "yes", "toxic", "Hate Speech", "unsafe\nS10", "Flagged."]
)
def test_a_verdict_of_toxic(said):
    assert verdict(said) is True


@pytest.mark.parametrize(
    "said", [False, 0, 0.0, "0", "false", "no", "benign", "not toxic", "non-toxic", "safe", "ok", "LABEL_0"]
)
def test_a_verdict_of_benign(said):
    assert verdict(said) is False


@pytest.mark.parametrize("said", [None, 2, 0.5, "maybe", "", [], {}, "0.7"])
def test_what_is_no_verdict_is_refused(said):
    with pytest.raises(UnreadableError):
        verdict(said)


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (0.25, (0.25, None)),
        (1, (1.0, None)),
        (True, (1.0, True)),
        ("toxic", (1.0, True)),
        ({"toxic_score": 0.3, "is_toxic": 1}, (0.3, True)),
        ({"toxic_score": 0.3, "is_toxic": "false"}, (0.3, False)),
        ({"toxic_score": 0.3}, (0.3, None)),
        ({"score": 0.3, "verdict": "flagged"}, (0.3, True)),
        ({"is_toxic": 0}, (0.0, False)),
        ({"0": 0.03, "1": 0.97}, (0.97, None)),
    ],
)
def test_what_can_be_read(value, answer):
    assert answer_of(value) == answer


def test_logits_of_two_classes_are_a_probability():
    score, said = answer_of({"0": 2.0, "1": -2.0})
    assert (round(score, 3), said) == (0.018, None)
    assert answer_of({"0": -1e308, "1": 1e308})[0] == 1.0


@pytest.mark.parametrize(
    "value",
    [
        None, 1.5, -0.1, float("nan"), {"label": "toxic"}, {"toxic_score": None},
        {"toxic_score": 0.4, "is_toxic": None},
        {"0": 0.9, "1": 0.8}, {"0": 0.1, "1": 0.2, "2": 0.7}, {"0": "a", "1": "b"}, [0.4],
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_no_default(value):
    with pytest.raises(UnreadableError):
        answer_of(value)


@given(_JSON)
def test_any_value_is_read_or_refused(value):
    try:
        score, said = answer_of(value)
    except UnreadableError:
        return
    assert 0 <= score <= 1
    assert said in (True, False, None)


@given(st.text(min_size=1, alphabet=st.characters(min_codepoint=0x1100)), st.integers(0, 3))
def test_a_shape_holds_no_text_of_a_user(text, depth):
    value = {"label": text, text: [text, {"n": 3}]}
    for _ in range(depth):
        value = {"outer": [value] * 2}
    assert text not in shape_of(value)
    assert json.dumps(value)


def test_a_shape_shows_what_there_is():
    assert (
        shape_of({"predictions": [{"label": "x", "p": 0.2}] * 3}) == "{predictions: [{label: a text, p: a number} x 3]}"
    )
