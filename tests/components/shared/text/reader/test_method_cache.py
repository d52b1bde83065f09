"""A cache of a method does not keep its object, nor does a Reader keep itself."""

import gc
import weakref

import pytest

from content_arena.components.shared.text.reader.hangul_reader import HangulReader
from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.method_cache import method_cache
from content_arena.components.shared.text.reader.reader import Reader


class Counting:
    def __init__(self, most):
        self.asked = []
        self.double = method_cache(self._double, most)

    def _double(self, word):
        self.asked.append(word)
        return word * 2


def test_the_answers_that_were_asked_for_last_are_kept():
    counting = Counting(most=2)
    assert [counting.double(word) for word in "aabacabc"] == ["aa", "aa", "bb", "aa", "cc", "aa", "bb", "cc"]
    assert counting.asked == list("abcbc")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Counting(most=2),
        lambda: Reader(Lexicon({"you": 5.0, "idiot": 5.0})),
        lambda: HangulReader({"바보": 5.0}, {"야": 5.0}),
    ],
)
def test_the_object_is_free_without_a_garbage_collection(make):
    gc.collect()
    gc.disable()
    try:
        made = make()
        for ask in (getattr(made, "double", None), getattr(made, "read", None)):
            if ask:
                ask("you 1d10t 빠보야")
        freed = weakref.ref(made)
        del made, ask
        assert freed() is None
    finally:
        gc.enable()
