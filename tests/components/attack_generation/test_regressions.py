"""The regression suite: what a run keeps, what a later one replays, and that both are bounded by a rule."""

import json

import numpy as np
import pandas as pd
import pytest

from content_arena.components.attack_generation import generate, regressions
from content_arena.components.shared import records
from content_arena.components.shared.mlflow_tracking.tracking import Tracking


def attacks(n, **changes):
    rows = [
        {
            "attack_id": f"a{i}", "base_id": f"b{i}", "lang": "en", "strategy": "leet_sub", "family": "char",
            "params": "{}", "seed": 1, "intensity": 1.0, "budget": 3, "original_text": f"you idiot number {i}",
            "perturbed_text": f"you 1diot number {i}", "label_gold": "toxic", "victim_version": "1", "threshold": 0.5,
            "score_before": 0.9, "score_after": 0.1, "status": "success", "n_queries": 1, "edit_distance": 1,
            "pct_changed": 0.1, "similarity": 0.9, "split": "validation", "meaning": float("nan"),
        }
        for i in range(n)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**changes)


class ByDigit:
    version, threshold = "by digit", 0.5

    def score(self, texts):
        return np.array([0.9 if "1" in text.split()[-1] else 0.1 for text in texts], dtype=np.float32)


@pytest.mark.parametrize(
    "change",
    [
        {"split": "train"},
        {"status": "failed"},
        {"status": "skipped"},
        {"label_gold": "benign"},
        {"perturbed_text": "#"},
        {"strategy": "invisible_insert", "family": "unicode"},
    ],
)
def test_a_run_keeps_what_got_past_on_texts_that_nothing_is_trained_on(change):
    assert regressions.worth_keeping(attacks(3, **change)).empty
    kept = regressions.worth_keeping(pd.concat([attacks(3, **change), attacks(2)]))
    assert kept["perturbed_text"].nunique() == len(kept) == 2
    records.validate(records.Attack, kept)


def test_what_is_kept_is_bounded_and_even_over_the_strategies():
    many = attacks(3 * regressions.PER_RUN)
    rare = attacks(5, strategy="evolving", family="search", perturbed_text=[f"you idi0t {i}" for i in range(5)])
    rare["attack_id"] = [f"e{i}" for i in range(5)]
    kept = regressions.worth_keeping(pd.concat([many, rare]))
    assert len(kept) == regressions.PER_RUN
    assert (kept["strategy"] == "evolving").sum() == 5
    shuffled = pd.concat([rare, many.sample(frac=1, random_state=3)])
    pd.testing.assert_frame_equal(kept, regressions.worth_keeping(shuffled))


def test_the_newest_runs_fill_a_suite():
    taken = []

    def runs():
        for number in range(20):
            taken.append(number)
            yield f"run {number}", attacks(100, perturbed_text=[f"run {number} attack {i}" for i in range(100)])

    suite = regressions.assemble(runs())
    assert (len(suite), suite.n_runs) == (regressions.MOST, 10)
    assert taken == list(range(10))
    assert suite.attacks["perturbed_text"].iloc[0].startswith("run 0 ")


def test_the_same_attack_counts_once_and_training_texts_are_left_out():
    suite = regressions.assemble([("b", attacks(4)), ("b", attacks(2)), ("a", attacks(6))], trained_on={"b0", "b5"})
    assert (len(suite), suite.n_runs) == (4, 2)
    assert sorted(suite.attacks["base_id"]) == ["b1", "b2", "b3", "b4"]


def test_suites_with_the_same_attacks_have_the_same_hash():
    one = regressions.assemble([("a", attacks(4))])
    assert one.sha256 == regressions.assemble([("b", attacks(4).iloc[::-1])]).sha256
    assert one.sha256 != regressions.assemble([("a", attacks(3))]).sha256


def test_a_suite_is_replayed_as_it_was():
    suite = regressions.assemble([("a", attacks(3))])
    assert suite.past(ByDigit()).tolist() == [True, False, True]
    nothing = regressions.assemble([])
    assert (len(nothing), nothing.n_runs, nothing.past(ByDigit()).tolist()) == (0, 0, [])


@pytest.mark.parametrize(("victim", "n_kept"), [("3", 3), ("http://host", 0), ("sha-12ab", 0)])
def test_a_battle_against_a_version_adds_to_the_suite(tmp_path, victim, n_kept):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    paths = {name: tmp_path / name for name in ("attacks", "held_out", "summary", "all", "all_held_out")}
    records.write(records.Attack, attacks(3), paths["attacks"])
    records.write(records.Attack, records.Attack.empty(), paths["held_out"])
    summary = {
        "digests": {},
        "n_originals": 3,
        "n_attempts": 3,
        "seconds": 1.0,
        "texts_are_dealt": False,
        "victim_version": victim,
        "held_out": "none",
        "n_refused": 0,
        "n_not_written": 0,
        "canonicalises": True,
        **dict.fromkeys(("n_same_meaning", "n_other_meaning", "n_meaning_not_measured"), 0),
        "split": "validation",
        "began_with": "",
        "memory": '{"format": 1, "arms": []}',
    }
    paths["summary"].write_text(json.dumps(summary))
    generate.gather_attacks(
        [paths["attacks"]], [paths["held_out"]], [paths["summary"]], paths["all"], paths["all_held_out"],
        pipeline_run="run", tracking_uri=uri,
    )  # fmt: skip
    kept = list(Tracking(uri, "a later run").earlier_regressions("en"))
    assert sum(len(table) for _, table in kept) == n_kept
