"""The contract of all installed strategies, and what each one does."""

import unicodedata
from importlib.metadata import EntryPoint
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.attack_generation import strategies
from content_arena.components.attack_generation.strategies import FAMILIES
from content_arena.components.attack_generation.strategies.base import Strategy
from content_arena.components.shared.canonical import canonicalise, canonicaliser
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.reader.lexicon import Lexicon
from content_arena.components.shared.reader.reader import Reader
from content_arena.components.shared.reading import Reading

ALL = strategies.installed()
EXAMPLE = {"en": "You are such a complete Idiot, just stop it please", "ko": "너는 정말 바보 멍청이 같은 녀석이야"}
UNDONE = ("invisible_insert", "homoglyph_swap", "compat_form", "ko_jamo_split")


def example(strategy):
    return EXAMPLE["ko"] if strategy.langs == frozenset({"ko"}) else EXAMPLE["en"]


every_strategy = pytest.mark.parametrize("strategy", ALL.values(), ids=ALL)


def test_the_first_strategies_of_each_family_are_there():
    assert {s.family for s in ALL.values()} >= {"unicode", "char", "word", "sentence", "ko"}


def test_a_built_in_strategy_is_one_class_in_the_file_of_its_name():
    files = {path.stem for path in Path(strategies.__file__).parent.glob("*.py")} - {"__init__", "base", "words"}
    assert files == {strategy.name for strategy in strategies.BUILT_IN}
    assert all(type(s).__module__ == f"{strategies.__name__}.{s.name}" for s in strategies.BUILT_IN)


@every_strategy
def test_declares_its_facts(strategy):
    assert strategy.family in FAMILIES
    assert strategy.langs is None or strategy.langs


@every_strategy
@given(text=st.text(), seed=st.integers(0, 99), intensity=st.floats(0, 1))
def test_takes_any_text_and_repeats_itself(strategy, text, seed, intensity):
    once = strategy.perturb(text, Random(seed), intensity)
    assert once == strategy.perturb(text, Random(seed), intensity)
    assert isinstance(once, str)


@every_strategy
@given(text=st.text(), seed=st.integers(0, 99))
def test_does_nothing_at_intensity_zero(strategy, text, seed):
    assert strategy.perturb(text, Random(seed), 0.0) == text


@every_strategy
@given(text=st.text())
def test_does_nothing_to_an_empty_span(strategy, text):
    if strategy.family != "sentence":
        assert strategy.perturb(text, Random(0), 1.0, (0, 0)) == text


@every_strategy
def test_edits_inside_the_span_only(strategy):
    text = example(strategy)
    cut = text.index(" ", len(text) // 2)
    if strategy.family != "sentence":
        assert strategy.perturb(text, Random(1), 1.0, (0, cut)).endswith(text[cut:])


@every_strategy
def test_changes_an_ordinary_text(strategy):
    text = example(strategy)
    assert any(strategy.perturb(text, Random(seed), 0.3) != text for seed in range(3))


@every_strategy
def test_leaves_the_global_generator_alone(strategy):
    import random

    random.seed(7)
    expected = random.random()
    random.seed(7)
    strategy.perturb(example(strategy), Random(0), 1.0)
    assert random.random() == expected


def test_more_intensity_is_more_edits():
    text = EXAMPLE["en"] * 3
    counts = [ALL["invisible_insert"].perturb(text, Random(0), share).count("\u200b") for share in (0.1, 1.0)]
    lengths = [len(ALL["invisible_insert"].perturb(text, Random(0), share)) for share in (0.1, 0.5, 1.0)]
    assert counts[0] <= counts[1]
    assert lengths == sorted(set(lengths))


@pytest.mark.parametrize("name", UNDONE)
@pytest.mark.parametrize("seed", range(20))
def test_the_canonicaliser_of_version_1_undoes(name, seed):
    read = canonicaliser("1")
    text = read(example(ALL[name]))
    assert read(ALL[name].perturb(text, Random(seed), 1.0)) == text


@pytest.mark.parametrize("name", ["invisible_insert", "ko_jamo_split"])
@pytest.mark.parametrize("seed", range(20))
def test_the_canonicaliser_undoes(name, seed):
    text = canonicalise(example(ALL[name]))
    # The dotless i is a letter of Turkish words as well; it takes a lexicon to tell.
    assert canonicalise(ALL[name].perturb(text, Random(seed), 1.0)).replace("ı", "i") == text


@pytest.mark.parametrize("seed", range(20))
def test_marks_heaped_on_letters_leave_at_most_one_that_spelling_has(seed):
    text = canonicalise(EXAMPLE["en"])
    read = canonicalise(ALL["diacritic_zalgo"].perturb(text, Random(seed), 1.0))
    assert unicodedata.normalize("NFD", read).encode("ascii", "ignore").decode() == text


@pytest.mark.parametrize("name", ["homoglyph_swap", "compat_form", "diacritic_zalgo"])
@pytest.mark.parametrize("seed", range(20))
def test_the_canonicaliser_and_the_reader_undo(name, seed):
    """A word that could be one of another script, or of another language with marks, needs the lexicon."""
    text = "you are such complete idiots, just stop it please"
    reading = Reading(reader=Reader(Lexicon(dict.fromkeys(text.replace(",", "").split(), 5.0))))
    assert reading(ALL[name].perturb(text, Random(seed), 1.0)) == text


@pytest.mark.parametrize(
    ("name", "text", "keeps"),
    [
        ("benign_append", EXAMPLE["en"], EXAMPLE["en"]),
        ("benign_append", EXAMPLE["ko"], EXAMPLE["ko"]),
        ("space_join", "a bad day", "abadday"),
        ("ko_jamo_split", "바보", "ㅂㅏㅂㅗ"),
    ],
)
def test_result_holds(name, text, keeps):
    assert keeps in ALL[name].perturb(text, Random(3), 1.0)


def test_selection_follows_the_language():
    names = {s.name for s in strategies.select("en")}
    assert "wild_respell" in names
    assert "ko_coda" not in names


def test_unknown_names_are_refused_with_those_installed():
    with pytest.raises(InputError, match=r"magic.*char_typo"):
        strategies.select("en", ["magic"])


def test_a_language_that_none_speaks_is_refused():
    with pytest.raises(InputError, match="ja"):
        strategies.select("ja", ["wild_respell"])


def test_a_strategy_without_its_facts_cannot_be_defined():
    with pytest.raises(TypeError, match="family"):
        type("Nameless", (Strategy,), {"name": "nameless", "langs": None})


class Fine(Strategy):
    """A strategy of another package."""

    name, family, langs = "fine", "char", None

    def perturb(self, text, rng, intensity, span=None):
        return text


def declared(monkeypatch, name, attribute):
    found = SimpleNamespace(name=name, value=f"other:{attribute}", module="other", load=lambda: globals()[attribute])
    if attribute not in globals():
        found = EntryPoint(name, f"{pytest.__name__}:{attribute}", strategies.GROUP)
    monkeypatch.setattr(strategies, "entry_points", lambda group: [found] if group == strategies.GROUP else [])


def test_an_entry_point_adds_a_strategy(monkeypatch):
    declared(monkeypatch, "fine", "Fine")
    assert list(strategies.installed()) == sorted([*ALL, "fine"])


@pytest.mark.parametrize(
    ("name", "attribute", "refusal"),
    [
        ("leet_sub", "Fine", "another strategy's name"),
        ("coarse", "Fine", "not a Strategy of that name"),
        ("fine", "Missing", "cannot be loaded"),
        ("fine", "Strategy", "cannot be loaded"),
    ],
)
def test_an_entry_point_that_is_not_one_more_strategy_is_refused(monkeypatch, name, attribute, refusal):
    declared(monkeypatch, name, attribute)
    with pytest.raises(InputError, match=refusal):
        strategies.installed()
