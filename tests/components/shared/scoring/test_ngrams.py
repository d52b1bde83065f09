"""Laws of the hashed n-grams, for any text."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.shared.scoring.ngrams import BUCKETS, ngram_ids, padded

TEXTS = st.text(max_size=80)


@given(TEXTS)
def test_ids_are_distinct_ascending_and_within_the_table(text):
    ids = ngram_ids(text)
    assert ids.dtype == np.int64
    assert (np.diff(ids) > 0).all()
    assert ids.size == 0 or (ids[0] >= 0 and ids[-1] < BUCKETS)
    assert ids.size <= 6 * len(text) * 4


@given(TEXTS, st.lists(st.sampled_from(" .,!\n-_"), max_size=10))
def test_spaces_and_marks_do_not_count(text, marks):
    assert np.array_equal(ngram_ids(text), ngram_ids("".join(marks) + text + "".join(marks)))


def test_joined_words_have_the_n_grams_of_the_words():
    assert np.array_equal(ngram_ids("You Total Fool"), ngram_ids("youtotalfool"))
    assert np.array_equal(ngram_ids("çok güzel"), ngram_ids("cok guzel"))


def test_the_same_hashes_on_every_machine():
    assert ngram_ids("abcd").tolist() == sorted(ngram_ids("abcd").tolist())
    assert ngram_ids("abc").tolist() == [259109]


def test_a_misspelt_word_shares_n_grams_with_the_word():
    def shared(one, other):
        return len(np.intersect1d(ngram_ids(one), ngram_ids(other)))

    assert shared("stupid", "stoopid") > 3
    assert shared("stupid", "stopud") > 0
    assert shared("stupid", "friend") == 0


def test_texts_too_short_for_n_grams_have_none():
    assert [len(ngram_ids(text)) for text in ("", "ab", "!!! a")] == [0, 0, 0]


def test_rows_are_filled_up():
    table = padded([ngram_ids("abcd"), ngram_ids("")])
    assert table.shape[0] == 2
    assert (table[1] == BUCKETS).all()
    assert padded([ngram_ids("")]).shape == (1, 1)
