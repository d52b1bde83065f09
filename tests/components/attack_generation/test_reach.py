"""Which strategies the canonicaliser undoes, and that this depends on nothing but strategy and language."""

import pandas as pd
import pytest

from content_arena.components.attack_generation import reach, strategies
from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.shared.errors import InputError


class Never(Strategy):
    """Edits only what no sentence has."""

    name, family, langs = "never", "char", None

    def perturb(self, text, rng, intensity, span=None):
        return text.replace("☃", "snow")


class Late(Strategy):
    """Adds spaces at the end, which the canonicaliser removes, except at full intensity."""

    name, family, langs = "late", "char", None

    def perturb(self, text, rng, intensity, span=None):
        return text + ("!" if intensity == 1 else " ")


def test_what_the_canonicaliser_undoes():
    assert reach.undone("en") == {"compat_form", "invisible_insert"}
    assert reach.undone("ko") == {"compat_form", "diacritic_zalgo", "invisible_insert", "ko_jamo_split"}


@pytest.mark.parametrize("lang", reach.LANGUAGES)
def test_every_strategy_is_undone_or_reaches_the_model(lang):
    candidates = {strategy.name for strategy in reach.candidates(lang)}
    assert not candidates & reach.undone(lang)
    assert {strategy.family for strategy in reach.candidates(lang)} >= {"char", "word", "sentence"}
    assert candidates <= {strategy.name for strategy in strategies.select(lang)}


def test_a_strategy_that_edits_nothing_is_not_undone_and_can_not_be_held_out():
    assert not reach.is_undone(Never(), "en")


def test_strategies_that_do_not_fit_the_script_of_a_language_can_not_be_held_out_in_it():
    assert not {"leet_sub", "homoglyph_swap"} & {strategy.name for strategy in reach.candidates("ko")}


def test_a_share_below_the_limit_reaches_the_model():
    assert not reach.is_undone(Late(), "en"), "a third of its edits stays"


def test_a_language_without_sentences_of_its_own_is_tried_on_all():
    assert "invisible_insert" in reach.undone("ru")
    assert {strategy.name for strategy in reach.candidates("ru")} >= {"space_join", "char_typo"}


def test_a_language_that_nothing_works_on_is_refused(monkeypatch):
    only = {"wild_respell": strategies.installed()["wild_respell"]}
    monkeypatch.setattr(strategies, "installed", lambda: only)
    with pytest.raises(InputError, match="'ja'"):
        reach.undone("ja")


def test_attacks_of_undone_strategies_are_left_out_by_language():
    rows = [("diacritic_zalgo", "en"), ("diacritic_zalgo", "ko"), ("compat_form", "en"), ("not_installed", "en")]
    table = pd.DataFrame(rows, columns=["strategy", "lang"])
    assert reach.reached(table).to_numpy().tolist() == [["diacritic_zalgo", "en"], ["not_installed", "en"]]
    assert reach.reached(table.head(0)).empty
