"""Tensors of KServe's V2 protocol: an answer for each text, or a reason why there is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.attack_generation.victims import EndpointVictim
from content_arena.components.attack_generation.victims.tensors import answers_of
from content_arena.components.attack_generation.victims.values import UnreadableError
from content_arena.components.shared.errors import VictimError


def tensors(**data):
    return {"outputs": [{"name": name, "data": values} for name, values in data.items()]}


@pytest.mark.parametrize(
    ("answer", "n_texts", "read"),
    [
        (tensors(toxic_score=[0.25, 0.75]), 2, [(0.25, None), (0.75, None)]),
        (tensors(other=[0.75, 0.25]), 1, [(0.25, None)]),
        (tensors(toxic_score=[0.75, 0.25], is_toxic=[False]), 1, [(0.25, False)]),
        (tensors(is_toxic=[True, 0]), 2, [(1.0, True), (0.0, False)]),
    ],
)
def test_tensors_are_read(answer, n_texts, read):
    assert answers_of(answer, n_texts) == read


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (tensors(toxic_score=[0.5], is_toxic=[True, False]), r"\[true or false x 2\] as verdicts for 1 texts"),
        (tensors(is_toxic=[True, False]), r"\[true or false x 2\] as verdicts for 1 texts"),
        (tensors(toxic_score=[0.5, 0.25, 0.25]), r"\[a number x 3\] as scores for 1 texts"),
        (tensors(toxic_score=[]), r"\[\] as scores for 1 texts"),
        (tensors(toxic_score=None), "where scores were expected"),
    ],
)
def test_tensors_of_another_length_are_named(reply, answer, told):
    reply.make = lambda body: answer
    with pytest.raises(VictimError, match=told):
        EndpointVictim(f"{reply.url}/v2/models/theirs").score(["a"])


_VALUES = st.none() | st.lists(st.booleans() | st.floats() | st.integers(-2, 2) | st.text(max_size=3), max_size=6)


@given(st.dictionaries(st.sampled_from(["toxic_score", "is_toxic", "x"]), _VALUES, max_size=3), st.integers(1, 3))
def test_any_tensors_give_an_answer_for_each_text_or_a_reason(data, n_texts):
    try:
        found = answers_of(tensors(**data), n_texts)
    except UnreadableError:
        return
    assert len(found) == n_texts
    assert all(0 <= score <= 1 for score, _ in found)
