"""Which base models are classified on the mean of their tokens, and that padding has no part in it."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import BertConfig

from content_arena.components.qlora_training import base_models
from content_arena.components.qlora_training.encoders import EMBEDDED
from content_arena.components.qlora_training.mean_pooling import model_class, pooling


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, num_labels=2
    )
    return model_class()(config).eval()


def folder(path, model_type, mean):
    (path / "1_Pooling").mkdir()
    (path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": mean}))
    (path / "config.json").write_text(json.dumps({"model_type": model_type}))
    return str(path)


@pytest.mark.parametrize(("model_type", "mean", "wanted"), [
    ("bert", True, "mean"), ("bert", False, "first"), ("xlm-roberta", True, "first"),
])  # fmt: skip
def test_a_bert_that_was_trained_on_means_is_read_by_its_mean(tmp_path, model_type, mean, wanted):
    assert pooling(folder(tmp_path, model_type, mean)) == wanted


def test_without_a_word_on_pooling_the_first_token_is_read(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    assert pooling(str(tmp_path)) == pooling("owner/name") == "first"


def test_the_embedded_encoder_is_read_by_its_mean():
    assert pooling(base_models.resolve(EMBEDDED, "en")) == "mean"


def test_padding_has_no_part_in_the_mean(model):
    ids = torch.tensor([[2, 7, 8, 3]])
    padded = torch.tensor([[2, 7, 8, 3, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]])
    with torch.inference_mode():
        alone = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        beside = model(input_ids=padded, attention_mask=mask).logits
        unmasked = model(input_ids=padded, attention_mask=torch.ones_like(padded)).logits
    torch.testing.assert_close(alone, beside)
    assert not torch.allclose(alone, unmasked)


def test_every_token_has_a_part_in_the_logits(model):
    with torch.inference_mode():
        vectors = model.bert(input_ids=torch.tensor([[2, 7, 8, 3]])).last_hidden_state
        wanted = model.classifier(model.bert.pooler(vectors.mean(1, keepdim=True)))
        torch.testing.assert_close(model(input_ids=torch.tensor([[2, 7, 8, 3]])).logits, wanted)
