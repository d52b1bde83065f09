"""The figures of one model, on records small enough to count by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from content_arena.components.evaluation import metrics

SCORES = np.array([0.9, 0.8, 0.2, 0.7, 0.1, 0.0], dtype=np.float32)
GOLD = np.array([True, True, True, False, False, False])


def attack(label="toxic", status="success", after=0.1, changed=True, strategy="leet_sub", base="a", readable=True):
    return {
        "label_gold": label, "status": status, "score_after": after, "threshold": 0.5, "strategy": strategy,
        "base_id": base, "readable": readable, "undone": False, "restored": False, "original_text": "x",
        "perturbed_text": "y" if changed else "x",
    }  # fmt: skip


def test_clean_figures():
    figures = metrics.clean(SCORES, GOLD, threshold=0.5)
    assert figures["confusion"] == [[2, 1], [1, 2]]
    assert figures["clean_f1"] == figures["clean_precision"] == figures["clean_recall"] == pytest.approx(2 / 3)
    assert figures["clean_auroc"] == pytest.approx(8 / 9)
    assert figures["clean_fpr"]["rate"] == pytest.approx(1 / 3)
    json.dumps(figures, allow_nan=False)


def test_one_class_has_no_auroc():
    figures = metrics.clean(SCORES[:3], GOLD[:3], threshold=0.5)
    assert figures["clean_auroc"] is None
    assert figures["roc"]["fpr"] == []
    assert figures["clean_fpr"]["rate"] is None
    json.dumps(figures, allow_nan=False)


def test_a_threshold_is_met_by_a_score_equal_to_it():
    assert metrics.clean(np.array([0.5, 0.4], np.float32), np.array([True, False]), 0.5)["clean_recall"] == 1


def test_evasion_counts_what_the_victim_caught_before():
    rows = [attack(), attack(status="failed"), attack(status="skipped"), attack(label="benign")]
    found = metrics.evasion(pd.DataFrame(rows))
    assert (found.rate, found.n) == (0.5, 2)


def test_evasion_of_nothing_caught_is_not_zero():
    assert metrics.evasion(pd.DataFrame([attack(status="skipped")])).rate is None


def test_what_nobody_can_read_is_no_success_and_no_false_alarm():
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
    found = metrics.judged(rows)
    assert found["readable"].tolist() == [True, True, False]
    assert found["undone"].tolist() == [True, False, False]
    assert found["restored"].tolist() == [True, False, False], "how the victim reads is not known here"
    assert metrics.judged(rows, lambda text: "the same")["restored"].all()


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
    found = metrics.per_strategy(pd.DataFrame(rows))
    assert {name: figures.evasion.rate for name, figures in found.items()} == {"leet_sub": 1.0, "char_split": 0.0}
    assert found["leet_sub"].benign_flagged.rate == 1.0


def test_histograms_count_every_score_once():
    rows = [attack(after=1.0), attack(after=0.0), attack(label="benign", after=0.5)]
    found = metrics.histograms(SCORES, GOLD, pd.DataFrame(rows))
    assert {name: sum(counts) for name, counts in found.items() if name != "edges"} == {
        "toxic": 3,
        "benign": 3,
        "attacked_toxic": 2,
        "perturbed_benign": 1,
    }
