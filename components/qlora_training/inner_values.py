"""What a model computes on its way: values of its graph that are no outputs of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession


def session_with(model: ModelProto, names: Sequence[str]) -> InferenceSession:
    """A session of one thread whose outputs are the model's and these float32 values of its graph.

    Args:
        model: Unchanged.
        names: Of the values; none that is an output already.
    """
    import onnxruntime as ort
    from onnx import ModelProto, TensorProto, helper

    shown = ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
