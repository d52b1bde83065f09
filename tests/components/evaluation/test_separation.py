"""AUROC and matched evasion on attempts small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from content_arena.components.evaluation import separation
from content_arena.components.shared.figures import NOTHING


def attempts(*rows):
    """Rows of base_id, label, score_before, score_after, and whether it is readable (if given)."""
    columns = ["base_id", "label", "score_before", "score_after", "readable"]
    table = pd.DataFrame([(*row, True)[:5] for row in rows], columns=columns).assign(strategy="leet_sub")
    return table.astype({"readable": bool, "score_before": float, "score_after": float})


def pairs(*rows):
    return separation.pairs(attempts(*rows))


def test_the_lowest_readable_attempt_on_a_toxic_text_counts():
    found = pairs(("a", "toxic", 0.9, 0.8), ("a", "toxic", 0.9, 0.4), ("a", "toxic", 0.9, 0.1, False))
    assert found.worst.tolist() == [0.4]
    assert found.before.tolist() == [0.9]


def test_attempts_of_different_strategies_are_different_pairs():
    rows = attempts(("a", "toxic", 0.9, 0.8), ("a", "toxic", 0.9, 0.4))
    found = separation.pairs(rows.assign(strategy=["leet_sub", "char_split"]))
    assert sorted(found.worst) == [0.4, 0.8]


def test_auroc_by_hand():
    found = separation.perturbed_auroc(
        pairs(("a", "toxic", 1, 0.8), ("b", "toxic", 1, 0.3), ("c", "benign", 0, 0.3), ("d", "benign", 0, 0.1))
    )
    assert found.rate == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert found.n == 4
    assert found.low <= found.rate <= found.high


scores = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), min_size=1, max_size=20)


@settings(max_examples=20)
@given(toxic=scores, benign=scores)
def test_auroc_is_that_of_scikit_learn(toxic, benign):
    rows = [(f"t{i}", "toxic", 1, score) for i, score in enumerate(toxic)]
    rows += [(f"b{i}", "benign", 0, score) for i, score in enumerate(benign)]
    expected = roc_auc_score([1] * len(toxic) + [0] * len(benign), [*toxic, *benign])
    assert separation.perturbed_auroc(pairs(*rows)).rate == pytest.approx(expected)


@given(benign=scores, allowed=st.floats(0, 1))
def test_a_matched_threshold_is_the_lowest_that_flags_no_more_than_allowed(benign, allowed):
    values = np.array(benign)
    threshold = separation.matched_threshold(values, allowed)
    assert (values >= threshold).mean() <= allowed + 1e-9
    lower = values[values < threshold]
    if len(lower):
        assert (values >= lower.max()).mean() > allowed


def test_evasion_at_a_matched_rate():
    toxic = [
        ("a", "toxic", 0.9, 0.8),
        ("b", "toxic", 0.9, 0.2),
        ("c", "toxic", 0.25, 0.1),
        ("d", "toxic", 0.9, 0.1, False),
    ]
    benign = [(f"n{i}", "benign", 0.0, 0.3 if i < 3 else 0.0) for i in range(100)]
    found = separation.evasion_at_matched_rate(pairs(*toxic, *benign), 0.0)
    # At most 2 of the 100 may be flagged and 3 share the score .3, so the threshold lies above it. There c is not
    # caught, b evades, and nobody can read d.
    assert (found.rate, found.n) == (pytest.approx(1 / 3), 3)
    lower = separation.evasion_at_matched_rate(pairs(*toxic, *benign), 0.5)
    assert (lower.rate, lower.n) == (0.0, 4), "with half of the benign texts flagged anything is"


def test_a_threshold_of_the_model_changes_neither_figure():
    rows = [(f"t{i}", "toxic", 0.9, i / 40) for i in range(30)] + [(f"b{i}", "benign", 0, i / 90) for i in range(40)]
    moved = [(base, label, before, after**3) for base, label, before, after in rows]
    for figure in (separation.perturbed_auroc, lambda found: separation.evasion_at_matched_rate(found, 0.1)):
        before, after = figure(pairs(*rows)), figure(pairs(*moved))
        assert (before.rate, before.low, before.high) == pytest.approx((after.rate, after.low, after.high))


def test_more_attacks_on_the_same_texts_make_no_interval_narrower():
    rows = attempts(
        *[(f"t{i}", "toxic", 0.9, i / 12) for i in range(12)], *[(f"b{i}", "benign", 0, i / 24) for i in range(12)]
    )
    repeated = pd.concat([rows.assign(strategy=name) for name in "abcd"])
    one, four = (
        separation.perturbed_auroc(separation.pairs(rows)),
        separation.perturbed_auroc(separation.pairs(repeated)),
    )
    assert four.rate == pytest.approx(one.rate)
    assert (four.low, four.high) == pytest.approx((one.low, one.high))


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("a", "toxic", 0.9, 0.1)],
        [("a", "benign", 0.9, 0.1)],
        [("a", "toxic", 0.9, 0.1, False), ("b", "benign", 0.1, 0.1, False)],
    ],
)
def test_what_can_not_be_measured_is_not_zero(rows):
    assert separation.perturbed_auroc(pairs(*rows)) == NOTHING
    assert separation.evasion_at_matched_rate(pairs(*rows), 0.1) == NOTHING


def test_nothing_caught_is_not_measured():
    assert separation.evasion_at_matched_rate(pairs(("a", "toxic", 0.1, 0.1), ("b", "benign", 0, 0.5)), 0.0) == NOTHING
