"""Embeddings of 4-bit numbers are stored in 4 bits, and no others."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from content_arena.components.qlora_training.four_bits import is_four_bit, quantise_embeddings

RNG = np.random.default_rng(0)
SCALES = RNG.uniform(0.01, 0.1, size=(40, 2)).astype(np.float32)
FOUR_BIT = (RNG.integers(-8, 8, size=(40, 2, 32)) * SCALES[..., None]).astype(np.float32).reshape(40, 64)
OTHER = RNG.normal(size=(40, 64)).astype(np.float32)


def model(*tables):
    """Adds up the same row of every table."""
    rows = helper.make_tensor_value_info("rows", TensorProto.INT64, ["n"])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 64])
    weights = [numpy_helper.from_array(table, f"table{i}") for i, table in enumerate(tables)]
    nodes = [helper.make_node("Gather", [one.name, "rows"], [f"row{i}"], f"gather{i}") for i, one in enumerate(weights)]
    nodes.append(helper.make_node("Sum", [f"row{i}" for i in range(len(tables))], ["out"]))
    graph = helper.make_graph(nodes, "g", [rows], [out], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(made, rows):
    session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["out"], {"rows": np.array(rows, dtype=np.int64)})[0]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (FOUR_BIT, True),
        (OTHER, False),
        (np.zeros((3, 32), np.float32), True),
        (FOUR_BIT.astype(np.float64), False),
        (FOUR_BIT[:, :40], False),
        (FOUR_BIT.reshape(-1), False),
        (np.zeros((0, 32), np.float32), False),
    ],
    ids=["four bits", "float", "zeros", "double", "no whole blocks", "one dimension", "empty"],
)
def test_tells_4_bit_numbers(table, expected):
    assert is_four_bit(table) is expected


def test_numbers_rounded_to_bfloat16_are_still_4_bit_numbers():
    import torch

    assert is_four_bit(torch.from_numpy(FOUR_BIT).to(torch.bfloat16).float().numpy())


def test_a_table_of_4_bit_numbers_becomes_small_and_changes_little():
    before = model(FOUR_BIT)
    size = before.ByteSize()
    after = quantise_embeddings(model(FOUR_BIT))
    assert [node.op_type for node in after.graph.node] == ["GatherBlockQuantized", "Sum"]
    assert after.ByteSize() < size / 4
    step = np.repeat(SCALES, 32, axis=1)
    assert (np.abs(run(after, range(40)) - FOUR_BIT) <= step).all()


def test_other_tables_stay_as_they_are():
    after = quantise_embeddings(model(FOUR_BIT, OTHER))
    assert [node.op_type for node in after.graph.node] == ["GatherBlockQuantized", "Gather", "Sum"]
    np.testing.assert_allclose(run(after, [3]), FOUR_BIT[[3]] + OTHER[[3]], atol=SCALES[3].max())


def test_a_model_without_such_tables_is_unchanged():
    assert onnx.helper.printable_graph(quantise_embeddings(model(OTHER)).graph) == onnx.helper.printable_graph(
        model(OTHER).graph
    )
