"""Near-duplicates of many texts: the same however the work is divided."""

import random

import pytest

from content_arena.components.corpus_preparation import near_duplicates as module
from content_arena.components.corpus_preparation.near_duplicates import near_duplicates, near_to


def texts():
    rng = random.Random(5)
    found = ["".join(rng.choices("abcdefg ", k=rng.randint(3, 80))) for _ in range(60)]
    return found + [f"{text}!" for text in found[::2]] + found[:7] + ["", "a", "a"]


@pytest.mark.parametrize("chunk", [1, 2, 59])
def test_the_size_of_a_chunk_changes_nothing(monkeypatch, chunk):
    expected = near_duplicates(texts()).tolist(), near_to(texts()[60:], texts()[:60]).tolist()
    monkeypatch.setattr(module, "_CHUNK", chunk)
    assert (near_duplicates(texts()).tolist(), near_to(texts()[60:], texts()[:60]).tolist()) == expected
    assert sum(expected[0]) > 9


def test_nothing_is_near_to_nothing():
    assert near_duplicates([]).tolist() == []
    assert near_to([], ["one"]).tolist() == []
    assert near_to(["one", ""], []).tolist() == [False, False]
