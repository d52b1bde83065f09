"""Every attempt of a battle and its score."""

import numpy as np
import pandas as pd

from content_arena.components.attack_generation import attempts, battle, strategies
from content_arena.components.attack_generation.search import LadderSearch
from content_arena.components.attack_generation.victims import CachedVictim

TEXTS = pd.DataFrame(
    [("a", "you are a stupid idiot", "toxic"), ("b", "what a nice warm day", "benign")],
    columns=["base_id", "text", "label"],
).assign(lang="en", split="test")
CHOSEN = strategies.select("en", ["char_split", "space_join", "leet_sub"])


class WordList:
    """Flags texts with a word."""

    version, threshold = "words", 0.5

    def __init__(self):
        self.asked = []

    def score(self, texts):
        self.asked += texts
        return np.array([0.9 if "idiot" in text else 0.1 for text in texts], np.float32)


def made(budget=3):
    search = LadderSearch(budget)
    return attempts.attempts_on(battle.make_targets(TEXTS, CHOSEN, 0), search), search


def test_toxic_texts_are_tried_at_every_rung_and_benign_ones_once():
    table, _ = made()
    assert table.groupby("label").size().to_dict() == {"benign": 3, "toxic": 9}
    assert set(table.loc[table["label"] == "toxic", "rung"]) == {0, 1, 2}
    assert table["readable"].dtype == bool


def test_after_the_battle_only_what_it_did_not_ask_is_asked():
    table, search = made()
    victim = WordList()
    cached = CachedVictim(victim)
    fought = battle.fight(TEXTS, cached, CHOSEN, search=search)
    in_battle = len(victim.asked)
    scored = attempts.scored(table, cached)
    assert len(victim.asked) == len(set(victim.asked)), "no text is asked twice"
    assert in_battle < len(victim.asked) <= len(table) + len(TEXTS)
    for row in fought.attacks.to_dict("records"):
        same = scored[(scored["strategy"] == row["strategy"]) & (scored["perturbed_text"] == row["perturbed_text"])]
        assert np.isclose(same["score_after"], row["score_after"]).all()
        assert np.isclose(same["score_before"], row["score_before"]).all()


def test_strategies_that_change_nothing_make_no_attempts():
    assert attempts.attempts_on([], LadderSearch()).empty
    short = TEXTS.assign(text="ok")
    table = attempts.attempts_on(battle.make_targets(short, CHOSEN[:1], 0), LadderSearch())
    assert table.empty
    assert attempts.scored(table, CachedVictim(WordList())).empty
