"""The attacker that learns: within its budget, from text to text, the same again for the same texts in their order."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.attack_generation import searched, strategies
from content_arena.components.attack_generation.search import door
from content_arena.components.attack_generation.search.bandit import Bandit
from content_arena.components.attack_generation.search.evolving import AT_ONCE
from content_arena.components.attack_generation.search.goal import NotFlagged
from content_arena.components.attack_generation.searched import Plan
from tests.components.attack_generation.search.test_searched import FEW, WORDS, Unbeatable, samples


class Needs:
    """Falls for texts in which each of some changes was made, a share of the way for each; counts its batches."""

    version, threshold = "needs", 0.5

    def __init__(self, *signs):
        self.signs, self.batches = signs, []

    def score(self, texts):
        self.batches.append(len(texts))
        done = [sum(any(sign in text for sign in each) for each in self.signs) / len(self.signs) for text in texts]
        return np.array([0.95 - 0.6 * (share == 1.0) - 0.2 * share for share in done], dtype=np.float32)


#: What digits for letters, and friendly sentences around a text, leave behind.
DIGITS = ("1", "0", "3", "4", "5", "$", "@")
FRIENDS = (
    "lovely",
    "Thanks",
    "Love",
    "beautiful",
    "weekend",
    "seaside",
    "enjoyed",
    "weather",
    "Peace",
    "best",
    "puppy",
)


def texts(n):
    return [f"{WORDS} and {'so' * (i % 7 + 1)} {'on' * (i // 7 + 1)}" for i in range(n)]


def attacked(victim, n=60, budget=30, **plan):
    few = strategies.select("en", FEW)
    return searched.search(samples(texts(n)), victim, few, Plan("evolving", budget, **plan))


def test_it_needs_fewer_queries_once_it_knows_what_works():
    attacks = attacked(Needs(DIGITS), n=3 * AT_ONCE).battle.attacks
    assert (attacks["status"] == "success").all()
    queries = attacks["n_queries"].to_numpy()
    assert queries[-AT_ONCE:].mean() < 0.7 * queries[:AT_ONCE].mean()


def test_what_worked_together_is_tried_at_once_on_the_next_text():
    found = attacked(Needs(DIGITS, FRIENDS), n=3 * AT_ONCE)
    assert any(" + " in learnt for learnt in found.learnt)
    late = found.battle.attacks.tail(AT_ONCE)
    assert (late["status"] == "success").all()
    assert late["n_queries"].min() == 1
    edits = json.loads(late.iloc[late["n_queries"].argmin()]["params"])["edits"]
    assert len(edits) >= 2


def test_shard_and_order_are_recorded_and_part_of_the_hash():
    victim = Needs(DIGITS)
    one, again, other = (attacked(victim, n=5, shard=shard, n_shards=2).battle for shard in (0, 0, 1))
    notes = [json.loads(params) for params in one.attacks["params"]]
    assert [(note["shard"], note["n_shards"], note["order"]) for note in notes] == [(0, 2, n) for n in range(5)]
    assert one.sha256 == again.sha256 != other.sha256
    pd.testing.assert_frame_equal(one.attacks, again.attacks)
    turned = searched.search(
        samples(texts(5)).iloc[::-1], victim, strategies.select("en", FEW), Plan("evolving", 30, n_shards=2)
    )
    assert turned.battle.sha256 != one.sha256


def test_a_text_that_is_not_caught_takes_no_place_in_the_order():
    rows = samples([WORDS, "a harmless thing", f"{WORDS} again"])

    class Some(Needs):
        def score(self, given):
            return np.array([0.9 if "idiot" in text else 0.1 for text in given], dtype=np.float32)

    attacks = searched.search(rows, Some(), strategies.select("en", FEW), Plan("evolving", 5)).battle.attacks
    assert [json.loads(params)["order"] for params in attacks["params"]] == [0, 1, 1]
    assert attacks["status"].tolist()[1] == "skipped"


def test_constraints_are_kept():
    found = attacked(Unbeatable(), n=10, max_edit_share=0.15)
    assert found.n_refused > 0
    assert found.battle.attacks["pct_changed"].max() <= 0.15
    assert found.battle.attacks["n_queries"].max() <= 30


def test_a_filter_that_says_only_yes_or_no_can_be_learnt_from():
    class Verdicts(Needs):
        def score(self, given):
            return (super().score(given) >= 0.5).astype(np.float32)

    assert (attacked(Verdicts(DIGITS), n=AT_ONCE).battle.attacks["status"] == "success").all()


def test_the_last_digits_of_a_score_change_nothing():
    """They depend on the batch in which a text is scored, and would turn every later choice."""

    class Trembling(Needs):
        def score(self, given):
            noise = np.random.default_rng(len(self.batches)).normal(0, 1e-7, len(given))
            return (super().score(given) + noise).astype(np.float32)

    still, trembling = (attacked(kind(DIGITS, FRIENDS), n=2 * AT_ONCE).battle.attacks for kind in (Needs, Trembling))
    assert still["perturbed_text"].tolist() == trembling["perturbed_text"].tolist()


def test_not_all_texts_are_under_way_at_once():
    victim = Needs(("none of these",))
    attacked(victim, n=3 * AT_ONCE, budget=5)
    assert max(victim.batches[1:]) <= 2 * AT_ONCE


@given(st.lists(st.integers(0, 4), max_size=8), st.integers(1, 4))
@settings(max_examples=20)
def test_every_search_gets_its_turn(lengths, at_once):
    def walk(name, n_levels):
        for level in range(n_levels):
            yield [door.Query(f"{name} {level}")]

    walks = [walk(name, n) for name, n in enumerate(lengths)]
    visits = door.run(walks, NotFlagged(Unbeatable()), 10, lambda n: None, at_once)
    assert [visit.spent for visit in visits] == lengths


arms = st.lists(st.integers(0, 20), unique=True, min_size=1)


@given(arms, st.integers(0, 9))
@settings(max_examples=20)
def test_a_bandit_ranks_every_arm_and_the_same_again(names, seed):
    first, again = Bandit(seed), Bandit(seed)
    for bandit in (first, again):
        for name in names:
            bandit.add(name, name % 3)
    ranked = [first.ranked(names) for _ in range(3)]
    assert all(sorted(order) == sorted(names) for order in ranked)
    assert ranked == [again.ranked(names) for _ in range(3)]
    assert first.ranked([]) == []


def test_a_bandit_comes_to_prefer_what_pays():
    bandit, rng = Bandit(0), np.random.default_rng(0)
    pays = {"well": 0.8, "badly": 0.2, "never": 0.0}
    for arm in pays:
        bandit.add(arm, arm)
    chosen = []
    for _ in range(300):
        chosen.append(bandit.ranked(list(pays))[0])
        bandit.learn(chosen[-1], float(rng.random() < pays[chosen[-1]]))
    assert chosen[-100:].count("well") > 85
    assert bandit.best(1)[0].arm == "well"
    assert bandit.best(1)[0].mean == pytest.approx(0.8, abs=0.1)


def test_a_new_arm_begins_with_what_its_group_has_shown():
    bandit = Bandit(0)
    for arm, group in (("a1", "good"), ("b1", "bad"), ("a2", "good"), ("b2", "bad")):
        bandit.add(arm, group)
    for _ in range(40):
        bandit.learn("a1", 1.0)
        bandit.learn("b1", 0.0)
    first = [bandit.ranked(["a2", "b2"])[0] for _ in range(100)]
    assert first.count("a2") > 75
    bandit.add("a1", "bad")
    assert bandit.best(1)[0].n == 40
