"""A real bundle in a few kilobytes: word-level tokenizer, embedding and masked mean in ONNX, weights set by hand.

``tests/conftest.py`` exposes one as the session fixture ``tiny_bundle``, and :func:`make_tiny_bundle` as the fixture
``make_bundle``.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from content_arena.components.qlora_training import attribute_head
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.text.canonical import CANONICAL_VERSION
from content_arena.components.shared.text.reader.lexicon import Lexicon

#: Adds this much to the toxic logit of a text of that word alone (special tokens included in the mean).
TOXIC_WORDS = {"idiot": 24.0, "moron": 22.0, "stupid": 18.0, "hate": 16.0, "trash": 14.0, "scum": 26.0, "바보": 24.0}
# fmt: off
BENIGN_WORDS = (
    "you", "are", "an", "the", "my", "your", "we", "they", "is", "was", "not", "very", "good", "nice", "day",
    "today", "weather", "book", "read", "write", "code", "friend", "thank", "please", "warm", "up", "house",
    "garden", "river", "music", "coffee", "bread", "train", "school", "work", "happy", "sunny", "안녕", "감사",
    "오늘", "날씨",
)
# fmt: on
MAX_LENGTH = 32
#: Words in one window: MAX_LENGTH less [CLS] and [SEP].
WINDOW_WORDS = MAX_LENGTH - 2
_DIMENSIONS = 4


def make_tiny_bundle(
    path: str | Path,
    *,
    weights_seed: int = 0,
    bias: float = -2.0,
    threshold: float = 0.5,
    metrics: dict[str, float] | None = None,
    canonical_version: str = CANONICAL_VERSION,
    lexicon: Lexicon | None = None,
    training: dict[str, str] | None = None,
    attributes: dict[str, float] | None = None,
) -> bundles.Bundle:
    """Writes a bundle.

    Args:
        path: Where to; must not exist or be empty.
        weights_seed: Seed of the small noise on every word's weight: other seeds give other digests and scores.
        bias: Toxic logit of a text without known words; NaN for a model whose scores are no numbers.
        threshold: The bundle's.
        metrics: Figures that its training reports.
        canonical_version: Of the canonicaliser it is read through.
        lexicon: Of its Reader; None for a bundle without one.
        training: Facts of its training.
        attributes: What it scores beside toxicity, with thresholds. The first in the alphabet rises with toxic words.
    """
    destination = Path(path)
    destination.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=destination.parent))
    try:
        vocabulary = _vocabulary()
        (folder / "tokenizer").mkdir()
        _tokenizer(vocabulary).save(str(folder / bundles.TOKENIZER))
        onnx.save(_model(vocabulary, weights_seed, bias), str(folder / bundles.MODEL))
        (folder / "model_card.md").write_text("# Tiny filter\n\nFor tests.\n", encoding="utf-8")
        spec = bundles.BundleSpec(
            base_model="tiny",
            lang="en",
            threshold=threshold,
            max_length=MAX_LENGTH,
            canonical_version=canonical_version,
            metrics=metrics or {},
            training=training or {},
            attributes=attributes or {},
        )
        if attributes:
            _add_head(folder / bundles.MODEL, len(attributes))
        if lexicon is not None:
            lexicon.save(folder / bundles.LEXICON)
        return bundles.seal(folder, spec, destination)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _add_head(path: Path, n: int) -> None:
    """Adds a head to a model, whose attributes are the parts of a text's vector, the one with the toxic words first."""
    model = onnx.load(path)
    head = attribute_head.Head(
        np.eye(n, _DIMENSIONS, dtype=np.float32), np.full(n, -2, np.float32), dict.fromkeys(map(str, range(n)), 0.5)
    )
    onnx.save(attribute_head.with_head(model, "mean", head), path)


def _vocabulary() -> dict[str, int]:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *TOXIC_WORDS, *BENIGN_WORDS, *".,!?"]
    return {word: index for index, word in enumerate(words)}


def _tokenizer(vocabulary: dict[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    special = [(word, vocabulary[word]) for word in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    return tokenizer


def _model(vocabulary: dict[str, int], seed: int, bias: float) -> onnx.ModelProto:
    """The graph: logits = mean over unmasked tokens of embedding[token], times head, plus (0, bias)."""
    rng = np.random.default_rng(seed)
    embedding = rng.normal(0.0, 0.3, (len(vocabulary), _DIMENSIONS)).astype(np.float32)
    for word, weight in TOXIC_WORDS.items():
        embedding[vocabulary[word], 0] += weight
    head = rng.normal(0.0, 0.1, (_DIMENSIONS, 2)).astype(np.float32)
    head[0] = (0.0, 1.0)
    constants = {
        "embedding": embedding,
        "head": head,
        "bias": np.array([0.0, bias], dtype=np.float32),
        "last_axis": np.array([2], dtype=np.int64),
        "token_axis": np.array([1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["embedding", "input_ids"], ["tokens"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last_axis"], ["mask3"]),
        helper.make_node("Mul", ["tokens", "mask3"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "token_axis"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["mask3", "token_axis"], ["count"], keepdims=0),
        helper.make_node("Div", ["total", "count"], ["mean"]),
        helper.make_node("MatMul", ["mean", "head"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny_filter",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "seq"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
