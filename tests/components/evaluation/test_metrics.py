"""The figures of one model, on records small enough to count by hand."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from content_arena.components.attack_generation import outcomes
from content_arena.components.evaluation import battle_figures, metrics
from content_arena.components.shared import figures
from content_arena.components.shared.evaluations.model_evaluation import RocCurve

SCORES = np.array([0.9, 0.8, 0.2, 0.7, 0.1, 0.0], dtype=np.float32)
GOLD = np.array([True, True, True, False, False, False])


def attack(label="toxic", status="success", after=0.1, changed=True, strategy="leet_sub", base="a", readable=True):
    return {
        "label_gold": label, "status": status, "score_after": after, "threshold": 0.5, "strategy": strategy,
        "base_id": base, "readable": readable, "undone": False, "restored": False, "original_text": "x",
        "perturbed_text": "y" if changed else "x", "n_queries": 1, "pct_changed": float(changed),
    }  # fmt: skip


def measured(scores=SCORES, gold=GOLD, rows=(), **more):
    table = pd.DataFrame([*rows] or [attack(status="skipped")])
    facts = {"scores": scores, "is_toxic": gold, "threshold": 0.5, "attacks": table, "attempts": attempts()}
    return metrics.Measurements(**facts | more)


def attempts(*rows):
    """Attempts; each row is base_id, label, score_before, score_after, and what else it has."""
    typical = {"strategy": "leet_sub", "readable": True}
    columns = ["base_id", "label", "score_before", "score_after"]
    made = [typical | dict(zip(columns, row, strict=False)) | dict(*row[4:]) for row in rows]
    return pd.DataFrame(made, columns=[*columns, *typical]).astype({"readable": bool, "score_after": float})


def test_every_figure_of_the_table_is_computed_and_nothing_else():
    names = sorted(figures.by_name())
    assert sorted(metrics.COMPUTE) == names, "FIGURES and COMPUTE have to name the same figures"


def test_clean_figures():
    found = metrics.compute(measured())
    assert metrics.confusion(measured()) == ((2, 1), (1, 2))
    assert found["clean_f1"] == found["clean_precision"] == found["clean_recall"] == pytest.approx(2 / 3)
    assert found["clean_auroc"] == pytest.approx(8 / 9)
    assert found["clean_fpr"].rate == pytest.approx(1 / 3)


def test_one_class_has_no_auroc():
    one_class = measured(SCORES[:3], GOLD[:3])
    found = metrics.compute(one_class)
    assert found["clean_auroc"] is None
    assert found["clean_fpr"].rate is None
    assert metrics.roc(one_class) == RocCurve()


def test_a_roc_curve_knows_no_infinity():
    json.dumps(asdict(metrics.roc(measured())), allow_nan=False)


def test_a_threshold_is_met_by_a_score_equal_to_it():
    assert measured(np.array([0.5, 0.4], np.float32), np.array([True, False])).precision_recall_f1[1] == 1


def test_latencies_are_percentiles_of_what_was_timed():
    found = metrics.compute(measured(latencies_ms=[1.0, 2.0, 3.0]))
    assert (found["latency_p50_ms"], found["latency_p95_ms"]) == (2.0, pytest.approx(2.9))
    assert metrics.compute(measured())["latency_p95_ms"] is None


def test_seen_and_held_out_strategies_are_apart():
    rows = [attack(), attack(strategy="char_split", status="failed")]
    found = metrics.compute(measured(rows=rows, held_out=frozenset({"char_split"})))
    assert [found[name].rate for name in ("evasion", "evasion_seen", "evasion_unseen")] == [0.5, 1.0, 0.0]


def test_evasion_counts_what_the_victim_caught_before():
    rows = [attack(), attack(status="failed"), attack(status="skipped"), attack(label="benign")]
    found = metrics.evasion(pd.DataFrame(rows))
    assert (found.rate, found.n) == (0.5, 2)


def test_evasion_of_nothing_caught_is_not_zero():
    assert metrics.evasion(pd.DataFrame([attack(status="skipped")])).rate is None


def test_what_cannot_be_read_is_no_success_and_no_false_alarm():
    rows = [attack(readable=False), attack(), attack(label="benign", after=0.9, readable=False)]
    found = metrics.evasion(pd.DataFrame(rows))
    assert (found.rate, found.n) == (0.5, 2)
    assert metrics.perturbed_benign_fpr(pd.DataFrame(rows)).n == 0


def test_judging_tells_readable_from_noise_and_undone_from_changed():
    rows = pd.DataFrame({
        "original_text": ["you idiot", "you idiot", "you idiot"],
        "perturbed_text": ["you іdіоt", "you 1d10t", "#%&"],
        "similarity": [1.0, 0.7, 0.1],
    })  # fmt: skip
    found = outcomes.judged(rows)
    assert found["readable"].tolist() == [True, True, False]
    assert found["undone"].tolist() == [True, False, False]
    assert found["restored"].tolist() == [True, False, False], "how the victim reads is not known here"
    assert outcomes.judged(rows, lambda text: "the same")["restored"].all()


def test_perturbed_benign_counts_what_was_changed_whatever_its_status():
    rows = [
        attack(label="benign", after=0.9, status="skipped"),
        attack(label="benign", after=0.1, status="failed"),
        attack(label="benign", after=0.9, changed=False),
        attack(after=0.9),
    ]
    found = metrics.perturbed_benign_fpr(pd.DataFrame(rows))
    assert (found.rate, found.n) == (0.5, 2)


def test_per_strategy_keeps_them_apart():
    rows = [attack(), attack(strategy="char_split", status="failed"), attack(label="benign", after=0.9)]
    found = battle_figures.per_strategy(pd.DataFrame(rows))
    assert {name: row.evasion.rate for name, row in found.items()} == {"leet_sub": 1.0, "char_split": 0.0}
    assert found["leet_sub"].benign_flagged.rate == 1.0


def test_histograms_count_every_score_once():
    rows = [attack(after=1.0), attack(after=0.0), attack(label="benign", after=0.5)]
    found = asdict(metrics.histogram(measured(rows=rows)))
    assert {name: sum(counts) for name, counts in found.items() if name != "edges"} == {
        "toxic": 3,
        "benign": 3,
        "attacked_toxic": 2,
        "perturbed_benign": 1,
    }


def test_undone_strategies_are_in_no_mean_and_still_listed():
    rows = [
        attack(), attack(strategy="invisible_insert", status="failed"),
        attack(label="benign", after=0.1), attack(label="benign", after=0.9, strategy="invisible_insert"),
    ]  # fmt: skip
    pairs = attempts(("a", "toxic", 0.9, 0.6), ("b", "benign", 0.1, 0.2),
                     ("c", "toxic", 0.9, 0.1, {"strategy": "invisible_insert"}),
                     ("d", "benign", 0.1, 0.9, {"strategy": "invisible_insert"}))  # fmt: skip
    found = metrics.compute(measured(rows=rows, attempts=pairs, undone=frozenset({"invisible_insert"})))
    assert (found["evasion"].rate, found["evasion"].n) == (1.0, 1)
    assert (found["perturbed_benign_fpr"].rate, found["perturbed_benign_fpr"].n) == (0.0, 1)
    assert (found["perturbed_auroc"].rate, found["perturbed_auroc"].n) == (1.0, 2)
    assert "invisible_insert" in battle_figures.per_strategy(pd.DataFrame(rows))


def test_nothing_is_measured_if_nothing_reaches_the_model():
    found = metrics.compute(
        measured(rows=[attack(), attack(label="benign")], attempts=attempts(("a", "toxic", 0.9, 0.6)),
                 undone=frozenset({"leet_sub"}))
    )  # fmt: skip
    names = ("evasion", "evasion_seen", "evasion_unseen", "evasion_matched", "perturbed_auroc", "perturbed_benign_fpr")
    assert {name: found[name].rate for name in names} == dict.fromkeys(names)


def test_matched_evasion_allows_two_points_more_than_the_clean_rate():
    rows = [("t", "toxic", 0.9, 0.5)] + [(f"b{i}", "benign", 0.1, 0.6 if i < 35 else 0.0) for i in range(100)]
    # A third of the clean benign texts is flagged: .353 of the perturbed ones may be.
    assert metrics.compute(measured(attempts=attempts(*rows)))["evasion_matched"].rate == 0.0
    rows = [*rows, ("more", "benign", 0.1, 0.6)]
    assert metrics.compute(measured(attempts=attempts(*rows)))["evasion_matched"].rate == 1.0
