"""What an attacker takes from one battle to the next: kept as it was, whole or refused, and of use."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.attack_generation import searched, strategies
from content_arena.components.attack_generation.search.bandit import Bandit
from content_arena.components.attack_generation.search.evolving import AT_ONCE
from content_arena.components.attack_generation.search.memory import NOTHING, Arm, Memory, Move, Trials, applicable
from content_arena.components.attack_generation.searched import Plan
from content_arena.components.shared.errors import InputError
from tests.components.attack_generation.search.test_evolving import DIGITS, FRIENDS, Needs, texts
from tests.components.attack_generation.search.test_searched import FEW, samples

moves = st.builds(
    Move, st.sampled_from(FEW), st.sampled_from([0.2, 0.5, 1.0]), st.sampled_from(["anywhere", "important"])
)
arms = st.builds(Arm, st.lists(moves, min_size=1, max_size=3).map(tuple), st.booleans())
counts = st.tuples(st.integers(1, 50), st.floats(0, 1)).map(lambda pair: (pair[0], round(pair[0] * pair[1], 2)))
memories = st.dictionaries(arms, counts, max_size=8).map(
    lambda found: Memory(tuple(Trials(arm, float(n), gained) for arm, (n, gained) in found.items()))
)


@given(memories)
def test_it_is_read_as_it_was_written(memory):
    again = Memory.loaded(memory.dumped())
    assert set(again.trials) == set(memory.trials)
    turned = Memory(memory.trials[::-1])
    assert again.sha256 == memory.sha256 == turned.sha256
    assert applicable(again, FEW) == applicable(turned, FEW)


@given(memories, memories)
def test_what_shards_learnt_adds_up(one, other):
    joined = {each.arm: each for each in Memory.joined([one, other]).trials}
    assert set(joined) == {each.arm for memory in (one, other) for each in memory.trials}
    for arm, each in joined.items():
        assert each.n == sum(trials.n for memory in (one, other) for trials in memory.trials if trials.arm == arm)
    assert not Memory.joined([])


names = st.sampled_from(["format", "arms", "recipe", "n"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(2) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner),
)


@given(st.text(max_size=40) | values.map(json.dumps))
def test_anything_else_is_refused(text):
    with pytest.raises(InputError, match="what an attacker learnt"):
        Memory.loaded(text)


@pytest.mark.parametrize(
    "arm",
    [
        {"recipe": [], "on_top": False, "n": 1, "gained": 0},
        {"recipe": [["leet_sub", 1.0, "nowhere"]], "on_top": False, "n": 1, "gained": 0},
        {"recipe": [["leet_sub", 2.0, "anywhere"]], "on_top": False, "n": 1, "gained": 0},
        {"recipe": [["leet_sub", 1.0, "anywhere"]], "on_top": False, "n": 0, "gained": 0},
        {"recipe": [["leet_sub", 1.0, "anywhere"]], "on_top": False, "n": 1, "gained": 2},
    ],
)
def test_trials_that_cannot_have_been_are_refused(arm):
    with pytest.raises(InputError, match="what an attacker learnt"):
        Memory.loaded(json.dumps({"format": 1, "arms": [arm]}))


def test_what_a_later_release_wrote_is_refused():
    with pytest.raises(InputError, match="has format 2, this release reads 1"):
        Memory.loaded('{"format": 2, "arms": []}')


def test_old_trials_count_for_few():
    bandit = Bandit[str](0)
    bandit.add("known", "group")
    bandit.recall("known", 1000, 500, most=10)
    bandit.recall("never added", 5, 5, most=10)
    (known,) = bandit.known()
    assert (known.arm, known.n, known.mean) == ("known", 10, 0.5)


def attacked(memory=NOTHING, victim=None, seed=0, names=FEW):
    plan = Plan("evolving", 30, seed=seed, memory=memory)
    return searched.search(
        samples(texts(AT_ONCE)), victim or Needs(DIGITS, FRIENDS), strategies.select("en", names), plan
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_the_next_battle_begins_with_it(seed):
    anew = attacked()
    warm, cold = attacked(anew.memory, seed=seed + 5), attacked(seed=seed + 5)
    queries = [found.battle.attacks["n_queries"].mean() for found in (warm, cold)]
    assert queries[0] < 0.7 * queries[1]
    # In the same attacks again, which say what they began with.
    again = attacked(Memory.loaded(anew.memory.dumped()), seed=seed + 5)
    pd.testing.assert_frame_equal(again.battle.attacks, warm.battle.attacks)
    assert again.battle.sha256 == warm.battle.sha256 != cold.battle.sha256
    assert {json.loads(params)["memory"] for params in warm.battle.attacks["params"]} == {anew.memory.sha256}
    assert not any("memory" in json.loads(params) for params in cold.battle.attacks["params"])


def test_what_is_about_other_strategies_is_left_out():
    other = attacked(names=("wild_respell",)).memory
    assert other
    known, anew = attacked(other).battle.attacks, attacked().battle.attacks
    columns = ["perturbed_text", "n_queries", "status"]
    pd.testing.assert_frame_equal(known[columns], anew[columns])


def test_another_search_learns_nothing():
    found = searched.search(samples(texts(2)), Needs(DIGITS), strategies.select("en", FEW), Plan("greedy", 10))
    assert not found.memory
