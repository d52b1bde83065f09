"""Matrices in int8: how near the products are, and that no token changes another's."""

import hypothesis.extra.numpy as arrays
import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from content_arena.components.qlora_training import vector_wise

INPUTS, OUTPUTS = 64, 48
RANDOM = np.random.default_rng(0)
MATRICES = {name: RANDOM.normal(size=(INPUTS, OUTPUTS)).astype(np.float32) for name in ("query", "key")}
TOKENS = RANDOM.normal(size=(2, 5, INPUTS)).astype(np.float32)


def graph(matrices=MATRICES):
    """Two matrices on the same tokens, and a linear layer on the first token of each text."""
    head = RANDOM.normal(size=(INPUTS, 2)).astype(np.float32)
    constants = [numpy_helper.from_array(value, name) for name, value in {**matrices, "head": head}.items()]
    constants.append(numpy_helper.from_array(np.array(0, dtype=np.int64), "first"))
    nodes = [helper.make_node("MatMul", ["tokens", name], [f"{name}s"], name=name) for name in MATRICES]
    nodes += [
        helper.make_node("Gather", ["tokens", "first"], ["pooled"], axis=1),
        helper.make_node("Gemm", ["pooled", "head"], ["logits"]),
    ]
    shapes = {"querys": OUTPUTS, "keys": OUTPUTS}
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", "t", n]) for name, n in shapes.items()]
    outputs.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", 2]))
    tokens = helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["b", "t", INPUTS])
    made = helper.make_graph(nodes, "small", [tokens], outputs, constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


MODEL = graph()
QUANTISED = vector_wise.quantise(MODEL, vector_wise.channels(MODEL, [{"tokens": TOKENS}]))


def run(model, tokens):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"tokens": tokens}), strict=True))


SESSION = ort.InferenceSession(QUANTISED.SerializeToString(), providers=["CPUExecutionProvider"])


ONE_SIDED = ort.InferenceSession(
    vector_wise.quantise(
        MODEL, vector_wise.channels(MODEL, [{"tokens": np.maximum(TOKENS, -0.17)}])
    ).SerializeToString(),
    providers=["CPUExecutionProvider"],
)


def queries(tokens):
    return SESSION.run(["querys"], {"tokens": tokens})[0]


def test_largest_and_least_values_are_those_of_all_batches():
    (found,) = vector_wise.channels(MODEL, [{"tokens": TOKENS[:1]}, {"tokens": TOKENS[1:]}]).values()
    np.testing.assert_array_equal(found.largest, np.abs(TOKENS).max(axis=(0, 1)))
    assert found.least == TOKENS.min()


@pytest.mark.parametrize("name", ["querys", "keys"])
def test_products_are_near_those_in_float32(name):
    expected, found = run(MODEL, TOKENS)[name], run(QUANTISED, TOKENS)[name]
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


def test_a_channel_that_is_always_large_costs_the_others_little():
    tokens = TOKENS.copy()
    tokens[..., 7] *= 30
    smoothed = vector_wise.quantise(MODEL, vector_wise.channels(MODEL, [{"tokens": tokens}]))
    unaware = vector_wise.quantise(MODEL, vector_wise.channels(MODEL, [{"tokens": TOKENS}]))
    expected = run(MODEL, tokens)["querys"]
    errors = [np.abs(run(model, tokens)["querys"] - expected).mean() for model in (smoothed, unaware)]
    assert errors[0] < errors[1] / 2


def test_values_that_are_hardly_negative_are_rounded_in_finer_steps():
    """As after GELU, whose least value is -0.17."""
    tokens = np.maximum(TOKENS, -0.17)
    entering = vector_wise.channels(MODEL, [{"tokens": tokens}])
    both_signs = {name: each._replace(least=-float(each.largest.max())) for name, each in entering.items()}
    expected = run(MODEL, tokens)["querys"]
    errors = [
        np.abs(run(vector_wise.quantise(MODEL, each), tokens)["querys"] - expected).mean()
        for each in (entering, both_signs)
    ]
    # Rounding the matrix is a part of both errors.
    assert errors[0] < 0.9 * errors[1]


def test_a_value_below_the_least_that_was_seen_is_read_as_the_least():
    seen = np.maximum(TOKENS, -0.17)
    quantised = vector_wise.quantise(MODEL, vector_wise.channels(MODEL, [{"tokens": seen}]))
    lower = np.where(seen == np.float32(-0.17), np.float32(-5), seen)
    np.testing.assert_array_equal(run(quantised, lower)["querys"], run(quantised, seen)["querys"])


@pytest.mark.parametrize("session", [SESSION, ONE_SIDED], ids=["both signs", "one sign"])
@given(
    arrays.arrays(np.float32, (3, INPUTS), elements=st.floats(-(2**20), 2**20, width=32)),
    st.integers(0, 2),
)
def test_no_token_changes_the_product_of_another(session, rows, chosen):
    together, alone = (
        session.run(["querys"], {"tokens": each})[0] for each in (rows[None], rows[None, chosen : chosen + 1])
    )
    np.testing.assert_array_equal(together[0, chosen], alone[0, 0])
    assert np.isfinite(together).all()


@given(arrays.arrays(np.float32, (INPUTS, 4), elements=st.floats(-100, 100, width=32)))
def test_two_products_fit_into_16_bits(matrix):
    """Some processors add the products of neighbours in 16 bits; a rounded activation is 255 at most."""
    weights = np.tile(matrix, OUTPUTS // 4)
    model = graph({"query": weights, "key": -weights})
    quantised = vector_wise.quantise(model, vector_wise.channels(model, [{"tokens": TOKENS}]))
    found = [
        numpy_helper.to_array(tensor) for tensor in quantised.graph.initializer if tensor.data_type == TensorProto.INT8
    ]
    assert len(found) == 2
    for each in found:
        assert np.abs(each[0::2].astype(int) + each[1::2]).max() * 255 < 2**15


def test_a_token_of_zeros_gives_zeros():
    np.testing.assert_array_equal(queries(np.zeros((1, 1, INPUTS), dtype=np.float32)), np.zeros((1, 1, OUTPUTS)))


def test_only_matrices_on_tokens_are_changed_and_the_given_model_is_not():
    before = MODEL.SerializeToString()
    again = vector_wise.quantise(MODEL, vector_wise.channels(MODEL, [{"tokens": TOKENS}]))
    assert MODEL.SerializeToString() == before
    assert again.SerializeToString() == QUANTISED.SerializeToString()
    np.testing.assert_array_equal(run(QUANTISED, TOKENS)["logits"], run(MODEL, TOKENS)["logits"])
    kinds = [node.op_type for node in QUANTISED.graph.node]
    assert kinds.count("QuantizeLinear") == 1, "what enters two matrices is rounded once"
    assert kinds.count("MatMulIntegerToFloat") == 2
    assert {tensor.name for tensor in QUANTISED.graph.initializer}.isdisjoint(MATRICES)
