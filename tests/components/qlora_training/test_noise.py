"""Generic noise, for any text."""

from random import Random

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.qlora_training.noise import hurt, letters_of, perturbed
from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.reader import Reader

TEXTS = st.text(max_size=200)


@given(TEXTS, st.integers(), st.sampled_from(["", "abc"]))
def test_every_character_is_of_the_text_or_of_the_letters(text, seed, letters):
    noisy = hurt(text, Random(seed), letters)
    assert set(noisy) <= set(text) | set(letters)
    assert len(noisy) <= 2 * len(text)
    assert noisy == hurt(text, Random(seed), letters)


@given(st.lists(TEXTS, max_size=5))
def test_letters_are_those_of_the_texts(texts):
    letters = letters_of(texts)
    assert len(set(letters)) == len(letters)
    assert set(letters) <= set("".join(texts).casefold())


def test_noise_is_of_the_script_of_the_texts_and_hurts_most_of_them():
    table = pd.DataFrame({"text": ["мама мыла раму и пошла домой к бабушке"] * 50, "label": [0, 1] * 25})
    noisy = perturbed(table, Reading(), seed=3)
    assert noisy["label"].tolist() == table["label"].tolist()
    assert (noisy["text"] != table["text"]).mean() > 0.8
    assert set("".join(noisy["text"])) <= set("".join(table["text"]))
    assert noisy.equals(perturbed(table, Reading(), seed=3))
    assert not noisy.equals(perturbed(table, Reading(), seed=4))


def test_noise_leaves_masks_whole():
    text = "write to [email] or call [phone], says @user, you [email]"
    for seed in range(50):
        noisy = hurt(text, Random(seed), "abc")
        assert noisy.count("[email]") == 2
        assert noisy.count("[phone]") == 1
        assert "@user" in noisy


def test_noisy_texts_are_read_as_the_filter_reads_them():
    table = pd.DataFrame({"text": ["you idi\u200bot, write to anna@example.com or call 010-1234-5678"] * 30})
    reading = Reading(reader=Reader(Lexicon(dict.fromkeys(["you", "idiot", "write", "call", "or", "to"], 5.0))))
    noisy = perturbed(table, reading, seed=3)
    assert noisy["read"].tolist() == [reading(text) for text in noisy["text"]]
    assert noisy["read"].str.contains("[email]", regex=False).any()
