"""Near-duplicates: exactly those of the definition, whatever finds the candidates."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.corpus_preparation.duplicates.near_duplicates import near_duplicates, near_to
from tests.benchmarks import prefix_filter


def shingles(text):
    return {text[start : start + 5] for start in range(max(1, len(text) - 4))}


def jaccard(one, other):
    n_common = len(one & other)
    return n_common / (len(one) + len(other) - n_common)


def by_definition(texts, threshold):
    kept, marked = [], []
    for one in map(shingles, texts):
        marked.append(any(jaccard(one, other) >= threshold - 1e-9 for other in kept))
        if not marked[-1]:
            kept.append(one)
    return marked


def edited(text, generator, n):
    chars = list(text)
    for _ in range(n):
        place = generator.randrange(len(chars) + 1)
        chars[place : place + generator.randrange(2)] = generator.choice(["x", "", "qz"])
    return "".join(chars)


def sample(n, seed=0):
    """Texts of a small vocabulary, of every length; two in five are made from an earlier one."""
    generator = random.Random(seed)
    words = ["".join(generator.choices("abcdefgh", k=generator.randint(1, 8))) for _ in range(60)]
    texts = []
    for _ in range(n):
        if texts and generator.random() < 0.4:
            texts.append(edited(generator.choice(texts), generator, generator.randrange(4)))
        else:
            texts.append(" ".join(generator.choices(words, k=generator.choice([1, 2, 3, 5, 8, 13, 21, 34]))))
    return texts


@pytest.mark.parametrize("threshold", [0.7, 0.85, 0.9, 0.95, 1.0])
def test_are_those_of_the_definition(threshold):
    texts = sample(250)
    found = near_duplicates(texts, threshold).tolist()
    assert found == by_definition(texts, threshold)
    assert 10 < sum(found) < 200


def test_are_those_that_prefix_filtering_finds():
    texts = sample(3_000, seed=1)
    found = near_duplicates(texts)
    assert found.tolist() == prefix_filter.near_duplicates(texts).tolist()
    assert 500 < found.sum() < 1_500


@given(st.lists(st.text("ab", max_size=40) | st.text("abc한😀 ", max_size=200), max_size=12), st.floats(0.5, 1.0))
@settings(max_examples=60, deadline=None)
def test_are_those_of_the_definition_for_any_texts(texts, threshold):
    assert near_duplicates(texts, threshold).tolist() == by_definition(texts, threshold)


def test_texts_of_one_template_are_told_apart():
    """Most of their shingles are the same, so they share groups with hundreds of others."""
    generator = random.Random(2)
    template = "dear customer your parcel could not be delivered please confirm your address at the office in {} today"
    texts = [template.format("".join(generator.choices("abcdefghij", k=14))) for _ in range(150)]
    texts = [text for text in texts for text in (text, text.replace("dear", "deer"))]
    assert near_duplicates(texts).tolist() == by_definition(texts, 0.9)


def test_a_text_is_near_to_others_whatever_its_own_kind_are_to_each_other():
    others, texts = sample(120, seed=3), sample(240, seed=3)[60:]
    expected = [any(jaccard(shingles(text), shingles(other)) >= 0.9 for other in others) for text in texts]
    assert near_to(texts, others).tolist() == expected
    assert 0 < sum(expected) < len(texts)
    assert near_to([], others).tolist() == near_to([], []).tolist() == []
    assert near_to(["a"], []).tolist() == [False]


def test_one_long_text_among_short_ones():
    texts = ["short one", "x" * 5_000, " ".join(map(str, range(1_200))), " ".join(map(str, range(1_201))), "short one"]
    assert near_duplicates(texts).tolist() == [False, False, False, True, True]


@given(st.data())
@settings(max_examples=60)
def test_are_those_of_the_definition_where_texts_are_edited(data):
    originals = data.draw(st.lists(st.text("abc ", min_size=30, max_size=120), min_size=1, max_size=3))
    texts = []
    for _ in range(data.draw(st.integers(1, 12))):
        chars = list(data.draw(st.sampled_from(originals)))
        for place in data.draw(st.lists(st.integers(0, len(chars) - 1), max_size=3)):
            chars[place] = data.draw(st.sampled_from("xyz"))
        texts.append("".join(chars))
    assert near_duplicates(texts).tolist() == by_definition(texts, 0.9)


def test_those_of_short_texts_are_equal_ones():
    texts = ["", "a", "ab", "a", "hello", "hello!"]
    assert near_duplicates(texts).tolist() == [False, False, False, True, False, False]
