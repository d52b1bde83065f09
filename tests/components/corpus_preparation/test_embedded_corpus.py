"""The rules of the data card (components/corpus_preparation/corpus/README.md), checked on the files."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from content_arena.components import corpus_preparation
from content_arena.components.corpus_preparation.duplicates.near_duplicates import near_duplicates

FOLDER = Path(corpus_preparation.__file__).with_name("corpus")
FILES = sorted(FOLDER.glob("*.jsonl"))
LANGUAGES = sorted({path.name.partition(".")[0] for path in FILES})
FIELDS = {"sample_id", "base_id", "text", "label", "lang", "category", "target_ident", "source"}
CATEGORIES = {
    "toxic": {
        "insult", "harassment", "threat", "identity_attack", "profanity", "sexual_harassment", "sarcasm",
        "veiled_threat",
    },
    "benign": {
        "neutral", "friendly", "criticism", "friendly_profanity", "counter_speech", "quoting", "reclaimed",
        "engineering", "negation", "games",
    },
}  # fmt: skip


def read(path: Path) -> list[dict[str, str | None]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_row_has_the_fields_and_a_category_of_its_label(path):
    rows = read(path)
    assert {frozenset(row) for row in rows} == {frozenset(FIELDS)}
    assert all(row["category"] in CATEGORIES[row["label"]] for row in rows)
    assert {row["lang"] for row in rows} == {path.name.partition(".")[0]}
    assert len({row["sample_id"] for row in rows}) == len(rows)
    assert all(row["text"] and row["text"] == row["text"].strip() for row in rows)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_about_half_is_toxic(path):
    labels = Counter(row["label"] for row in read(path))
    assert 0.45 <= labels["toxic"] / labels.total() <= 0.55


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_text_resembles_another_of_the_corpus_or_of_the_guard_set(lang):
    texts = [row["text"] for path in FILES if path.name.startswith(f"{lang}.") for row in read(path)]
    found = near_duplicates([re.sub(r"\s+", " ", text.casefold()) for text in texts], threshold=0.7)
    # A very short text shares all its shingles with its own variants ("you idiot", "you idiot!").
    assert [text for text, is_copy in zip(texts, found, strict=True) if is_copy and len(text) > 25] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_length_and_single_words_do_not_give_the_label_away(lang):
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict

    rows = pd.DataFrame(read(FOLDER / f"{lang}.jsonl"))
    is_toxic = rows["label"] == "toxic"

    def auroc(features) -> float:
        model = LogisticRegression(max_iter=2_000)
        scores = cross_val_predict(model, features, is_toxic, cv=5, method="predict_proba")[:, 1]
        return float(roc_auc_score(is_toxic, scores))

    assert auroc(rows["text"].str.len().to_frame()) < 0.6
    words = CountVectorizer(binary=True, token_pattern=r"\b\w+\b").fit_transform(rows["text"])
    assert auroc(words) < 0.9
