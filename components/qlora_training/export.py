"""Exports a trained model to a bundle: merges the adapter, writes ONNX, quantises to int8, checks parity."""

from __future__ import annotations

import contextlib
import inspect
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.qlora_training import (
    attribute_head,
    base_models,
    four_bits,
    ngram_branch,
    noise,
    reference,
    vector_wise,
)
from content_arena.components.qlora_training.ngram_branch import NgramBranch
from content_arena.components.qlora_training.quantised_model import load_quantised
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.qlora_training.thresholds import (
    Comparison,
    Parity,
    compare,
    good_thresholds,
    leading_thresholds,
)
from content_arena.components.qlora_training.trainer import Trained
from content_arena.components.shared.errors import ArenaError
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.filter import NGRAM_INPUT, ContentFilter
from content_arena.components.shared.scoring.ngrams import NGRAM_VERSION
from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.scoring.windows import batches
from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.reader import Reader

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

#: Least share of validation texts with the same verdict of the exported and the trained model.
MIN_AGREEMENT = 0.99
_OPSET = 18
_BLOCK_SIZE = 64
#: ONNX Runtime's ``accuracy_level`` of MatMulNBits: arithmetic in float32.
_FLOAT32 = 1
#: Validation texts that show how large each channel gets.
_CALIBRATION_TEXTS = 300


class ParityError(ArenaError):
    """The verdicts of the exported model differ too much from those of the trained one."""


class _Choice(NamedTuple):
    """A threshold of the exported model, float32[n] scores of the validation texts, and the comparison at it."""

    threshold: float
    scores: npt.NDArray[np.float32]
    parity: Parity


@dataclass(frozen=True)
class _Evidence:
    """Validation texts, and float32[n] scores of the trained model for them."""

    clean: pd.DataFrame
    reference: npt.NDArray[np.float32]


def export(
    trained: Trained,
    settings: TrainingSettings,
    validation: pd.DataFrame,
    destination: Path,
    provenance: Mapping[str, str] | None = None,
    comparison: Comparison | None = None,
    lexicon: Lexicon | None = None,
    corpus: pd.DataFrame | None = None,
) -> bundles.Bundle:
    """Writes the bundle of a trained model.

    Args:
        trained: The model, its tokenizer and the figures of its training, which are kept in the bundle.
        settings: Of the training.
        validation: Columns text and label (1 toxic); threshold and parity are computed on these texts.
        destination: Folder of the bundle; must not exist or be empty.
        provenance: The data and the bundle it was trained from, by name; kept beside the settings.
        comparison: What the threshold is chosen on if there is a champion; None chooses it on the validation texts.
        lexicon: The lexicon of the Reader that restored the words of its training texts; None for no Reader.
        corpus: Rows of Sample, from whose categories the attributes are learnt; None for a model without.

    Raises:
        ParityError: Fewer than 99 % of the validation verdicts stay the same.
    """
    from sklearn.metrics import f1_score

    labels = validation["label"].to_numpy()
    destination.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".bundle-", dir=destination.parent))
    try:
        reading = Reading(reader=Reader(lexicon) if lexicon else None)
        validation = validation.assign(read=[reading(text) for text in validation["text"]])
        perturbed = noise.perturbed(validation, reading, settings.seed)
        branch, scores = reference.weigh(trained, validation, perturbed, settings.max_length)
        trained.model.save_pretrained(str(folder / bundles.ADAPTER), safe_serialization=True)
        trained.tokenizer.save_pretrained(folder / "tokenizer")
        licence = base_models.licence(settings.base_model, settings.lang)
        if licence is not None:
            shutil.copyfile(licence, folder / bundles.ENCODER_LICENCE)
        if lexicon is not None:
            lexicon.save(folder / bundles.LEXICON)
        full = folder / "full.onnx"
        _write_onnx(_merge(folder / bundles.ADAPTER, settings), trained.tokenizer, branch, full)
        spec = _provisional(settings, branch)
        evidence = _Evidence(validation, scores)
        choice = _quantise_in_parity(full, bundles.Bundle(folder, spec), evidence, comparison)
        full.unlink()
        spec = replace(
            spec,
            threshold=choice.threshold,
            attributes={} if corpus is None else attribute_head.add(bundles.Bundle(folder, spec), corpus),
            metrics={
                **trained.metrics,
                "validation_f1": float(f1_score(labels, choice.scores >= choice.threshold)),
                "parity_agreement": choice.parity.agreement,
                "parity_max_difference": choice.parity.max_difference,
            },
            training=settings.as_dict() | dict(provenance or {}),
        )
        (folder / "model_card.md").write_text(_model_card(spec, choice.parity), encoding="utf-8")
        return bundles.seal(folder, spec, destination)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _provisional(settings: TrainingSettings, branch: NgramBranch | None) -> bundles.BundleSpec:
    """What is known of the bundle before its threshold is chosen."""
    return bundles.BundleSpec(
        base_model=settings.base_model,
        lang=settings.lang,
        threshold=0.5,
        max_length=settings.max_length,
        ngram_version=NGRAM_VERSION if branch is not None else None,
    )


def _quantise_in_parity(
    full: Path, bundle: bundles.Bundle, evidence: _Evidence, comparison: Comparison | None
) -> _Choice:
    """Writes the bundle's model in int8, with int8 arithmetic or, if parity needs it, with float32 arithmetic.

    Args:
        full: The float32 model.
        bundle: Has everything but the model.
        evidence: What to choose by.
        comparison: See :func:`export`.

    Raises:
        ParityError: Neither gives the trained model's verdicts.
    """
    labels = evidence.clean["label"].to_numpy()
    for quantise in (_in_int8, _with_int8_weights):
        quantise(full, bundle, evidence)
        with contextlib.closing(ContentFilter(bundle)) as exported:
            scores = exported.score(evidence.clean["text"].tolist())
            thresholds = (
                good_thresholds(scores, labels)
                if comparison is None
                else leading_thresholds(exported.score(comparison.texts), comparison)
            )
        choices = [_Choice(value, scores, compare(evidence.reference, scores, value)) for value in thresholds]
        # Of equally good thresholds, one without scores so close to it that quantisation moves them across.
        agreeing = [choice for choice in choices if choice.parity.agreement >= MIN_AGREEMENT]
        if agreeing:
            return agreeing[0]
    parity = choices[0].parity
    raise ParityError(
        f"the int8 model agrees with the trained one on {parity.agreement:.1%} of {parity.n} validation texts, "
        f"at least {MIN_AGREEMENT:.0%} are needed (largest score difference {parity.max_difference:.3f})"
    )


def _merge(adapter: Path, settings: TrainingSettings) -> PreTrainedModel:
    """Merges the adapter into the weights it was trained on: the NF4 weights, converted to float32.

    With the original full-precision weights it would be another model than the one that was validated.
    """
    import torch
    from peft import PeftModel

    base = load_quantised(settings).dequantize().to("cpu", torch.float32)
    merged: PreTrainedModel = PeftModel.from_pretrained(base, adapter).merge_and_unload().eval()
    return merged


def _write_onnx(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, branch: NgramBranch | None, path: Path
) -> None:
    """Writes the float32 model, for batches of any size and length.

    Its inputs are those that tokenizer and model have in common, and the n-grams if there is a branch.
    """
    import torch

    accepted = set(inspect.signature(model.forward).parameters)
    encoded = tokenizer(["a text", "another, longer text"], return_tensors="pt", padding=True)
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in accepted and name in encoded]
    extra = {NGRAM_INPUT: torch.zeros((2, 3), dtype=torch.int64)} if branch is not None else {}

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.fusion = ngram_branch.layer(branch) if branch is not None else None

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(**dict(zip(names, inputs, strict=False))).logits
            return self.fusion(logits, inputs[-1]) if self.fusion is not None else logits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Logits(),
            (*(encoded[name] for name in names), *extra.values()),
            str(path),
            input_names=[*names, *extra],
            output_names=["logits"],
            dynamic_axes={name: {0: "batch", 1: "tokens"} for name in names}
            | {name: {0: "batch", 1: "width"} for name in extra}
            | {"logits": {0: "batch"}},
            opset_version=_OPSET,
            dynamo=False,
        )


def _in_int8(full: Path, bundle: bundles.Bundle, evidence: _Evidence) -> None:
    """Writes a model whose matrices are multiplied in int8, see :mod:`vector_wise`; the head stays float32.

    Embeddings stay float32 unless :mod:`four_bits` finds that they are numbers of 4 bits.
    """
    import onnx

    shutil.copyfile(full, bundle.model_path)  # A filter needs a model, and makes the inputs of any.
    texts = evidence.clean["text"].sample(min(_CALIBRATION_TEXTS, len(evidence.clean)), random_state=0).tolist()
    with contextlib.closing(ContentFilter(bundle, threads=1)) as scorer:
        windows = scorer.windows(texts)
        inputs = [scorer.inputs_of(batch) for batch in batches(windows, scorer.batch_size)]
    model = onnx.load(full)
    quantised = vector_wise.quantise(model, vector_wise.channels(model, inputs))
    onnx.save(four_bits.quantise_embeddings(quantised), bundle.model_path)


def _with_int8_weights(full: Path, bundle: bundles.Bundle, evidence: _Evidence) -> None:
    """Writes a model whose matrices are int8 block by block, and are multiplied in float32: no evidence is needed."""
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    four_bits.silence_quantiser()
    config = DefaultWeightOnlyQuantConfig(block_size=_BLOCK_SIZE, is_symmetric=True, bits=8, accuracy_level=_FLOAT32)
    quantiser = MatMulNBitsQuantizer(onnx.load(full), algo_config=config)
    quantiser.process()
    onnx.save(four_bits.quantise_embeddings(quantiser.model.model), bundle.model_path)


def _model_card(spec: bundles.BundleSpec, parity: Parity) -> str:
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in sorted(spec.metrics.items()))
    return f"""# Content filter from {spec.base_model}

Scores how likely a text ({spec.lang}) is toxic; flagged from {spec.threshold:.3f} on. Decided by the encoder{
        " together with a linear model of character n-grams" if spec.ngram_version else " alone"
    }. Beside toxicity it scores {", ".join(sorted(spec.attributes)) or "nothing"}. Made by Content Arena with QLoRA
(NF4, LoRA r={spec.training["lora_rank"]} alpha={spec.training["lora_alpha"]}), exported to ONNX int8.

| figure of the training run | value |
|---|---|
{figures}

Parity with the trained model on {parity.n} validation texts: {parity.agreement:.1%} equal verdicts, largest score
difference {parity.max_difference:.3f}. Texts are read through canonicaliser version {spec.canonical_version}; serve it
with code that has this version.

Not for: decisions about people without a person who can overrule them; languages other than {spec.lang}; kinds of text
that its corpus does not hold.
"""
