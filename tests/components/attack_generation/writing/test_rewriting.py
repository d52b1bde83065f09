"""Battles with texts that a stand-in for a real LLM writes: concurrent, repeatable, with benign twins."""

import asyncio
import json
from random import Random

import numpy as np
import pandas as pd
import pytest

from content_arena.components.attack_generation import attempts, battle, held_out, one_text, outcomes, reach, strategies
from content_arena.components.attack_generation.search import LadderSearch
from content_arena.components.attack_generation.searched import Plan, search
from content_arena.components.attack_generation.selection import Selection
from content_arena.components.shared import records
from content_arena.components.shared.errors import ChatError
from tests.llm_server import data_of, in_turn, rewritten

LLM = Selection(families=("llm",))
SAMPLES = pd.DataFrame(
    {
        "sample_id": [f"s{i}" for i in range(6)],
        "base_id": [f"b{i}" for i in range(6)],
        "text": [f"you are a stupid person number {i}" if i % 2 else f"what a nice day number {i}" for i in range(6)],
        "label": ["toxic" if i % 2 else "benign" for i in range(6)],
        "lang": "en",
        "split": "validation",
    }
)


class WordList:
    """Flags what holds its word, unless it begins as implicit texts of the stand-in do."""

    version, threshold = "words", 0.5

    def score(self, texts):
        return np.array([0.9 * ("stupid" in text and not text.startswith("hm")) for text in texts], dtype=np.float32)


def test_no_llm_is_asked_unless_it_is_named(llm):
    assert not any(strategy.rewrites for lang in ("en", "ko") for strategy in strategies.select(lang))
    assert {s.name for s in strategies.selected("ko", LLM)} == {"llm_paraphrase", "llm_implicit", "translate_mix"}
    # What is undone, and what a seed holds out, is decided without it.
    assert reach.undone("en", LLM) == frozenset()
    assert len(held_out.choose(reach.candidates("en", LLM), "en", 0)) == 1
    assert llm.bodies == []


def test_a_strategy_without_an_llm_says_so():
    with pytest.raises(ChatError, match="llm_paraphrase was given no LLM"):
        strategies.installed()["llm_paraphrase"].perturb("a text", Random(0), 1.0)


@pytest.mark.parametrize(("text", "intensity", "span"), [("a b", 0.0, None), (" \n", 1.0, None), ("", 1.0, None),
                                                         ("a b", 1.0, (0, 1)), ("a b", 1.0, (0, 0))])  # fmt: skip
def test_nothing_is_asked_about_no_text_no_intensity_or_a_part(llm, write_with, bound, text, intensity, span):
    for strategy in bound(write_with()).values():
        assert strategy.perturb(text, Random(0), intensity, span) == text
    assert llm.bodies == []


def test_a_battle_is_fought_with_what_was_written_and_again_without_asking(llm, write_with, bound, tmp_path):
    def fight(seed=3):
        writer = write_with(tmp_path / "written.jsonl", at_once=4)
        return battle.fight(SAMPLES, WordList(), list(bound(writer).values()), seed=seed), writer

    async def slowly(body):
        await asyncio.sleep(0.01)
        return rewritten(body)

    llm.answer = slowly
    first, writer = fight()
    records.validate(records.Attack, first.attacks)
    n_asked = len(llm.bodies)
    assert 1 < llm.most_at_once <= 4
    assert writer.summary() == f"stand-in wrote {n_asked} texts"
    again, later = fight()
    assert (first.sha256, len(llm.bodies)) == (again.sha256, n_asked)
    assert later.summary() == f"stand-in wrote {n_asked} texts, {n_asked} of them in an earlier run"
    pd.testing.assert_frame_equal(first.attacks, again.attacks)


def test_rows_say_who_wrote_what_and_can_be_read(llm, write_with, bound):
    fought = battle.fight(SAMPLES, WordList(), [bound(write_with())["llm_paraphrase"]], search=LadderSearch(2))
    rows = outcomes.judged(fought.attacks)
    assert rows["readable"].all()
    assert (rows["family"] == "llm").all()
    params = json.loads(rows["params"].iloc[1])
    assert params.pop("prompt").startswith("llm_paraphrase.1-")
    assert params == {"model": "stand-in", "written": "so 1 number person stupid a are you"}
    assert set(rows["label_gold"]) == {"toxic", "benign"}


def test_an_implicit_text_has_a_benign_twin_and_both_stay_on_the_side_of_their_original(llm, write_with, bound):
    implicit = [bound(write_with())["llm_implicit"]]
    rows = outcomes.judged(battle.fight(SAMPLES, WordList(), implicit, search=LadderSearch(1)).attacks)
    toxic, twins = rows[rows["label_gold"] == "toxic"], rows[rows["label_gold"] == "benign"]
    assert list(toxic["base_id"]) == list(twins["base_id"]) == ["b1", "b3", "b5"], "benign texts hold no abuse"
    assert toxic["perturbed_text"].str.startswith("hm, ").all()
    assert twins["perturbed_text"].str.startswith("lovely ").all()
    assert {json.loads(params).get("original_label") for params in twins["params"]} == {"toxic"}
    # The filter was right about the originals. It lets the implicit ones through, and flags the twins for a word.
    assert outcomes.evasion(rows) == 1.0
    assert list(twins["status"]) == ["success"] * 3
    assert outcomes.flagged(outcomes.benign_perturbed(rows)).all()
    # One request wrote both.
    assert len(llm.bodies) == 3


def test_attempts_of_an_evaluation_are_those_of_its_battles(llm, write_with, bound):
    chosen, ladder = list(bound(write_with()).values()), LadderSearch(3)
    table = attempts.attempts_on(battle.make_targets(SAMPLES, chosen, 0), ladder)
    n_asked = len(llm.bodies)
    assert table["readable"].all()
    battle.fight(SAMPLES, WordList(), chosen, search=ladder)
    assert len(llm.bodies) == n_asked
    assert set(table.loc[table["strategy"] == "llm_implicit", "label"]) == {"toxic", "benign"}


def test_what_was_not_written_is_skipped(llm, write_with, bound):
    llm.answer = lambda body: "I can't help with that." if "1" in data_of(body)["text"] else rewritten(body)
    writer = write_with()
    rows = battle.fight(SAMPLES, WordList(), list(bound(writer).values()), search=LadderSearch(2)).attacks
    records.validate(records.Attack, rows)
    refused = rows[rows["base_id"] == "b1"]
    assert set(refused["label_gold"]) == {"toxic"}, "the original is no benign twin of itself"
    assert set(refused["status"]) == {"skipped"}
    assert (refused["perturbed_text"] == refused["original_text"]).all()
    assert (refused["n_queries"] == 0).all()
    assert writer.not_written == {"refused": 6}


def test_a_battle_without_an_attack_is_an_empty_table(llm, write_with, bound):
    benign = SAMPLES[SAMPLES["label"] == "benign"]
    rows = battle.fight(benign, WordList(), [bound(write_with())["llm_implicit"]]).attacks
    assert records.validate(records.Attack, rows).empty


@pytest.mark.parametrize("method", ["greedy", "beam", "evolving"])
def test_a_search_goes_on_from_what_was_written(llm, write_with, bound, method):
    chosen = [bound(write_with())["llm_paraphrase"], *strategies.select("en", ["char_split", "leet_sub"])]
    found = search(SAMPLES, WordList(), chosen, Plan(method, 20, seed=1)).battle.attacks
    judged = outcomes.judged(found)
    assert (judged["status"] == "success").all()
    assert judged["readable"].all()
    only = search(SAMPLES, WordList(), chosen[:1], Plan("random", 20)).battle.attacks
    assert (only["status"] == "failed").all(), "the stand-in keeps the word that the filter knows"


def test_one_text_is_attacked_and_its_twin_is_no_attack(llm, monkeypatch):
    monkeypatch.delenv("ARENA_HOME", raising=False)
    monkeypatch.setattr(one_text.victims, "open_victim", lambda *_, **__: WordList())
    told = []
    report = one_text.attack_on(
        "words", "you are stupid", "en", LLM, budget=2, plan=Plan("greedy", 10), say=told.append
    )
    through = {attacked.attack: attacked.gets_past for attacked in report.attacks}
    assert through == {"llm_implicit": True, "llm_paraphrase": False, "translate_mix": False, "greedy": True}
    assert all(attacked.readable for attacked in report.attacks)
    assert "stand-in wrote " in told[-1]


def test_an_llm_that_is_away_ends_the_battle_at_once(llm, write_with, bound):
    from tests.llm_server import error

    llm.answer = in_turn(rewritten, error(401))
    with pytest.raises(ChatError, match="API_KEY"):
        battle.fight(SAMPLES, WordList(), list(bound(write_with(at_once=1)).values()))
    assert len(llm.bodies) < 6
