"""Reading the 4-bit file: every weight, every piece, and damage."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.qlora_training.multilingual import packed
from tests import packed_e5


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "weights.bin"
    file.write_bytes(packed_e5.content())
    return file


def test_reads_shape_vocabulary_and_weights(path):
    found = packed.read(path)
    assert dataclasses.replace(found.shape, epsilon=packed_e5.SHAPE.epsilon) == packed_e5.SHAPE
    assert found.shape.epsilon == pytest.approx(packed_e5.SHAPE.epsilon)
    assert found.vocabulary.pieces == packed_e5.PIECES
    assert found.vocabulary.scores == pytest.approx(packed_e5.scores())
    assert found.vocabulary.special == {0, 1, 2, 3}
    written = packed_e5.tensors()
    assert found.tensors.keys() == written.keys()
    for name, (kind, weights) in written.items():
        # A 4-bit weight is off by at most half a step, an eighth of the block's largest weight, or by a whole one where
        # the numbers end.
        allowed = np.abs(weights).max() / 7 if kind == packed.Q4_0 else 1e-6
        np.testing.assert_allclose(found.tensors[name], weights, atol=allowed, err_msg=name)


def test_q4_0_is_scale_times_number_minus_8(path):
    block = np.array([-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7] * 2, dtype=np.float32)
    read = packed._weights(memoryview(packed_e5.pack_q4_0(block)), packed.Q4_0, 32, "a")
    np.testing.assert_array_equal(read, block)


@given(st.data())
def test_a_file_that_is_cut_off_is_refused(tmp_path_factory, data):
    whole = packed_e5.content()
    path = tmp_path_factory.mktemp("cut") / "weights.bin"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(packed.PackedFormatError):
        packed.read(path)


@pytest.mark.parametrize("at", [0, 4])
def test_another_format_is_refused(path, at):
    data = bytearray(path.read_bytes())
    data[at] += 1
    path.write_bytes(bytes(data))
    with pytest.raises(packed.PackedFormatError, match="is not a file of format"):
        packed.read(path)
