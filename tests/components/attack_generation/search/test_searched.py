"""Searches: budget, determinism, constraints, and that they find more than chance."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.attack_generation import one_text, searched, strategies
from content_arena.components.attack_generation.outcomes import judged
from content_arena.components.attack_generation.search import constraints, importance
from content_arena.components.attack_generation.search.curve import budgets, curve
from content_arena.components.attack_generation.search.drafts import Draft
from content_arena.components.attack_generation.search.methods import METHODS
from content_arena.components.attack_generation.searched import Plan
from content_arena.components.attack_generation.settings import EVOLVING, SEARCHES
from content_arena.components.evaluation import metrics
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.limits import MAX_TEXT_LENGTH

WORDS = "you are a stupid idiot and everybody knows that very well today"
every_search = pytest.mark.parametrize("method", SEARCHES)
every_method = pytest.mark.parametrize("method", METHODS)
FEW = ("char_typo", "leet_sub", "char_split", "benign_append", "space_join")


class ByWord:
    """Scores a text by how many of the letters of its worst words are as they were; counts what it was asked."""

    version, threshold = "by word", 0.5

    def __init__(self, bad=("stupid", "idiot"), weight=1.0):
        self.bad, self.weight, self.asked = bad, weight, []

    def score(self, texts):
        self.asked.append(list(texts))
        left = [sum(word in text for word in self.bad) / len(self.bad) for text in texts]
        return np.array([min(1.0, self.weight * share) for share in left], dtype=np.float32)


class Unbeatable(ByWord):
    """Scores every text by a hash, always over the threshold."""

    def score(self, texts):
        self.asked.append(list(texts))
        return np.array([0.6 + int(records.sha256_of(text)[:4], 16) / 2**18 for text in texts], dtype=np.float32)


def samples(texts, lang="en"):
    rows = [
        {
            "sample_id": f"s{i}", "base_id": f"b{i}", "text": text, "label": "toxic", "lang": lang, "categories": [],
            "target_ident": None, "source": "test", "split": "validation",
        }
        for i, text in enumerate(texts)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def few(lang="en"):
    return strategies.select(lang, FEW)


def test_the_methods_are_those_of_the_settings():
    assert (*METHODS, EVOLVING) == SEARCHES


@every_search
@given(texts=st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=3), budget=st.integers(1, 12))
@settings(max_examples=12)
def test_any_text_within_the_budget_and_the_same_again(method, texts, budget):
    victims = [Unbeatable(), Unbeatable()]
    plan = Plan(method, budget, seed=3)
    first, again = (searched.search(samples(texts), victim, few(), plan) for victim in victims)
    pd.testing.assert_frame_equal(first.battle.attacks, again.battle.attacks)
    assert first.battle.digests == again.battle.digests
    assert (first.battle.attacks["n_queries"] <= budget).all()
    n_originals = len(set(texts))
    asked = [text for level in victims[0].asked for text in level]
    assert len(asked) == len(set(asked)) <= n_originals + budget * len(texts)
    assert all(1 <= len(text) <= MAX_TEXT_LENGTH or not text for text in asked)
    records.validate(records.Attack, first.battle.attacks)


@every_method
def test_a_text_is_searched_alike_whatever_is_beside_it(method):
    texts = [f"{WORDS} {number}" for number in range(6)]
    plan = Plan(method, 15, seed=1)
    together = searched.search(samples(texts), Unbeatable(), few(), plan).battle
    parts = [searched.search(samples(texts).iloc[i::3], Unbeatable(), few(), plan).battle for i in range(3)]
    apart = pd.concat([part.attacks for part in parts]).sort_values("base_id").reset_index(drop=True)
    pd.testing.assert_frame_equal(apart, together.attacks.sort_values("base_id").reset_index(drop=True))
    assert together.digests == {name: digest for part in parts for name, digest in part.digests.items()}


def test_a_victim_gets_full_batches():
    victim = Unbeatable()
    searched.search(samples([f"{WORDS} {n}" for n in range(20)]), victim, few(), Plan("greedy", 12))
    levels = [len(level) for level in victim.asked[1:]]
    assert np.mean(levels) >= 20
    assert len(levels) <= 12


def test_a_search_stops_once_it_is_past():
    attacks = searched.search(samples([WORDS]), ByWord(weight=0.9), few(), Plan("greedy", 50)).battle.attacks
    (row,) = attacks.to_dict("records")
    assert (row["status"], row["family"], row["strategy"]) == ("success", "search", "greedy")
    assert row["n_queries"] < 50
    assert json.loads(row["params"])["edits"]
    assert searched.made_with(row["params"])[0] in FEW


def test_a_text_that_is_not_flagged_costs_nothing_and_is_skipped():
    attacks = searched.search(samples(["have a nice day"]), ByWord(), few(), Plan("beam", 50)).battle.attacks
    assert attacks[["status", "n_queries"]].to_numpy().tolist() == [["skipped", 0]]


def test_what_fails_a_constraint_is_counted_and_not_asked():
    victim = Unbeatable()
    plan = Plan("greedy", 20, max_edit_share=0.1)
    found = searched.search(samples([WORDS]), victim, few(), plan)
    assert found.n_refused > 0
    (row,) = found.battle.attacks.to_dict("records")
    assert 0 < row["pct_changed"] <= 0.1
    assert judged(found.battle.attacks)["readable"].all()


class Stubborn(ByWord):
    """Flags every text but those that begin with "easy" and in which the word is another one."""

    def score(self, texts):
        self.asked.append(list(texts))
        return np.array([0.1 if text.startswith("easy") and "idiot" not in text else 0.9 for text in texts])


def test_a_caught_text_that_no_attack_keeps_the_bounds_of_is_failed():
    """Evasion is a share of the texts that the filter caught, also of those that nothing could be sent for."""
    texts = ["easy: you idiot, and everybody knows that very well", "you id", "a fool"]
    found = searched.search(samples(texts), Stubborn(), few(), Plan("greedy", 50, max_edit_share=0.1))
    attacks = found.battle.attacks
    assert attacks["status"].tolist() == ["success", "failed", "failed"]
    assert (attacks["perturbed_text"] == attacks["original_text"]).tolist() == [False, True, True]
    records.validate(records.Attack, attacks)
    evasion = metrics.evasion(judged(attacks))
    assert (evasion.rate, evasion.n) == (pytest.approx(1 / 3), 3)
    assert curve(judged(attacks))[-1] == (50, pytest.approx(1 / 3))


def test_benign_texts_are_scored_and_not_attacked():
    rows = pd.concat([samples([WORDS]), samples(["a nice day"]).assign(label="benign", base_id="c", sample_id="c")])
    seen = []
    found = searched.search(rows, ByWord(), few(), Plan("random", 5), check=lambda labels, scores: seen.extend(labels))
    assert seen == ["toxic", "benign"]
    assert found.battle.attacks["base_id"].tolist() == ["b0"]


def test_no_toxic_text_is_no_attack():
    found = searched.search(samples(["a"]).assign(label="benign"), ByWord(), few(), Plan("random", 5))
    records.validate(records.Attack, found.battle.attacks)
    assert found.battle.digests == {}


@pytest.mark.parametrize("wrong", [{"method": "magic", "budget": 5}, {"method": "beam", "budget": 0}])
def test_a_plan_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError):
        Plan(**wrong)


def walked(walk, victim):
    """What a generator of queries returns, and how many it asked."""
    asked, answers = 0, None
    try:
        while True:
            level = walk.send(answers)
            asked += len(level)
            answers = victim.score([query.text for query in level]).tolist()
    except StopIteration as end:
        return end.value, asked


@pytest.mark.parametrize("n_probes", [12, 8, 6])
def test_the_words_that_a_filter_goes_by_come_first(n_probes):
    original = Draft.of(WORDS)
    order, asked = walked(importance.ranked(original, 1.0, n_probes), ByWord(bad=("idiot",)))
    named = [WORDS[slice(*original.places[word])] for word in order]
    assert "idiot" in named[:2]
    assert sorted(order) == list(range(len(original.places)))
    assert asked <= n_probes


def test_without_probes_the_longest_words_come_first():
    order, asked = walked(importance.ranked(Draft.of("a bb ccc"), 1.0, 0), ByWord())
    assert (order, asked) == ([2, 1, 0], 0)


@given(st.text(max_size=60), st.integers(0, 5), st.randoms(use_true_random=False))
def test_words_keep_their_places(text, seed, rng):
    """Everything outside the edited words stays, and the draft knows where each word is."""
    draft = original = Draft.of(text)
    for strategy in few():
        words = [word for word in range(len(draft.places)) if rng.random() < 0.5]
        draft = draft.with_words(strategy, words, seed) or draft
    assert len(draft.places) == len(original.places)
    gaps = [
        [made.text[end:start] for (_, end), (start, _) in zip(made.places, made.places[1:], strict=False)]
        for made in (original, draft)
    ]
    assert gaps[0] == gaps[1]
    assert draft.edited <= set(range(len(original.places)))


def test_the_bounds_of_a_curve():
    assert budgets(1) == [1]
    assert budgets(50) == [1, 2, 3, 5, 10, 20, 30, 50]
    assert budgets(1000)[-3:] == [300, 500, 1000]


def test_evasion_rises_with_the_budget():
    texts = [f"{WORDS} {number}" for number in range(8)]
    attacks = searched.search(samples(texts), ByWord(weight=0.9), few(), Plan("random", 20)).battle.attacks
    points = curve(judged(attacks))
    shares = [share for _, share in points]
    assert shares == sorted(shares)
    assert points[-1][0] == 20
    assert curve(judged(attacks.assign(status="skipped"))) == []


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=30)
def test_constraints_hold_of_any_texts(original, perturbed):
    allowed = constraints.all_allow(constraints.usual(0.5), original, Draft.of(perturbed))
    assert not (allowed and perturbed == original)


def test_one_text_shows_what_gets_past_and_at_what_cost():
    report = one_text.attack(WORDS, "en", ByWord(weight=0.9), few(), budget=3, plan=Plan("greedy", 20))
    assert report.is_flagged
    assert [attacked.attack for attacked in report.attacks] == [*sorted(FEW), "greedy"]
    past = {attacked.attack: attacked for attacked in report.attacks if attacked.gets_past}
    assert "greedy" in past
    assert all(attacked.queries <= 3 for name, attacked in past.items() if name != "greedy")
    assert not one_text.attack("a nice day", "en", ByWord(), few(), budget=3, plan=Plan("greedy", 20)).attacks
    for text, told in (("", "is empty"), (" ", "is empty"), ("x" * (MAX_TEXT_LENGTH + 1), "it may have 5,000")):
        with pytest.raises(InputError, match=told):
            one_text.attack(text, "en", ByWord(), few(), budget=3, plan=Plan("greedy", 20))
