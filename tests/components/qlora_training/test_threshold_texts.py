"""On what a challenger's threshold is chosen."""

from dataclasses import replace

import pytest

from content_arena.components.attack_generation import strategies
from content_arena.components.corpus_preparation.prepare import prepare
from content_arena.components.qlora_training.threshold_texts import compare_on
from content_arena.components.shared import records
from content_arena.components.shared.scoring.filter import ContentFilter
from tests.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="module")
def champion(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("champion") / "bundle")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.parquet"
    prepare("embedded", "en", path, max_texts=120)
    return records.read(records.Sample, path)


def chosen(*names):
    return strategies.select("en", set(names))


def test_every_validation_text_is_there_once_as_it_is_and_at_most_once_attacked(champion, corpus):
    found = compare_on(corpus, chosen("char_typo", "leet_sub"), champion, seed=3)
    clean = [text for text, attacked in zip(found.texts, found.attacked, strict=True) if not attacked]
    validation = corpus[corpus["split"] == "validation"]
    assert clean == validation["text"].tolist()
    assert len(clean) / 2 < found.attacked.sum() <= len(clean)
    assert not set(clean) & {text for text, attacked in zip(found.texts, found.attacked, strict=True) if attacked}
    assert {0, 1} == set(found.labels[found.attacked]) == set(found.labels[~found.attacked])


def test_the_champion_says_of_each_what_it_says_when_it_serves(champion, corpus):
    found = compare_on(corpus, chosen("char_typo"), champion, seed=3)
    served = ContentFilter(champion)
    assert found.flagged.tolist() == (served.score(list(found.texts)) >= served.threshold).tolist()


def test_the_champions_verdict_does_not_choose_the_attempts(champion, corpus):
    """Of a battle's attempts those that got past the champion are kept, and any other model does better on these."""
    lenient = replace(champion, spec=replace(champion.spec, threshold=0.999))
    assert (
        compare_on(corpus, chosen("char_typo"), lenient, 3).texts
        == compare_on(corpus, chosen("char_typo"), champion, 3).texts
    )


def test_the_seed_decides_the_attempts(champion, corpus):
    first, again, other = (compare_on(corpus, chosen("char_typo"), champion, seed).texts for seed in (1, 1, 2))
    assert first == again != other


def test_without_a_strategy_that_reaches_the_model_the_texts_themselves_decide(champion, corpus):
    found = compare_on(corpus, chosen("compat_form"), champion, seed=0)
    assert not found.attacked.any()
    assert len(found.texts) == (corpus["split"] == "validation").sum()


def test_a_corpus_without_validation_texts_gives_nothing_to_compare_on(champion, corpus):
    empty = compare_on(corpus[corpus["split"] == "train"], chosen("char_typo"), champion, seed=0)
    assert len(empty.texts) == len(empty.flagged) == 0
