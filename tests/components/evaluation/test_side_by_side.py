"""Filters side by side: the same attempts for all, and differences that are there."""

import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from content_arena.components.attack_generation import strategies
from content_arena.components.evaluation import contenders, side_by_side, side_by_side_report
from content_arena.components.evaluation.contenders import Named
from content_arena.components.evaluation.side_by_side import Contender, Setting
from content_arena.components.shared.errors import InputError, VictimError
from content_arena.components.shared.scoring.filter import ContentFilter
from tests import llm_server
from tests.components.evaluation.test_report import Page

STRATEGIES = ("benign_append", "invisible_insert", "leet_sub")


class ByWord:
    """Flags a text with one of its words in it, after it took out what is invisible, if it knows how to."""

    threshold = 0.5

    def __init__(self, *words, strips=False, inverted=False):
        self.version, self.words, self.strips, self.inverted = f"knows {len(words)}", words, strips, inverted
        self.asked = []

    def score(self, texts):
        self.asked += texts
        read = ["".join(char for char in text if char.isprintable()) if self.strips else text for text in texts]
        flags = np.array([any(word in text for word in self.words) for text in read], dtype=np.float32)
        return 1 - flags if self.inverted else flags


def samples(n=12):
    rows = [
        (f"{label[0]}{i}", label, f"you are {word} number {'x' * (i + 3)} indeed")
        for label, word in (("toxic", "a stupid idiot"), ("benign", "a good friend"))
        for i in range(n)
    ]
    return pd.DataFrame(
        [
            {"sample_id": name, "base_id": name, "text": text, "label": label, "lang": "en", "categories": [],
             "target_ident": None, "source": "test", "split": "test"}
            for name, label, text in rows
        ]
    )  # fmt: skip


def setting(**changes):
    return replace(Setting(samples(), strategies.select("en", STRATEGIES), "en", budget=3, seed=1), **changes)


def compared(*victims, **changes):
    names = contenders.LETTERS
    return side_by_side.compare(
        [Contender(name, f"filter {name}", victim) for name, victim in zip(names, victims, strict=False)],
        setting(**changes),
    )


ALIKE = compared(ByWord("idiot"), ByWord("idiot"))
STRONGER = compared(ByWord("idiot", strips=True), ByWord("idiot"), ByWord("idiot", "friend"))


def test_all_filters_meet_the_same_attempts():
    firsts = ByWord("idiot", "you"), ByWord("idiot", "you")
    found = compared(*firsts)
    assert firsts[0].asked == firsts[1].asked
    assert found.sides[0].n_queries == found.sides[1].n_queries
    assert len(found.attack_set_sha256) == 64
    assert found.attack_set_sha256 == ALIKE.attack_set_sha256
    assert found.attack_set_sha256 != compared(*firsts, seed=2).attack_set_sha256


def test_alike_is_no_difference():
    (pair,) = ALIKE.pairs
    assert (pair.evasion.difference, pair.evasion.low) == (0.0, -pair.evasion.high)
    assert [test.p_value for test in (pair.wrong, pair.missed, pair.alarmed)] == [1.0, 1.0, 1.0]


def test_what_differs_shows():
    first, second, third = STRONGER.sides
    assert first.evasion.rate < second.evasion.rate
    assert first.caught.rate == second.caught.rate == 1.0
    assert (second.clean_flagged.rate, third.clean_flagged.rate) == (0.0, 1.0)
    assert third.benign_flagged.rate > second.benign_flagged.rate == 0
    by_names = {(pair.first, pair.second): pair for pair in STRONGER.pairs}
    assert list(by_names) == [("A", "B"), ("A", "C"), ("B", "C")]
    assert by_names["A", "B"].evasion.high < 0
    clean = by_names["B", "C"].wrong
    assert (clean.only_first, clean.only_second, clean.n) == (0, 12, 24)
    assert clean.p_value < 0.001
    alarmed = by_names["B", "C"].alarmed
    assert (alarmed.only_first, alarmed.only_second, alarmed.n) == (0, 12, 12)
    by_strategy = {row.strategy: row for row in STRONGER.strategies}
    assert by_strategy["invisible_insert"].evasion["A"].rate == 0
    assert by_strategy["invisible_insert"].evasion["B"].rate > 0


def test_undone_strategies_count_where_a_filter_may_read_without_the_canonicaliser(tiny_bundle):
    ours = ContentFilter.open(tiny_bundle.path)
    assert compared(ours, ours).left_out == ("invisible_insert",)
    assert compared(ours, ByWord("idiot")).left_out == ()
    alone = strategies.select("en", ["invisible_insert"])
    assert compared(ours, ours, strategies=alone).left_out == ()


def test_a_filter_that_catches_nothing_has_no_evasion():
    found = compared(ByWord("none"), ByWord("idiot"))
    assert (found.sides[0].evasion.rate, found.sides[0].queries, found.sides[0].by_budget) == (None, None, ())
    assert found.pairs[0].evasion is None
    assert found.pairs[0].wrong.only_first == 12
    assert "not measured" in Page(side_by_side_report.render(found)).text


def test_a_filter_that_is_read_the_wrong_way_round_is_named():
    with pytest.raises(VictimError, match=r"B \(filter B\) is read the wrong way round"):
        compared(ByWord("idiot"), ByWord("idiot", inverted=True))


def test_one_filter_or_one_label_is_no_comparison():
    with pytest.raises(InputError, match="two filters"):
        compared(ByWord("idiot"))
    with pytest.raises(InputError, match="toxic and benign"):
        compared(ByWord("a"), ByWord("b"), samples=samples().head(12))


def test_the_page_shows_every_filter_and_breaks_on_no_name():
    hostile = replace(
        STRONGER, sides=tuple(replace(side, given="<b>\u202e", version="</td>") for side in STRONGER.sides)
    )
    html = side_by_side_report.render(hostile)
    page = Page(html)
    assert "<b>" in page.text
    assert "\u202e" not in html
    assert page.tags.count("svg") == 2
    assert STRONGER.attack_set_sha256 in page.text
    assert "not corrected" in page.text
    assert html == side_by_side_report.render(hostile)
    json.dumps(asdict(STRONGER))


def test_texts_come_from_the_test_split_or_from_everywhere():
    corpus = samples().assign(split=["test", "train", "guard"] * 8)
    assert len(contenders.texts(corpus, "test", 100, 0)) == 8
    everywhere = contenders.texts(corpus, "all", 100, 0)
    assert (len(everywhere), set(everywhere["split"])) == (16, {"test"})
    with pytest.raises(InputError, match="--split all"):
        contenders.texts(corpus[corpus["label"] == "toxic"], "test", 100, 0)


def test_too_many_filters_are_refused(tiny_bundle):
    with pytest.raises(InputError, match="at most 8"):
        contenders.opened([Named(str(tiny_bundle.path))] * 9)


def test_all_filters_meet_what_an_llm_wrote_once(monkeypatch):
    monkeypatch.setenv("CONTENT_ARENA_LLM_MODEL", "stand-in")
    monkeypatch.delenv("ARENA_HOME", raising=False)
    chosen = strategies.select("en", ["llm_implicit"])
    with llm_server.serving() as llm:
        monkeypatch.setenv("CONTENT_ARENA_LLM_BASE_URL", llm.url)
        found = compared(ByWord("stupid"), ByWord("lovely"), strategies=chosen)
        assert len(llm.bodies) == 3 * found.n_toxic
    (row,) = found.strategies
    assert {rate.n for rate in row.benign_flagged.values()} == {found.n_toxic}


def test_a_filter_that_does_not_answer_is_told_before_another_is_attacked():
    class Dead(ByWord):
        def score(self, texts):
            raise VictimError("no answer")

    first = ByWord("stupid")
    with pytest.raises(VictimError, match="no answer"):
        compared(first, Dead())
    assert len(first.asked) <= len(samples())
