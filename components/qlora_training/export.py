"""From a trained model to a bundle: merge, ONNX, int8, threshold, parity."""

from __future__ import annotations

import inspect
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.qlora_training import dataset
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.shared import bundle as bundles
from content_arena.components.shared.errors import ArenaError
from content_arena.components.shared.filter import WINDOW_STRIDE, ContentFilter
from content_arena.components.shared.reader.lexicon import Lexicon

#: Share of validation texts on which the exported model has to give the trained model's verdict.
MIN_AGREEMENT = 0.99
_OPSET = 18
_BLOCK_SIZE = 64
#: ONNX Runtime's ``accuracy_level`` of MatMulNBits, the least precise arithmetic it may use on int8 weights.
_INT8, _FLOAT32 = 4, 1
#: bfloat16 keeps eight bits of a number.
_BFLOAT16_ROUNDING = 2.0**-8
#: Thresholds whose Matthews correlation differs by less are equally good. Its standard error over the few hundred texts
#: of a validation split is about 0.04; the rule is the one-standard-error rule of Breiman et al. 1984, kept below it.
_MCC_TOLERANCE = 0.03


class ParityError(ArenaError):
    """The exported model does not decide as the trained one did."""


@dataclass(frozen=True)
class Parity:
    """How the exported int8 model compares with the trained torch model, on the same texts.

    Attributes:
        agreement: Share of equal verdicts at the exported model's threshold, in [0, 1]; see :func:`compare`.
        max_difference: Largest difference of two scores, in [0, 1].
        n: Number of texts.
    """

    agreement: float
    max_difference: float
    n: int


def export(
    model: Any,  # noqa: ANN401
    tokenizer: Any,  # noqa: ANN401
    settings: TrainingSettings,
    validation: pd.DataFrame,
    metrics: dict[str, float],
    destination: Path,
    provenance: Mapping[str, str] | None = None,
    max_fpr: float = 1.0,
    lexicon: Lexicon | None = None,
) -> bundles.Bundle:
    """Writes the bundle of a trained model.

    Args:
        model: The trained PEFT model.
        tokenizer: Its fast tokenizer.
        settings: It was trained with.
        validation: Columns text (canonical), label (1 toxic) and, with a lexicon, read; threshold and parity come from
            these.
        metrics: Figures of the training run, to be kept in the bundle.
        destination: Folder of the bundle; must not exist or be empty.
        provenance: What it was trained on, by name; kept beside the settings.
        max_fpr: See :func:`good_thresholds`.
        lexicon: Of the Reader it was trained through.

    Raises:
        ParityError: Under 99 % of the validation verdicts survive the export.
    """
    from sklearn.metrics import f1_score

    texts, labels = validation["text"].tolist(), validation["label"].to_numpy()
    destination.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix=".bundle-", dir=destination.parent))
    try:
        trained_scores = _torch_scores(model, tokenizer, dataset.read_texts(validation), settings.max_length)
        model.save_pretrained(room / bundles.ADAPTER, safe_serialization=True)
        tokenizer.save_pretrained(room / "tokenizer")
        if lexicon is not None:
            lexicon.save(room / bundles.LEXICON)
        full = room / "full.onnx"
        _write_onnx(_merge(room / bundles.ADAPTER, settings), tokenizer, full)
        spec = bundles.BundleSpec(
            base_model=settings.base_model, lang=settings.lang, threshold=0.5, max_length=settings.max_length
        )
        for arithmetic in (_INT8, _FLOAT32):
            _quantise(full, room / bundles.MODEL, arithmetic)
            scores = _bundle_scores(bundles.Bundle(room, spec), texts)
            # Of thresholds that are equally good, one where int8 gives the trained model's verdicts: scores that
            # quantisation moves a little are then not on its edge.
            cuts = good_thresholds(scores, labels, max_fpr)
            candidates = [(cut, compare(trained_scores, scores, cut)) for cut in cuts]
            agreeing = [pair for pair in candidates if pair[1].agreement >= MIN_AGREEMENT]
            threshold, parity = (agreeing or candidates)[0]
            if agreeing:
                break
        else:
            raise ParityError(
                f"the int8 model agrees with the trained one on {parity.agreement:.1%} of {parity.n} validation texts, "
                f"at least {MIN_AGREEMENT:.0%} are needed (largest score difference {parity.max_difference:.3f})"
            )
        full.unlink()
        spec = replace(
            spec,
            threshold=threshold,
            metrics={
                **metrics,
                "validation_f1": float(f1_score(labels, scores >= threshold)),
                "parity_agreement": parity.agreement,
                "parity_max_difference": parity.max_difference,
            },
            training=settings.as_dict() | dict(provenance or {}),
        )
        (room / "model_card.md").write_text(_model_card(spec, parity), encoding="utf-8")
        return bundles.seal(room, spec, destination)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def good_thresholds(
    scores: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], max_fpr: float = 1.0
) -> list[float]:
    """The thresholds with the highest Matthews correlation and those as good as that, the nearest to 0.5 first.

    F1 looks at one class only: on a corpus that is mostly toxic it is highest where nearly everything is flagged.
    Matthews' coefficient counts all four cells (Chicco and Jurman 2020). Its maximum over a few hundred texts is
    ragged, so thresholds within its standard error count as equal; two models are then compared at like thresholds
    instead of at the luck of two maxima.

    Args:
        scores: float32[n], probability of toxic.
        labels: int[n], 1 for toxic; both classes are there.
        max_fpr: Share of the benign texts that may be flagged, in [0, 1]; thresholds that flag more come last. With the
            champion's share on the same texts two models are compared at a matched operating point: a challenger is to
            catch more, not to flag more.
    """
    from sklearn.metrics import roc_curve

    fpr, tpr, cuts = roc_curve(labels, scores, drop_intermediate=False)
    n_toxic, n_benign = int(np.sum(labels)), int(len(labels) - np.sum(labels))
    tp, fp = tpr * n_toxic, fpr * n_benign
    fn, tn = n_toxic - tp, n_benign - fp
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    correlation = np.where(product > 0, (tp * tn - fp * fn) / np.sqrt(np.maximum(product, 1e-12)), 0.0)
    # A cut flags its own score; half-way to the next score below it does the same with room on both sides.
    below = np.append(cuts[1:], 0.0)
    middles = (np.minimum(cuts, 1.0) + below) / 2
    good = np.flatnonzero(correlation >= correlation.max() - _MCC_TOLERANCE)
    return [float(middles[i]) for i in sorted(good, key=lambda i: (fpr[i] > max_fpr, abs(middles[i] - 0.5)))]


def compare(reference: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], threshold: float) -> Parity:
    """Compares two models' scores, float32[n] each, of the same texts.

    A reference score within bfloat16's rounding of the threshold is a verdict for neither side: the trained model
    itself gives one or the other by the order of its additions.
    """
    undecided = np.abs(reference - threshold) <= _BFLOAT16_ROUNDING
    same = undecided | ((reference >= threshold) == (scores >= threshold))
    return Parity(float(same.mean()), float(np.abs(reference - scores).max()), len(scores))


def _torch_scores(model: Any, tokenizer: Any, texts: Sequence[str], max_length: int) -> npt.NDArray[np.float32]:  # noqa: ANN401
    import torch

    model.eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    scores = np.zeros(len(texts), dtype=np.float32)
    for start in range(0, len(order), 32):
        rows = order[start : start + 32]
        batch = tokenizer(
            [texts[i] for i in rows],
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=max_length,
            stride=WINDOW_STRIDE,
            return_overflowing_tokens=True,
        )
        windows = batch.pop("overflow_to_sample_mapping").tolist()
        with torch.inference_mode(), torch.autocast(model.device.type, dtype=torch.bfloat16):
            logits = model(**batch.to(model.device)).logits
        np.maximum.at(scores, [rows[i] for i in windows], logits.float().softmax(-1)[:, 1].cpu().numpy())
    return scores


def _merge(adapter: Path, settings: TrainingSettings) -> Any:  # noqa: ANN401
    """The adapter merged into the very weights it was trained on: NF4, taken back to float32.

    Merging into the original full-precision weights would be another model than the one validated.
    """
    import torch
    from peft import PeftModel

    from content_arena.components.qlora_training.trainer import load_quantised

    base = load_quantised(settings).dequantize().to("cpu", torch.float32)
    return PeftModel.from_pretrained(base, adapter).merge_and_unload().eval()


def _write_onnx(model: Any, tokenizer: Any, path: Path) -> None:  # noqa: ANN401
    """Writes the float32 model; inputs are what both tokenizer and model know, batch and length are free."""
    import torch

    accepted = set(inspect.signature(model.forward).parameters)
    encoded = tokenizer(["a text", "another, longer text"], return_tensors="pt", padding=True)
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in accepted and name in encoded]

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            return self.model(**dict(zip(names, inputs, strict=True))).logits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Logits(),
            tuple(encoded[name] for name in names),
            str(path),
            input_names=names,
            output_names=["logits"],
            dynamic_axes={name: {0: "batch", 1: "tokens"} for name in names} | {"logits": {0: "batch"}},
            opset_version=_OPSET,
            dynamo=False,
        )


def _quantise(full: Path, path: Path, arithmetic: int) -> None:
    """Quantises every matrix that is multiplied with to int8, block by block; embeddings and head stay float32.

    Blocks of 64 with activations quantised the same way keep 99.7 % of the verdicts of an all-MiniLM-L6-v2 (largest
    score difference 0.04); ONNX Runtime's dynamic quantisation, one scale a tensor, keeps 97.7 % (0.25) and runs half
    as fast again. Verdicts are what a filter is for.
    """
    import logging

    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    logging.getLogger("onnxruntime.quantization.matmul_nbits_quantizer").setLevel(logging.WARNING)
    config = DefaultWeightOnlyQuantConfig(block_size=_BLOCK_SIZE, is_symmetric=True, bits=8, accuracy_level=arithmetic)
    quantiser = MatMulNBitsQuantizer(onnx.load(full), algo_config=config)
    quantiser.process()
    onnx.save(quantiser.model.model, path)


def _bundle_scores(bundle: bundles.Bundle, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    scorer = ContentFilter(bundle)
    try:
        return scorer.score(texts)
    finally:
        scorer.close()


def _model_card(spec: bundles.BundleSpec, parity: Parity) -> str:
    figures = "\n".join(f"| {name} | {value:.4g} |" for name, value in sorted(spec.metrics.items()))
    return f"""# Content filter from {spec.base_model}

Scores how likely a text ({spec.lang}) is toxic; flagged from {spec.threshold:.3f} on. Made by Content Arena with QLoRA
(NF4, LoRA r={spec.training["lora_rank"]} alpha={spec.training["lora_alpha"]}), exported to ONNX int8.

| figure of the training run | value |
|---|---|
{figures}

Parity with the trained model on {parity.n} validation texts: {parity.agreement:.1%} equal verdicts, largest score
difference {parity.max_difference:.3f}. Texts are read through canonicaliser version {spec.canonical_version}; serve it
with code of that version only.

Not for: decisions about people without a person who can overrule them; languages other than {spec.lang}; kinds of text
that its corpus does not hold.
"""
