"""Which strategies are held out: by the seed, the champion's line, or the user."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.attack_generation import held_out, reach, strategies
from content_arena.components.attack_generation.selection import Selection
from content_arena.components.attack_generation.strategies import FAMILIES
from content_arena.components.registry import tags
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.version import RegisteredVersion
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking.tracking import Tracking


@dataclass(frozen=True)
class Named:
    """As much of a strategy as a choice looks at."""

    name: str
    family: str


def version(generation=1, chosen=None, trained_on=None):
    found = {tags.HELD_OUT: chosen, tags.TRAINED_ON: trained_on}
    return RegisteredVersion(
        4, "ab", generation, {}, {name: value for name, value in found.items() if value is not None}
    )


FIRST = version(generation=0)
some_candidates = st.lists(st.sampled_from(FAMILIES), max_size=14).map(
    lambda families: [Named(f"s{i}", family) for i, family in enumerate(families)]
)


@given(candidates=some_candidates, seed=st.integers(0, 10**6))
def test_the_laws_of_a_choice(candidates, seed):
    chosen = set(held_out.choose(candidates, "en", seed))
    by_family = {family: {s.name for s in candidates if s.family == family} for family in FAMILIES}
    whole = [names for names in by_family.values() if names and names <= chosen]
    assert chosen <= {strategy.name for strategy in candidates}
    assert held_out.choose(candidates[::-1], "en", seed) == tuple(sorted(chosen)), "the order does not matter"
    if sum(map(bool, by_family.values())) >= 3:
        assert len(chosen) >= 2
        assert whole
        assert len(chosen) < len(candidates)
        assert len(chosen) <= max(2, len(candidates) / 2)
    else:
        assert len(chosen) == min(2, len(candidates) // 2)


@pytest.mark.parametrize("lang", reach.LANGUAGES)
@pytest.mark.parametrize("seed", range(30))
def test_what_is_held_out_of_the_installed_strategies(lang, seed):
    candidates = reach.candidates(lang)
    chosen = held_out.resolve(lang, seed, (), None)
    assert chosen == held_out.resolve(lang, seed, (), FIRST), "the first champion was trained on no attacks"
    assert len(chosen.names) >= 2
    assert set(chosen.names) <= {strategy.name for strategy in candidates}
    assert 2 * len(chosen.names) <= len(candidates)
    assert chosen.reason == f"chosen by seed {seed}"


def test_different_seeds_hold_out_different_strategies():
    assert len({held_out.resolve("en", seed, (), None).names for seed in range(20)}) > 3


def test_the_choice_for_a_seed_stays():
    # A change of it makes figures of two releases with the same seed differ for no good reason.
    chosen = [held_out.resolve("en", seed, (), None).names for seed in (0, 1, 2)]
    assert chosen == [("char_split", "char_typo", "leet_sub"), ("space_join", "wild_respell"),
                      ("benign_append", "char_split")]  # fmt: skip


def test_what_a_reader_undoes_whatever_was_learnt_is_not_held_out_by_a_seed():
    chosen = {name for seed in range(50) for name in held_out.resolve("en", seed, (), None).names}
    assert chosen.isdisjoint({"diacritic_zalgo", "homoglyph_swap"})
    assert held_out.resolve("en", 0, ["homoglyph_swap"], None).names == ("homoglyph_swap",)


def test_a_later_generation_keeps_the_choice():
    champion = version(chosen="leet_sub,gone", trained_on="space_join")
    chosen = held_out.resolve("en", 99, (), champion)
    assert chosen.names == ("gone", "leet_sub"), "also what is not installed any more"
    assert chosen.reason == "as for version 4"
    assert held_out.resolve("en", 99, (), version(chosen="", trained_on="")).names == ()


@pytest.mark.parametrize(("lang", "kept"), [("en", {"diacritic_zalgo", "space_join", "wild_respell"}),
                                            ("ko", {"space_join", "ko_coda"})])  # fmt: skip
def test_an_older_champion_holds_out_what_its_release_did_as_far_as_it_reaches_the_model(lang, kept):
    assert set(held_out.resolve(lang, 5, (), version()).names) == kept


def test_the_user_may_name_what_the_champion_was_not_trained_on():
    champion = version(chosen="leet_sub,char_typo", trained_on="space_join")
    given_names = ["leet_sub", "char_split", "compat_form", "leet_sub"]
    chosen = held_out.resolve("en", 0, given_names, champion)
    assert chosen == held_out.HeldOut(("char_split", "compat_form", "leet_sub"), "named by the user")


@pytest.mark.parametrize(
    "champion", [version(chosen="space_join", trained_on="char_split,leet_sub"), version()], ids=["recorded", "older"]
)
def test_what_the_champion_was_trained_on_can_not_be_held_out_any_more(champion):
    with pytest.raises(InputError, match=r"version 4 was trained on leet_sub, .*space_join.*ARENA_HOME"):
        held_out.resolve("en", 0, ["space_join", "leet_sub"], champion)


@pytest.mark.parametrize("champion", [None, FIRST])
def test_without_a_trained_champion_any_may_be_named(champion):
    assert held_out.resolve("en", 0, ["leet_sub"], champion).names == ("leet_sub",)


def test_a_misspelt_name_is_refused():
    with pytest.raises(InputError, match="leet_sup"):
        held_out.resolve("en", 0, ["leet_sup"], None)


def test_what_an_older_release_trained_on():
    assert held_out.trained_on(FIRST) == frozenset()
    assert held_out.trained_on(version(chosen="", trained_on="cut")) == {"cut"}
    assert held_out.trained_on(version()) | {"space_join", "wild_respell", "diacritic_zalgo", "ko_coda"} == {
        strategy.name for strategy in strategies.BUILT_IN if strategy.by_default
    }


def test_the_seed_chooses_among_what_is_selected():
    selection = Selection(families=("ko", "slang"))
    chosen = held_out.resolve("ko", 4, (), None, selection)
    assert len(chosen.names) >= 2
    assert set(chosen.names) <= {strategy.name for strategy in strategies.selected("ko", selection)}


def test_the_choice_is_recorded_with_the_version_and_found_by_every_victim(tmp_path, make_bundle):
    uri, url = f"sqlite:///{tmp_path / 'mlflow.db'}", "http://127.0.0.1:9"
    registry, run_id = Registry(uri), Tracking(uri, "run").run_id
    assert held_out.resolve_for(url, "en", 3, (), uri) == held_out.resolve("en", 3, (), None)
    facts = {tags.HELD_OUT: "char_split,char_typo", tags.TRAINED_ON: "leet_sub"}
    first = registry.register(make_bundle("first"), run_id, generation=0)
    registry.promote(first.version, None)
    assert held_out.resolve_for("champion", "en", 3, (), uri).reason == "chosen by seed 3"
    second = registry.register(make_bundle("second", weights_seed=2, training=facts), run_id)
    assert (second.held_out, second.trained_on) == (("char_split", "char_typo"), {"leet_sub"})
    registry.promote(second.version, first.version)
    for victim in ("champion", "2", url, str(tmp_path / "second")):
        assert held_out.resolve_for(victim, "en", 3, (), uri).names == ("char_split", "char_typo")
    assert held_out.resolve_for(url, "en", 3, ["leet_sub"], uri).names == ("leet_sub",)
    with pytest.raises(InputError, match="was trained on leet_sub"):
        held_out.resolve_for("champion", "en", 3, ["leet_sub"], uri)
