"""Scores do not depend on batches, windows and threads."""

import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.shared.errors import BundleError
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.filter import ContentFilter
from content_arena.components.shared.scoring.windows import WINDOW_STRIDE
from tests.tiny_bundle import BENIGN_WORDS, TOXIC_WORDS, WINDOW_WORDS

STEP = WINDOW_WORDS - WINDOW_STRIDE
WORDS = [*TOXIC_WORDS, *BENIGN_WORDS, "unheard"]
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)
SENTENCES = st.lists(st.sampled_from(WORDS), max_size=100).map(" ".join)


@pytest.fixture(scope="module")
def content_filter(tiny_bundle):
    content_filter = ContentFilter(tiny_bundle, threads=2)
    yield content_filter
    content_filter.close()


def test_tells_toxic_from_benign(content_filter):
    scores = content_filter.score(["you idiot", "nice day", "STUPID book", "안녕 바보", "thank you my friend"])
    assert content_filter.is_toxic(scores).tolist() == [True, False, True, True, False]


def test_reads_through_the_canonicaliser(content_filter):
    plain, hidden = content_filter.score(["you idiot", "you i\u200bd\u0456ot"])
    assert plain == hidden


def test_no_texts_no_scores(content_filter):
    scores = content_filter.score([])
    assert scores.shape == (0,)
    assert scores.dtype == np.float32
    assert content_filter.is_toxic(scores).shape == (0,)


@settings(max_examples=50)
@given(st.lists(SENTENCES | ANY_TEXT, max_size=40))
def test_a_text_scores_the_same_in_any_company(content_filter, texts):
    together = content_filter.score(texts)
    alone = [content_filter.score([text])[0] for text in texts]
    np.testing.assert_allclose(together, alone, atol=1e-6)


@given(st.permutations(range(20)))
def test_keeps_the_order(content_filter, order):
    texts = [" ".join(WORDS[i : i + 1 + 3 * i]) for i in range(20)]
    np.testing.assert_allclose(content_filter.score([texts[i] for i in order]), content_filter.score(texts)[order])


@given(ANY_TEXT)
def test_any_text_has_a_probability(content_filter, text):
    (score,) = content_filter.score([text])
    assert 0 <= score <= 1


@pytest.mark.parametrize("text", ["", " ", "\ud800", "idiot\udfff", "\x00", "\u200b\u200b", "\U0001f600" * 5_000])
def test_odd_texts_have_a_probability(content_filter, text):
    (score,) = content_filter.score([text])
    assert 0 <= score <= 1


@settings(max_examples=30)
@given(st.lists(st.sampled_from(WORDS), min_size=WINDOW_WORDS + 1, max_size=150))
def test_a_long_text_scores_as_its_worst_window(content_filter, words):
    starts = range(0, max(1, len(words) - WINDOW_STRIDE), STEP)
    windows = [" ".join(words[start : start + WINDOW_WORDS]) for start in starts]
    (whole,) = content_filter.score([" ".join(words)])
    assert whole == pytest.approx(content_filter.score(windows).max(), abs=1e-6)


def test_toxic_words_do_not_hide_behind_a_preface(content_filter):
    preface = "nice weather today my friend " * 200
    benign, toxic = content_filter.score([preface, preface + "you are an idiot idiot moron scum scum"])
    assert benign < 0.5 < toxic


def test_threads_get_their_own_scores(content_filter):
    rng = np.random.default_rng(0)
    questions = [[" ".join(rng.choice(WORDS, rng.integers(1, 90))) for _ in range(17)] for _ in range(48)]
    expected = [content_filter.score(texts) for texts in questions]
    with ThreadPoolExecutor(8) as pool:
        for got, wanted in zip(pool.map(content_filter.score, questions), expected, strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-6)


@pytest.mark.parametrize(("threads", "batch_size"), [(1, 1), (3, 5), (2, 64)])
def test_threads_and_batches_change_no_score(content_filter, tiny_bundle, threads, batch_size):
    texts = [" ".join(WORDS[i:]) for i in range(len(WORDS))]
    other = ContentFilter(tiny_bundle, threads=threads, batch_size=batch_size)
    np.testing.assert_allclose(other.score(texts), content_filter.score(texts), atol=1e-6)
    other.close()


def test_a_very_sure_model_does_not_warn(make_bundle):
    sure = ContentFilter(make_bundle(bias=-500.0), threads=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sure.score(["nice day"]) == [0.0]
    sure.close()


def test_version_is_given_or_the_digest(tiny_bundle):
    named = ContentFilter(tiny_bundle, version="7", threads=1)
    unnamed = ContentFilter.open(tiny_bundle.path.parent, threads=1)
    assert (named.version, unnamed.version) == ("7", f"sha-{tiny_bundle.spec.digest[:12]}")
    named.close()
    unnamed.close()


@pytest.mark.parametrize("name", [bundles.MODEL, bundles.TOKENIZER])
def test_files_that_are_no_model_are_a_bundle_error(make_bundle, name):
    bundle = make_bundle()
    (bundle.path / name).write_bytes(b"nonsense")
    with pytest.raises(BundleError, match="cannot be loaded"):
        ContentFilter(bundle, threads=1)


def test_a_window_shorter_than_its_overlap_is_a_bundle_error(tiny_bundle):
    short = replace(tiny_bundle, spec=replace(tiny_bundle.spec, max_length=8))
    with pytest.raises(BundleError, match="cannot be loaded: tokenizer stride"):
        ContentFilter(short, threads=1)


def test_a_text_has_the_highest_attribute_of_its_windows(make_bundle):
    scorer = ContentFilter(make_bundle(attributes={"INSULT": 0.5, "THREAT": 0.5}), threads=1)
    insult, long = scorer.score_all(["moron moron moron", f"moron moron moron {'garden ' * 3 * WINDOW_WORDS}"])
    assert insult[1] > 0.9
    assert long[1] > scorer.score_all(["garden"])[0, 1]
    assert ((insult >= 0) & (insult <= 1)).all()


def test_a_model_without_the_attributes_of_its_bundle_is_a_bundle_error(tiny_bundle):
    other = replace(tiny_bundle, spec=replace(tiny_bundle.spec, attributes={"INSULT": 0.5}))
    with pytest.raises(BundleError, match="lacks an output"):
        ContentFilter(other, threads=1)


def test_nothing_is_reported_to_anybody(tiny_bundle, tmp_path):
    """ONNX Runtime makes an id for this machine, and a database of what it is to send, where it may."""
    program = (
        "from content_arena.components.shared.scoring.filter import ContentFilter\n"
        f"ContentFilter.open({str(tiny_bundle.path)!r}).score(['you idiot'])"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
