"""Writes tiny files in the format of the package that holds multilingual-e5-small in 4 bits."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import numpy as np

from content_arena.components.qlora_training.multilingual import packed
from content_arena.components.qlora_training.multilingual.conversion import Source

SHAPE = packed.Shape(hidden=32, layers=1, heads=2, feed_forward=64, positions=64, token_types=2, epsilon=1e-12)
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
#: Pieces with a letter or more; the last one has an id above the limit in the tests that lower it.
PIECES = (
    *SPECIAL, "▁", *"abcdefghijklmnopqrstuvwxyz가나다바보어요ㅋ.!?아안녕하세", "▁you", "▁idiot", "▁nice", "▁바보",
    "안녕", "하세요", "...", "▁слово", "слово", "с", "▁rare",
)  # fmt: skip


def scores(n: int = len(PIECES)) -> list[float]:
    """Log probabilities: 0 for special tokens, else the longer a piece, the likelier."""
    return [0.0 if i < len(SPECIAL) else -12.0 + len(PIECES[i % len(PIECES)]) for i in range(n)]


def tensors(seed: int = 0) -> dict[str, tuple[int, np.ndarray]]:
    """Type and random weights of every tensor, by name."""
    rng = np.random.default_rng(seed)
    hidden, inner = SHAPE.hidden, SHAPE.feed_forward
    q4, full = packed.Q4_0, packed.FLOAT32
    found = {
        "emb.word": (q4, rng.normal(size=(len(PIECES) + 3) * hidden)),  # the real file has more rows than pieces
        "emb.pos": (full, rng.normal(size=SHAPE.positions * hidden)),
        "emb.type": (full, rng.normal(size=SHAPE.token_types * hidden)),
        "emb.ln.w": (full, np.ones(hidden)),
        "emb.ln.b": (full, np.zeros(hidden)),
    }
    sizes = {"q": (hidden, hidden), "k": (hidden, hidden), "v": (hidden, hidden), "ao": (hidden, hidden),
             "fi": (inner, hidden), "fo": (hidden, inner)}  # fmt: skip
    for layer in range(SHAPE.layers):
        for name, (out, into) in sizes.items():
            found[f"l{layer}.{name}.w"] = (q4, rng.normal(size=out * into))
            found[f"l{layer}.{name}.b"] = (full, rng.normal(size=out))
        for name in ("aln", "oln"):
            found[f"l{layer}.{name}.w"] = (full, np.ones(hidden))
            found[f"l{layer}.{name}.b"] = (full, np.zeros(hidden))
    return found


def pack_q4_0(weights: np.ndarray) -> bytes:
    """The weights as ggml stores them: the scale is the largest weight / -8."""
    blocks = weights.reshape(-1, packed.BLOCK).astype(np.float32)
    largest = blocks[np.arange(len(blocks)), np.abs(blocks).argmax(1)]
    scale = (largest / -8).astype(np.float16)
    inverse = np.where(scale == 0, 0, 1 / np.where(scale == 0, 1, scale.astype(np.float32)))
    numbers = np.clip(np.round(blocks * inverse[:, None]) + 8, 0, 15).astype(np.uint8)
    half = packed.BLOCK // 2
    joined = numbers[:, :half] | (numbers[:, half:] << 4)
    return b"".join(one.tobytes() + row.tobytes() for one, row in zip(scale, joined, strict=True))


def content(seed: int = 0) -> bytes:
    """A whole file."""
    pieces = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, pieces)]).astype("<u4")
    head = packed.HEADER.pack(
        packed.MAGIC, packed.VERSION, SHAPE.hidden, SHAPE.layers, SHAPE.heads, SHAPE.feed_forward, len(PIECES) + 3,
        SHAPE.positions, SHAPE.token_types, SHAPE.epsilon, packed.BLOCK,
    )  # fmt: skip
    head += packed.VOCABULARY_HEADER.pack(len(pieces), 0, 2, 1, 3, offsets[-1])
    head += offsets.tobytes() + np.array(scores(), "<f4").tobytes() + b"".join(pieces)
    head += packed.REPLACEMENTS_HEADER.pack(1, 9) + struct.pack("<IBI", 0xFF21, 1, ord("A"))
    bodies = {
        name: (kind, weights.size, pack_q4_0(weights) if kind == packed.Q4_0 else weights.astype("<f4").tobytes())
        for name, (kind, weights) in tensors(seed).items()
    }
    offset = len(head) + 4 + sum(2 + len(name) + packed.TENSOR_ENTRY.size for name in bodies)
    directory = struct.pack("<i", len(bodies))
    for name, (kind, count, body) in bodies.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += packed.TENSOR_ENTRY.pack(kind, count, offset, len(body))
        offset += len(body)
    return head + directory + b"".join(body for _, _, body in bodies.values())


def install(folder: Path, package: str = "tiny_e5", seed: int = 0) -> Source:
    """Makes a package with the file in ``folder``, which has to be on the path, and says how to check it.

    Importing the package fails, as nothing has to import it.
    """
    data = content(seed)
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (folder / package / "weights.bin").write_bytes(data)
    return Source(package, "weights.bin", len(data), hashlib.sha256(data).hexdigest())
