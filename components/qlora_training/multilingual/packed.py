"""Reads the file that holds multilingual-e5-small in 4 bits: vocabulary, scores and weights.

Little endian: a header, the tokenizer's pieces with their scores, a table of character replacements (not used here),
the tensors' directory, the tensors. A tensor is float32, or Q4_0 as ggml defines it: blocks of 32 weights, each a
float16 scale and 32 numbers of 4 bits; a weight is the scale times the number minus 8.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

MAGIC = b"E5S1"
VERSION = 1
#: Weights in a Q4_0 block.
BLOCK = 32
FLOAT32, Q4_0 = 0, 1
HEADER = struct.Struct("<4sI7ifi")
VOCABULARY_HEADER = struct.Struct("<5iQ")
REPLACEMENTS_HEADER = struct.Struct("<iI")
TENSOR_ENTRY = struct.Struct("<BIQQ")
_BLOCK_TYPE = np.dtype([("scale", "<f2"), ("numbers", "u1", BLOCK // 2)])


class PackedFormatError(ValueError):
    """The file is not of the format that this module reads."""


@dataclass(frozen=True)
class Shape:
    """The sizes of the encoder, a BERT.

    Attributes:
        hidden: Size of a token's vector.
        layers: Number of layers.
        heads: Attention heads of a layer.
        feed_forward: Size of the inner layer.
        positions: Longest input, in tokens.
        token_types: Rows of the table of token types.
        epsilon: Of the layer normalisations.
    """

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int
    token_types: int
    epsilon: float


@dataclass(frozen=True)
class Vocabulary:
    """The pieces of a Unigram tokenizer (Kudo 2018), by id.

    Attributes:
        pieces: Texts of the pieces; ``▁`` stands for a space.
        scores: Log probabilities, one for each piece.
        bos: Id of the token that begins a text.
        eos: Id of the token that ends one.
        pad: Id of the token that fills a batch.
        unk: Id of the token for characters without a piece.
    """

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    bos: int
    eos: int
    pad: int
    unk: int

    @property
    def special(self) -> frozenset[int]:
        """The ids that stand for no text."""
        return frozenset((self.bos, self.eos, self.pad, self.unk))


@dataclass(frozen=True)
class Packed:
    """The content of the file.

    Attributes:
        shape: Sizes of the encoder.
        vocabulary: Its tokenizer's.
        tensors: float32 arrays by name, one-dimensional: the file has no shapes.
    """

    shape: Shape
    vocabulary: Vocabulary
    tensors: Mapping[str, npt.NDArray[np.float32]]


def read(path: Path) -> Packed:
    """Reads the whole file.

    Raises:
        PackedFormatError: It is cut off or of another format.
        OSError: It cannot be read.
    """
    data = path.read_bytes()
    try:
        magic, version, hidden, layers, heads, feed_forward, _, positions, types, epsilon, block = HEADER.unpack_from(
            data
        )
        if (magic, version, block) != (MAGIC, VERSION, BLOCK):
            raise PackedFormatError(f"{path} is not a file of format {MAGIC.decode()} {VERSION} in blocks of {BLOCK}")
        vocabulary, at = _vocabulary(data, HEADER.size)
        _, size = REPLACEMENTS_HEADER.unpack_from(data, at)
        tensors = _tensors(data, at + REPLACEMENTS_HEADER.size + size)
    except (struct.error, ValueError, UnicodeDecodeError) as error:
        if isinstance(error, PackedFormatError):
            raise
        raise PackedFormatError(f"{path} is cut off or damaged: {error}") from error
    return Packed(Shape(hidden, layers, heads, feed_forward, positions, types, epsilon), vocabulary, tensors)


def _vocabulary(data: bytes, at: int) -> tuple[Vocabulary, int]:
    """The vocabulary, and where it ends."""
    n, bos, eos, pad, unk, size = VOCABULARY_HEADER.unpack_from(data, at)
    at += VOCABULARY_HEADER.size
    offsets = np.frombuffer(data, "<u4", n + 1, at)
    at += offsets.nbytes
    scores = np.frombuffer(data, "<f4", n, at)
    at += scores.nbytes
    text = data[at : at + size]
    bounds = offsets.tolist()
    pieces = tuple(text[start:end].decode() for start, end in itertools.pairwise(bounds))
    return Vocabulary(pieces, tuple(scores.tolist()), bos, eos, pad, unk), at + size


def _tensors(data: bytes, at: int) -> dict[str, npt.NDArray[np.float32]]:
    (n,) = struct.unpack_from("<i", data, at)
    at += 4
    found: dict[str, npt.NDArray[np.float32]] = {}
    for _ in range(n):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        kind, count, offset, size = TENSOR_ENTRY.unpack_from(data, at + 2 + length)
        at += 2 + length + TENSOR_ENTRY.size
        if offset + size > len(data):
            raise PackedFormatError(f"tensor {name} ends behind the file's end")
        found[name] = _weights(memoryview(data)[offset : offset + size], kind, count, name)
    return found


def _weights(data: memoryview, kind: int, count: int, name: str) -> npt.NDArray[np.float32]:
    if kind == FLOAT32:
        weights = np.frombuffer(data, "<f4")
    elif kind == Q4_0:
        blocks = np.frombuffer(data, _BLOCK_TYPE)
        # The low halves of the bytes are the first 16 weights, the high halves the others.
        numbers = np.concatenate([blocks["numbers"] & 0xF, blocks["numbers"] >> 4], axis=1).astype(np.float32) - 8
        weights = (numbers * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)
    else:
        raise PackedFormatError(f"tensor {name} is of the unknown type {kind}")
    if weights.size != count:
        raise PackedFormatError(f"tensor {name} has {weights.size} weights, {count} were announced")
    return weights
