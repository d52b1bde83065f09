"""Battles against a real (tiny) filter and against victims with known behaviour."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from rapidfuzz.distance import Levenshtein

from content_arena.components.attack_generation import battle, strategies
from content_arena.components.attack_generation.search import LadderSearch
from content_arena.components.attack_generation.victims import CachedVictim
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError, VictimError
from content_arena.components.shared.scoring.filter import ContentFilter
from content_arena.components.shared.text.canonical import canonicaliser

TEXTS = [
    ("you are a stupid idiot", "toxic"),
    ("they are very stupid trash and scum", "toxic"),
    ("have a nice day my friend", "benign"),
    ("the weather is good today", "benign"),
]


class WordList:
    """Flags a text that holds a listed word, letter by letter; counts the queries."""

    version = "words"
    threshold = 0.5

    def __init__(self):
        self.asked = []

    def score(self, texts):
        self.asked += texts
        return np.array([0.9 if {"stupid", "scum"} & set(text.split()) else 0.1 for text in texts], dtype=np.float32)


@pytest.fixture
def samples():
    rows = [
        {
            "sample_id": f"s{i}", "base_id": f"b{i}", "text": text, "label": label, "lang": "en", "categories": [],
            "target_ident": None, "source": "test", "split": "train",
        }
        for i, (text, label) in enumerate(TEXTS)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def some():
    return strategies.select("en", ["char_split", "homoglyph_swap", "benign_append"])


def test_records_are_valid_and_complete(samples, some, tiny_bundle, tmp_path):
    fought = battle.fight(samples, ContentFilter(tiny_bundle), some, seed=1)
    records.write(records.Attack, fought.attacks, tmp_path / "attacks.parquet")
    assert len(fought.attacks) == len(samples) * len(some)


def test_an_edit_is_undone_if_the_victims_own_canonicaliser_undoes_it(samples, make_bundle):
    split = strategies.select("en", ["char_split"])
    old, new = (
        battle.fight(samples, ContentFilter(make_bundle(version, canonical_version=version)), split).attacks
        for version in ("1", "2")
    )
    for attacks, canonicalise in ((old, canonicaliser("1")), (new, canonicaliser("2"))):
        same = [canonicalise(a) == canonicalise(b) for a, b in attacks[["original_text", "perturbed_text"]].to_numpy()]
        assert (attacks["similarity"] == 1.0).tolist() == same
    assert (old["similarity"] == 1.0).mean() > (new["similarity"] == 1.0).mean()


def test_a_word_list_is_beaten_by_look_alikes_and_a_canonicalising_filter_is_not(samples, tiny_bundle):
    swap = strategies.select("en", ["homoglyph_swap"])
    toxic = samples[samples["label"] == "toxic"]
    against_words = battle.fight(toxic, WordList(), swap, seed=1).attacks
    against_filter = battle.fight(toxic, ContentFilter(tiny_bundle), swap, seed=1).attacks
    assert (against_words["status"] == "success").all()
    assert (against_filter["status"] == "failed").all()


def test_the_same_seed_gives_the_same_attack_set_for_any_victim_and_order(samples, some, tiny_bundle):
    first = battle.fight(samples, WordList(), some, seed=5)
    again = battle.fight(samples, WordList(), some, seed=5)
    other_victim = battle.fight(samples, ContentFilter(tiny_bundle), some, seed=5)
    pd.testing.assert_frame_equal(first.attacks, again.attacks)
    assert first.sha256 == again.sha256 == other_victim.sha256
    assert first.sha256 != battle.fight(samples, WordList(), some, seed=6).sha256


def test_a_lower_intensity_edits_less(samples, some):
    """The steps rise to the intensity, and the last one edits fewer letters than at full intensity."""

    def last_attempts(intensity):
        search = LadderSearch(4, intensity=intensity)
        found = [search.attempts(target) for target in battle.make_targets(samples, some, 5) if target.label == "toxic"]
        assert all(attempt.intensity <= intensity for on_target in found for attempt in on_target)
        return [on_target[-1] for on_target in found]

    low, high = last_attempts(0.25), last_attempts(1.0)
    assert {attempt.intensity for attempt in low} == {0.25}
    assert {attempt.intensity for attempt in high} == {1.0}
    originals = [target.text for target in battle.make_targets(samples, some, 5) if target.label == "toxic"]
    n_low, n_high = (
        sum(Levenshtein.distance(text, attempt.text) for text, attempt in zip(originals, attempts, strict=True))
        for attempts in (low, high)
    )
    assert 0 < n_low < n_high / 2


def test_attempts_that_are_not_kept_are_the_same(samples, some, monkeypatch):
    """A large budget has more attempts than memory should hold: what is not kept is made anew."""

    def fought():
        search = LadderSearch(40)
        found = battle.fight(samples, WordList(), some, seed=5, search=search)
        return found, search

    kept, _ = fought()
    monkeypatch.setattr("content_arena.components.attack_generation.search.ladder._MOST_KEPT", 0)
    (made_anew, search), n_targets = fought(), len(kept.attacks)
    pd.testing.assert_frame_equal(made_anew.attacks, kept.attacks)
    assert made_anew.digests == kept.digests
    (target, *_) = battle.make_targets(samples, some, 5)
    first, again = search.attempts(target), search.attempts(target)
    assert first == again
    assert first[0] is not again[0]
    assert n_targets == len(samples) * len(some)


def test_a_large_budget_does_not_fill_the_memory(samples, some, monkeypatch):
    monkeypatch.setattr("content_arena.components.attack_generation.search.ladder._MOST_KEPT", 100)
    targets = battle.make_targets(samples, some, 5)

    def peak(budget):
        tracemalloc.start()
        LadderSearch(budget).digest(targets)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(200)  # the first one fills caches
    assert peak(2000) < 2 * peak(200)


def test_no_text_gets_more_queries_than_the_budget(samples, some):
    attacks = battle.fight(samples, WordList(), some, seed=1, search=LadderSearch(2)).attacks
    assert (attacks["n_queries"] <= 2).all()
    assert (attacks["budget"] == 2).all()


def test_benign_texts_get_one_attempt(samples, some):
    attacks = battle.fight(samples, WordList(), some, seed=1, search=LadderSearch(5)).attacks
    assert (attacks.loc[attacks["label_gold"] == "benign", "n_queries"] <= 1).all()


def test_the_search_stops_at_the_first_success(samples, some):
    attacks = battle.fight(samples, WordList(), some, seed=1, search=LadderSearch(5)).attacks
    won = attacks[(attacks["status"] == "success") & (attacks["label_gold"] == "toxic")]
    assert len(won)
    assert (won["n_queries"] == (won["intensity"] * 5).round()).all()


def test_what_the_victim_misses_anyway_is_skipped_and_no_success(samples):
    missed = samples.assign(label="toxic")
    attacks = battle.fight(missed, WordList(), strategies.select("en", ["char_split"]), seed=1).attacks
    assert set(attacks.loc[attacks["score_before"] < 0.5, "status"]) == {"skipped"}


def test_a_text_nothing_can_be_done_to_is_skipped(samples):
    digits = samples.assign(text=["1 2", "3 4", "5 6", "7 8"])
    attacks = battle.fight(digits, WordList(), strategies.select("en", ["char_typo"]), seed=1).attacks
    assert set(attacks["status"]) == {"skipped"}
    assert (attacks["perturbed_text"] == attacks["original_text"]).all()


def test_cached_answers_are_not_asked_again():
    victim = WordList()
    cached = CachedVictim(victim)
    assert cached.score(["a", "b", "a"]).tolist() == cached.score(["a", "b", "a"]).tolist()
    assert victim.asked == ["a", "b"]
    assert cached.n_queries == 2


@pytest.mark.parametrize("answer", [[0.5], [0.5, float("nan")], [0.5, 1.5]])
def test_a_victim_that_answers_nonsense_is_an_error(answer):
    victim = WordList()
    victim.score = lambda texts: answer
    with pytest.raises(VictimError, match="words"):
        CachedVictim(victim).score(["a", "b"])


def test_an_empty_battle_is_refused(samples, some):
    with pytest.raises(InputError):
        battle.fight(samples.iloc[:0], WordList(), some)


def test_the_draw_depends_on_seed_and_not_on_order(samples):
    drawn = battle.sample_texts(samples, "train", 1, seed=3)
    assert drawn["label"].tolist().count("toxic") == 1
    shuffled = samples.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(drawn, battle.sample_texts(shuffled, "train", 1, seed=3))
