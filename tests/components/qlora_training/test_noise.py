"""Generic noise, for any text."""

from random import Random

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.qlora_training.noise import hurt, letters_of, perturbed

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
    noisy = perturbed(table, None, seed=3)
    assert noisy["label"].tolist() == table["label"].tolist()
    assert (noisy["text"] != table["text"]).mean() > 0.8
    assert set("".join(noisy["text"])) <= set("".join(table["text"]))
    assert noisy.equals(perturbed(table, None, seed=3))
    assert not noisy.equals(perturbed(table, None, seed=4))
