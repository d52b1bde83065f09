"""What the model says of texts, and the answers that are made of it in both KServe protocols; pure functions."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
from kserve import InferOutput, InferRequest, InferResponse


class TensorSpec(TypedDict):
    """A tensor of the V2 protocol, as a model's metadata names it; -1 in the shape is any length."""

    name: str
    datatype: str
    shape: list[int]


INPUTS: list[TensorSpec] = [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
OUTPUTS: list[TensorSpec] = [
    {"name": "toxic_score", "datatype": "FP32", "shape": [-1]},
    {"name": "is_toxic", "datatype": "BOOL", "shape": [-1]},
    {"name": "confidence", "datatype": "FP32", "shape": [-1]},
    {"name": "model_version", "datatype": "BYTES", "shape": [-1]},
]
#: More outputs, for a request that asks for them: what was read, and a column for each attribute of the version.
READ_AS: TensorSpec = {"name": "read_as", "datatype": "BYTES", "shape": [-1]}
ATTRIBUTES = "attributes"


@dataclass(frozen=True)
class Judgement:
    """Scores and verdicts of n texts.

    Attributes:
        scores: float32[n], probability of toxic.
        verdicts: bool[n], True for toxic.
        confidence: float32[n], see :func:`confidence`.
        version: Version of the model that judged.
        seconds: Time that it took, without waiting.
        read_as: What the model read, for each text; None if it was not asked for.
        attributes: By name float32[n], probabilities of what is judged beside toxicity; None if it was not asked for.
    """

    scores: npt.NDArray[np.float32]
    verdicts: npt.NDArray[np.bool_]
    confidence: npt.NDArray[np.float32]
    version: str
    seconds: float = 0.0
    read_as: list[str] | None = None
    attributes: dict[str, npt.NDArray[np.float32]] | None = None


def confidence(
    scores: npt.NDArray[np.float32], verdicts: npt.NDArray[np.bool_], threshold: float
) -> npt.NDArray[np.float32]:
    """The distance of a score from the threshold, as a share of the largest distance on its side.

    ``(score - threshold) / (1 - threshold)`` for toxic, ``(threshold - score) / threshold`` for benign: 0 is a score on
    the threshold, 1 a score of 1 or 0. On a side without any distance (threshold 0 or 1) it is 0.

    Args:
        scores: float32[n] in [0, 1].
        verdicts: bool[n], True for toxic.
        threshold: In [0, 1].

    Returns:
        float32[n] in [0, 1].
    """
    room = np.where(verdicts, 1.0 - threshold, threshold)
    distance = np.abs(scores.astype(np.float64) - threshold)
    share = np.divide(distance, room, out=np.zeros_like(distance), where=room > 0)
    return np.clip(share, 0.0, 1.0).astype(np.float32)


def attribute_output(name: str) -> TensorSpec:
    """The V2 output of an attribute."""
    return {"name": name, "datatype": "FP32", "shape": [-1]}


def v1_answer(judgement: Judgement) -> dict[str, Any]:
    """The V1 response body."""
    columns = (judgement.scores.tolist(), judgement.verdicts.tolist(), judgement.confidence.tolist())
    predictions: list[dict[str, Any]] = [
        {"toxic_score": score, "is_toxic": verdict, "confidence": sure, "model_version": judgement.version}
        for score, verdict, sure in zip(*columns, strict=True)
    ]
    for prediction, text in zip(predictions, judgement.read_as or (), strict=False):
        prediction["read_as"] = text
    if judgement.attributes is not None:
        rows = zip(*(column.tolist() for column in judgement.attributes.values()), strict=True)
        by_text = [dict(zip(judgement.attributes, row, strict=True)) for row in rows] or [{} for _ in predictions]
        for prediction, scores in zip(predictions, by_text, strict=True):
            prediction[ATTRIBUTES] = scores
    return {"predictions": predictions, "inference_time_ms": _milliseconds(judgement)}


def v2_answer(judgement: Judgement, request: InferRequest) -> InferResponse:
    """The V2 response to ``request``, in the outputs and the format it asked for."""
    n = len(judgement.scores)
    versions = [judgement.version] * n
    columns: list[Iterable[object]] = [judgement.scores, judgement.verdicts, judgement.confidence, versions]
    described = list(OUTPUTS)
    if judgement.read_as is not None:
        columns.append(judgement.read_as)
        described.append(READ_AS)
    for name, column in (judgement.attributes or {}).items():
        columns.append(column)
        described.append(attribute_output(name))
    outputs = [
        InferOutput(output["name"], [n], output["datatype"], data=list(column))
        for output, column in zip(described, columns, strict=True)
    ]
    return InferResponse(
        response_id=request.id or str(uuid.uuid4()),
        model_name=request.model_name,
        model_version=judgement.version,
        infer_outputs=outputs,
        use_binary_outputs=request.use_binary_outputs,
        requested_outputs=request.request_outputs,
        parameters={"inference_time_ms": _milliseconds(judgement)},
    )


def _milliseconds(judgement: Judgement) -> float:
    return round(judgement.seconds * 1000, 3)
