"""The test split and the guard set of a corpus, and what models score on them."""

import pandas as pd
import pytest

from content_arena.components.evaluation import metrics
from content_arena.components.evaluation.judged_texts import JudgedTexts
from content_arena.components.evaluation.metrics import Scored
from content_arena.components.shared.evaluations.model_evaluation import AttributeFigures
from content_arena.components.shared.scoring.filter import ContentFilter

ROWS = [
    ("1", "you idiot", "toxic", "test"), ("2", "a nice day", "benign", "test"), ("3", "scum", "toxic", "train"),
    ("guard-1", "my garden", "benign", "guard"), ("guard-2", "they are trash", "toxic", "guard"),
    ("guard-3", "you moron", "toxic", "guard"),
]  # fmt: skip


def corpus(rows=ROWS):
    return pd.DataFrame(rows, columns=["sample_id", "text", "label", "split"]).assign(source="elsewhere.csv")


def test_the_guard_set_is_known_by_name_numbers_and_hash():
    guard = JudgedTexts.of(corpus()).guard
    assert (guard.name, guard.n_texts, guard.n_toxic, len(guard.sha256)) == ("elsewhere.csv", 3, 2, 64)
    assert JudgedTexts.of(corpus(ROWS[::-1])).guard == guard


@pytest.mark.parametrize(
    "other", [("guard-3", "you moron!", "toxic", "guard"), ("guard-3", "you moron", "benign", "guard")]
)
def test_another_text_or_label_gives_another_hash(other):
    assert JudgedTexts.of(corpus([*ROWS[:-1], other])).guard.sha256 != JudgedTexts.of(corpus()).guard.sha256


def test_the_corpus_does_not_change_the_guard_set():
    assert JudgedTexts.of(corpus(ROWS[1:])).guard == JudgedTexts.of(corpus()).guard


def test_both_are_scored_apart(tiny_bundle):
    texts, model = JudgedTexts.of(corpus()), ContentFilter(tiny_bundle)
    assert texts.scored_by(model).is_toxic.tolist() == [True, False]
    scored = texts.guard_scored_by(model)
    assert scored.is_toxic.tolist() == [False, True, True]
    assert scored.auroc == 1.0


def test_without_a_guard_set_nothing_is_measured_on_it(tiny_bundle):
    texts, model = JudgedTexts.of(corpus(ROWS[:3])), ContentFilter(tiny_bundle)
    assert texts.guard is None
    assert texts.guard_scored_by(model) is None
    found = metrics.compute_without_attacks(texts.scored_by(model), 0.5, texts.guard_scored_by(model))
    assert found["guard_auroc"] is None
    assert found["clean_auroc"] == 1.0
    assert set(found) == {"clean_f1", "clean_precision", "clean_recall", "clean_auroc", "guard_auroc"}


def test_one_class_has_no_auroc(tiny_bundle):
    scored = JudgedTexts.of(corpus(ROWS[4:])).guard_scored_by(ContentFilter(tiny_bundle))
    assert Scored(scored.scores, scored.is_toxic).auroc is None


def test_attributes_are_measured_where_they_are_known(make_bundle, tiny_bundle):
    rows = [
        ("1", "you idiot", "toxic", ["identity_attack"]),
        ("2", "a nice day", "benign", []),
        ("3", "scum", "toxic", []),
        ("4", "trash", "toxic", ["sarcasm"]),
    ]
    table = pd.DataFrame(rows, columns=["sample_id", "text", "label", "categories"]).assign(split="test", source="x")
    texts = JudgedTexts.of(table)
    found = texts.attributes_scored_by(ContentFilter(make_bundle(attributes={"IDENTITY_ATTACK": 0.5, "THREAT": 0.5})))
    assert found["IDENTITY_ATTACK"] == AttributeFigures(auroc=1.0, n_positive=1, n=3)
    assert found["THREAT"] == AttributeFigures(auroc=None, n_positive=0, n=3)
    assert texts.attributes_scored_by(ContentFilter(tiny_bundle)) == {}
