"""Wrong labels are found, and the source that they come from."""

import json

import numpy as np
import pandas as pd
import pytest

from content_arena.components.labeling import quality

TOXIC = ["idiot", "moron", "scum", "filth", "trash", "liar", "coward", "clown"]
BENIGN = ["garden", "river", "music", "bread", "school", "coffee", "winter", "bridge"]


@pytest.fixture(scope="module")
def corpus():
    """480 texts that words tell apart; one label in twelve is wrong, all of them of one source."""
    rng = np.random.default_rng(0)
    rows = []
    for place in range(480):
        is_toxic = place % 2 == 0
        words = [*rng.choice(TOXIC if is_toxic else BENIGN, 4), *rng.choice(["the", "my", "so", "was"], 3)]
        is_wrong = place % 6 == 5 and place % 4 == 1
        rows.append(
            {
                "sample_id": f"t{place}", "base_id": f"t{place}", "text": " ".join(words), "lang": "en",
                "label": "toxic" if is_toxic != is_wrong else "benign", "categories": [], "target_ident": "",
                "source": "odd" if place % 6 == 5 else "one" if place % 3 else "two", "split": "train",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def found(corpus):
    return quality.check(corpus, most=100)


def wrong(corpus):
    is_toxic = corpus["text"].map(lambda text: any(word in TOXIC for word in text.split()))
    return set(corpus.loc[is_toxic != (corpus["label"] == "toxic"), "sample_id"])


def test_wrong_labels_are_named_the_most_doubtful_first(corpus, found):
    assert found.n_checked == 480
    named = [each.sample_id for each in found.doubtful]
    assert set(named) <= wrong(corpus)
    assert len(named) >= len(wrong(corpus)) / 2
    assert [each.probability for each in found.doubtful] == sorted(each.probability for each in found.doubtful)
    assert {each.source for each in found.doubtful[:20]} == {"odd"}


def test_the_source_that_labels_otherwise_is_named(found):
    assert [each.source for each in found.odd_sources] == ["odd"]
    document = json.loads(found.as_json())
    assert document["odd_sources"] == ["odd"]
    assert {each["source"] for each in document["sources"]} == {"odd", "one", "two"}


def test_no_text_is_in_the_record(corpus, found):
    assert not any(text in found.as_json() for text in corpus["text"])


def test_the_same_corpus_in_another_order_gives_the_same_sources(corpus, found):
    again = quality.check(corpus.sample(frac=1, random_state=1), most=5)
    assert len(again.doubtful) == 5
    assert [each.source for each in again.odd_sources] == ["odd"]


def test_what_is_too_small_or_not_asked_for_is_not_looked_at(corpus):
    for texts, most in ((corpus, 0), (corpus.head(60), 9), (corpus[corpus["label"] == "toxic"], 9)):
        assert quality.check(texts, most) == quality.CorpusLabels()
    assert quality.check(corpus.assign(split="guard"), 9) == quality.CorpusLabels()


def test_a_language_without_spaces_between_words_is_looked_at(corpus):
    texts = [
        "".join(chr(0x4E00 + 400 * (place % 2) + (7 * place + 13 * step) % 300) for step in range(12))
        for place in range(len(corpus))
    ]
    assert quality.check(corpus.assign(text=texts), most=100).n_checked == 480
