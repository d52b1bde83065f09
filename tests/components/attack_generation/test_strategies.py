"""The contract of all installed strategies, and what each one does."""

import unicodedata
from importlib.metadata import EntryPoint
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from bidi import get_display
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.attack_generation import strategies
from content_arena.components.attack_generation.search import LadderSearch, Target
from content_arena.components.attack_generation.selection import HELPERS, Selection, built_in_names
from content_arena.components.attack_generation.strategies import FAMILIES
from content_arena.components.attack_generation.strategies.base import Strategy
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.limits import MAX_TEXT_LENGTH
from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.text.canonical import canonicalise, canonicaliser
from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.reader import Reader

ALL = strategies.installed()
EXAMPLE = {"en": "You are such a complete Idiot, just stop it please", "ko": "너는 정말 바보 멍청이 같은 녀석이야"}
UNDONE = ("invisible_insert", "homoglyph_swap", "compat_form", "ko_jamo_split")


def example(strategy):
    return EXAMPLE["ko"] if strategy.langs == frozenset({"ko"}) else EXAMPLE["en"]


#: Characters that rules look for, among any others.
some_text = st.text() | st.text(
    st.sampled_from(
        "abT iou.,!?19가각앉넋없왕유귀댕멍먹어이같좋않맞히ㅋㅏㅂ👏🐷🇮️בا\u0301\u202e\u2066\u200b\U000e0061\n\b"
    ),
    max_size=30,
)


#: Those for which no LLM writes. What one writes is no function of text, seed and intensity, and these laws are about
#: such functions; what holds for an LLM's texts is in writing/test_rewriting.py.
PURE = {name: strategy for name, strategy in ALL.items() if not strategy.rewrites}
every_strategy = pytest.mark.parametrize("strategy", PURE.values(), ids=PURE)


def test_the_first_strategies_of_each_family_are_there():
    assert {s.family for s in ALL.values()} == set(FAMILIES)


def test_a_built_in_strategy_is_one_class_in_the_file_of_its_name():
    files = {path.stem for path in Path(strategies.__file__).parent.glob("*.py")} - HELPERS
    assert files == set(built_in_names()) == {strategy.name for strategy in strategies.BUILT_IN}
    assert all(type(s).__module__ == f"{strategies.__name__}.{s.name}" for s in strategies.BUILT_IN)


@pytest.mark.parametrize("strategy", ALL.values(), ids=ALL)
def test_declares_its_facts(strategy):
    assert strategy.family in FAMILIES
    assert strategy.langs is None or strategy.langs


@every_strategy
@given(text=some_text, seed=st.integers(0, 99), intensity=st.floats(0, 1))
def test_takes_any_text_and_repeats_itself(strategy, text, seed, intensity):
    once = strategy.perturb(text, Random(seed), intensity)
    assert once == strategy.perturb(text, Random(seed), intensity)
    once.encode("utf-8")


@every_strategy
@given(text=some_text.filter(bool), budget=st.integers(1, 4), seed=st.integers(0, 99), times=st.sampled_from([1, 500]))
@settings(max_examples=25, deadline=None)
def test_a_search_makes_attempts_within_its_budget_and_the_length_limit(strategy, text, budget, seed, times):
    text = (text * times)[:MAX_TEXT_LENGTH]
    attempts = LadderSearch(budget).attempts(Target("b", text, "toxic", "en", "test", strategy, seed))
    assert len(attempts) <= budget
    assert all(0 < len(attempt.text) <= MAX_TEXT_LENGTH for attempt in attempts)


@every_strategy
@given(text=some_text, seed=st.integers(0, 99))
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
        ("mention", "you moron, says @user", "you @moron, @says @user"),
        ("ko_jamo_split", "바보", "ㅂㅏㅂㅗ"),
    ],
)
def test_result_holds(name, text, keeps):
    assert keeps in ALL[name].perturb(text, Random(3), 1.0)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("ko_choseong", "바보", {"ㅂㅂ"}),
        ("ko_half_word", "병신", {"ㅂ신"}),
        ("ko_half_word", "멍청이가", {"ㅁ청이가", "ㅁㅊ이가"}),
        ("ko_liaison", "먹어", {"머거"}),
        ("ko_liaison", "없어", {"업써"}),
        ("ko_liaison", "좋아", {"조아"}),
        ("ko_liaison", "많아", {"마나"}),
        ("ko_liaison", "같이", {"가치"}),
        ("ko_liaison", "읽었어", {"일거써"}),
        ("ko_liaison", "사람", {"살암"}),
        ("ko_yamin", "귀", {"커"}),
        ("ko_yamin", "멍멍이", {"댕댕이"}),
        ("ko_yamin", "비빔면", {"네넴띤"}),
        ("ko_cross_script", "뷁", {"bwek", "qnpfr"}),
        ("ko_cross_script", "먹었다", {"meogeotda", "ajrdjTek", "먹었ㄷr", "먹었ㄷト", "먹었ㄷk"}),
        ("ko_cross_script", "좋네", {"jotne", "whgsp"}),
        ("ko_cross_script", "많은", {"maneun", "aksgdms"}),
        ("ko_slang", "새끼야", {"ㅅㄲ야", "색히야", "쉐끼야", "새퀴야"}),
        ("emoji_words", "돼지야", {"🐖야"}),
        ("emoji_words", "개새끼", {"🐶🐦끼"}),
        ("emoji_words", "토나와", {"🤮나와"}),
        ("emoji_words", "가면 토론", {"가면 토론"}),
        ("emoji_words", "Pigs", {"🐖"}),
        ("emoji_letters", "to", {"🇹 🇴", "🆃🅾", "✝️⭕"}),
        ("word_sub", "Garbage", {"Trash", "Rubbish"}),
        ("word_sub", "nobody never loser", {"nobody never loser"}),
        ("slang_respell", "Stupid", {"Stoopid", "Stewpid", "Stoopit"}),
        ("slang_respell", "boys", {"boyz", "boooys"}),
    ],
)
def test_a_rule_by_example(name, text, expected):
    assert {ALL[name].perturb(text, Random(seed), 1.0) for seed in range(60)} == expected


@pytest.mark.parametrize("seed", range(20))
def test_korean_words_hold_a_digit_or_a_mark(seed):
    first, mark, last = ALL["ko_mark_insert"].perturb("시발", Random(seed), 1.0)
    assert (first, last) == ("시", "발")
    assert not mark.isspace()


@given(text=some_text | st.text(st.sampled_from("abc 가나다123.,(αЯ-"), min_size=3), seed=st.integers(0, 99))
def test_reordered_letters_are_shown_in_order(text, seed):
    def shown(text):
        lines = [get_display(line, base_dir="L") for line in text.splitlines()]
        return "".join(char for line in lines for char in line if char not in "\u202c\u202e\u2066\u2069")

    assert shown(ALL["bidi_reorder"].perturb(text, Random(seed), 1.0)) == shown(text)


@pytest.mark.parametrize("seed", range(20))
def test_more_intensity_composes_more_strategies(seed):
    text = "너는 정말 바보 멍청이"
    assert ALL["compound"].perturb(text, Random(seed), 1.0) != text
    assert ALL["compound"].perturb(text, Random(seed), 1.0, (3, 5)).startswith("너는 ")


def test_what_attacks_by_default_stays():
    """A run's time and its figures depend on it: a strategy that is added later is asked for by name or family."""
    any_language = {"benign_append", "char_split", "char_typo", "compat_form", "diacritic_zalgo", "homoglyph_swap",
                    "invisible_insert", "leet_sub", "space_join"}  # fmt: skip
    assert {s.name for s in strategies.select("en")} == any_language | {"wild_respell"}
    assert {s.name for s in strategies.select("ko")} == any_language | {"ko_coda", "ko_jamo_split"}


def test_strategies_are_selected_by_name_and_by_family():
    chosen = strategies.selected("ko", Selection(names=("char_typo",), families=("emoji",)))
    assert [s.name for s in chosen] == ["char_typo", "emoji_between", "emoji_letters", "emoji_words"]
    assert strategies.selected("en", Selection()) == strategies.select("en")
    with pytest.raises(InputError, match="magic"):
        strategies.selected("en", Selection(names=("magic",)))


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
