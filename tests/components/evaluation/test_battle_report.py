"""The page of a battle: its figures, pictures and examples, and that hostile texts stay texts."""

import dataclasses
import json
import re

import pandas as pd

from content_arena.components.attack_generation.settings import LADDER
from content_arena.components.evaluation import battle_report
from content_arena.components.shared import records
from tests.components.attack_generation.test_attack_files import attacks

HOSTILE = "<script>alert(1)</script> you \u202eidiot\u200b"


def about(search=LADDER):
    return battle_report.About(
        victim="http://filter/<b>", search=search, budget=3, seed=1, attack_set_sha256="0" * 64,
        texts_per_second=528.4, refused=7,
    )  # fmt: skip


def fought():
    """Two of four attacks of one family got past, none of another one, and one of a strategy that is undone."""
    char = attacks("you 1diot", "you id10t", "you idi0t", "you !diot")
    char.loc[2:, ["status", "score_after"]] = ["failed", 0.8]
    word = attacks("you fool", "you twit").assign(strategy="word_sub", family="word", status="failed", score_after=0.7)
    undone = attacks("you idiot\u200b").assign(strategy="invisible_insert", family="unicode", similarity=1.0)
    table = pd.concat([char, word, undone], ignore_index=True)
    return table.assign(attack_id=[f"a{i}" for i in range(len(table))])


def test_a_ladder_is_shown_strategy_by_strategy_and_family_by_family():
    page = battle_report.render(about(), fought(), {"word_sub"})
    assert '<p class="big">33.3%</p>' in page
    assert "528" in page
    order = [page.index(f"<bdi>{name}</bdi>") for name in ("invisible_insert", "leet_sub", "word_sub")]
    assert order == sorted(order)
    assert page.count('class="whisker s0"') == 3 * 5, "three strategies and two families, three lines each"
    assert page.count("undone: in no mean") == 1
    assert page.count('<span class="tag">held out</span>') == 1
    assert re.search(r'aria-label="leet_sub: evasion 50\.0% 15\.0–85\.0%"', page)
    assert 'aria-label="Evasion by budget: 33.3% with 1' in page
    assert page == battle_report.render(about(), fought(), {"word_sub"})


def test_every_strategy_counts_against_a_filter_that_may_not_canonicalise():
    page = battle_report.render(dataclasses.replace(about(), canonicalises=False), fought())
    # With the one that our canonicaliser would undo, three of seven.
    assert '<p class="big">42.9%</p>' in page
    assert "ndone" not in page
    assert page.count('class="whisker s0"') == 3 * 6, "three strategies and three families, three lines each"


def test_texts_in_other_words_are_told_where_there_are_some():
    assert "In other words" not in battle_report.render(about(), fought())
    counts = {"same": 30, "other": 12, "not_measured": 0}
    page = battle_report.render(dataclasses.replace(about(), meaning=counts), fought())
    assert "12 of 42 texts say something else" in page


def test_texts_of_attackers_are_shown_and_do_nothing():
    page = battle_report.render(about(), attacks(HOSTILE))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert not {"\u202e", "\u200b"} & set(page)
    assert 'title="U+202E RIGHT-TO-LEFT OVERRIDE"' in page
    assert "http://filter/&lt;b&gt;" in page


def test_examples_are_of_every_strategy():
    many = pd.concat([attacks(*[f"you 1diot {i}" for i in range(40)]), attacks("you fool").assign(strategy="word_sub")])
    page = battle_report.render(about(), many)
    assert page.count('<details class="attack">') == 4
    assert page.count("<code><bdi>word_sub</bdi></code>") == 1


def test_a_search_is_shown_by_what_it_used():
    edits = json.dumps({"edits": [{"strategy": "leet_sub"}, {"strategy": "char_split"}]})
    rows = attacks("you 1diot", "you id iot").assign(strategy="greedy", family="search", params=["{}", edits])
    page = battle_report.render(about("greedy"), rows)
    assert "<code><bdi>leet_sub + char_split</bdi></code>" in page
    assert re.search(r"<bdi>char_split</bdi></th><td>1</td>", page)
    assert "Not sent, for a broken constraint" in page


def test_a_battle_in_which_nothing_happened_has_a_page():
    page = battle_report.render(about(), records.Attack.empty())
    assert '<p class="big">not measured</p>' in page
    assert "None." in page
