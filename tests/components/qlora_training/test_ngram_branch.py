"""The n-gram branch learns, is weighed on other texts, and gives the same as its torch layer."""

import numpy as np
import pytest

from content_arena.components.qlora_training import ngram_branch
from content_arena.components.shared.scoring.ngrams import BUCKETS, ngram_ids, padded

TOXIC = [f"you {word} {who}" for word in ("stupid", "pathetic", "worthless") for who in ("fool", "moron", "clown")]
BENIGN = [f"what a {word} {what}" for word in ("lovely", "sunny", "gentle") for what in ("morning", "garden", "song")]
TEXTS = TOXIC + BENIGN
LABELS = [1] * len(TOXIC) + [0] * len(BENIGN)


@pytest.fixture(scope="module")
def branch():
    return ngram_branch.fit(TEXTS, LABELS)


def test_misspelt_and_joined_words_are_recognised(branch):
    toxic, benign = branch.logits(["youstupiidfoool", "alovelymornning"])
    assert toxic > benign
    assert branch.weights[BUCKETS] == 0


def test_a_text_without_n_grams_adds_nothing(branch):
    assert branch.logits(["", "!"]).tolist() == [0.0, 0.0]


def test_the_encoder_decides_alone_if_the_n_grams_contradict_it(branch):
    noise = np.where(np.arange(len(TEXTS)) % 2, 1.0, -1.0)
    fused = ngram_branch.fuse(branch, noise, TEXTS, [int(value > 0) for value in noise])
    assert (fused.scale, fused.offset) == (1.0, 0.0) or fused.scale > 0


def test_a_fusion_that_would_turn_a_model_round_is_not_made(branch):
    wrong = np.where(np.array(LABELS) == 1, -3.0, 3.0)
    fused = ngram_branch.fuse(branch, wrong, TEXTS, LABELS)
    assert (fused.scale, fused.offset, np.abs(fused.weights).max()) == (1.0, 0.0, 0.0)


def test_the_layer_computes_what_the_definition_says(branch):
    import torch

    encoder = np.array([[0.3, -0.2], [-9.0, 9.0], [0.0, 0.0]], dtype=np.float32)
    texts = ["you stupid clown", "what a song", "!"]
    fused = ngram_branch.fuse(branch, np.where(np.array(LABELS) == 1, 1.0, -1.0), TEXTS, LABELS)
    ids = padded([ngram_ids(text) for text in texts])
    logits = ngram_branch.layer(fused)(torch.from_numpy(encoder), torch.from_numpy(ids)).numpy()
    clipped = np.clip(encoder[:, 1] - encoder[:, 0], -ngram_branch.MAX_LOGIT, ngram_branch.MAX_LOGIT)
    expected = fused.scale * clipped + fused.logits(texts) + fused.offset
    assert logits[:, 1] - logits[:, 0] == pytest.approx(expected, abs=1e-4)
