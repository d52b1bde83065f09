"""Sets of shingles of many texts at once, as 64-bit hashes.

A shingle is a run of five characters. numpy hashes and sorts the shingles of thousands of texts in one call; a Python
object for each of them would take most of the time and of the memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHINGLE_LENGTH = 5
#: Added where a number of shingles is compared: 0.9 x 30 is a little more than 27 in floating point.
EPSILON = 1e-9

#: Hashes that a block has at most, unless one text has more: 16 MiB.
_BLOCK = 1 << 21
# Odd 64-bit constants: a shingle's hash is the mixed sum of (code point x constant), modulo 2**64.
_MULTIPLIERS = np.array(
    [0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F],
    dtype=np.uint64,
)
#: Fills up the rows of a block; it sorts behind every hash.
_FILL = np.uint64(2**64 - 1)

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int32]


def shingles_of(text: str) -> set[str]:
    """The shingles of a text; a shorter text is one shingle, filled up with NULs."""
    text = text.ljust(SHINGLE_LENGTH, "\0")
    return {text[start : start + SHINGLE_LENGTH] for start in range(len(text) - SHINGLE_LENGTH + 1)}


@dataclass(frozen=True)
class Block:
    """The shingles of some texts.

    Attributes:
        rows: Of the texts, int32[n].
        sizes: Number of distinct shingles of each text, int64[n].
        hashes: Their hashes, text by text, ascending within a text: uint64[sum of sizes].
    """

    rows: Rows
    sizes: NDArray[np.int64]
    hashes: Hashes


def blocks(texts: Sequence[str], rows: Rows) -> Iterator[Block]:
    """The shingles of texts, some thousand texts at a time, which keeps the memory small.

    Args:
        texts: All texts, without lone surrogates.
        rows: Places in ``texts`` of those that are wanted, the shortest text first: a block is a rectangle as wide as
            its longest text.
    """
    start = 0
    while start < len(rows):
        stop = min(len(rows), start + _fitting(texts[rows[start]]))
        # Its longest text makes a block wider.
        stop = min(stop, start + _fitting(texts[rows[stop - 1]]))
        yield _block(texts, rows[start:stop])
        start = stop


def _fitting(longest: str) -> int:
    """How many texts a block holds, at least one."""
    return max(1, _BLOCK // max(1, len(longest) - SHINGLE_LENGTH + 1))


def _block(texts: Sequence[str], rows: Rows) -> Block:
    wanted = [texts[row].ljust(SHINGLE_LENGTH, "\0") for row in rows.tolist()]
    widths = np.fromiter(map(len, wanted), dtype=np.int64, count=len(wanted)) - SHINGLE_LENGTH + 1
    hashes = _hashes("".join(wanted))
    ends = np.cumsum(widths + SHINGLE_LENGTH - 1)
    starts = ends - widths - SHINGLE_LENGTH + 1
    columns = np.arange(widths.max(initial=1))
    # Windows that reach into the next text, or further, are filled.
    table = hashes[np.minimum(starts[:, None] + columns, len(hashes) - 1)]
    table[columns >= widths[:, None]] = _FILL
    table.sort(axis=1)
    is_distinct = table != _FILL
    is_distinct[:, 1:] &= table[:, 1:] != table[:, :-1]
    return Block(rows, is_distinct.sum(axis=1), table[is_distinct])


def _hashes(text: str) -> Hashes:
    """The hash of every window of a text, mixed so that each bit depends on all characters (Steele et al. 2014)."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    n = len(codes) - SHINGLE_LENGTH + 1
    found: Hashes = codes[:n] * _MULTIPLIERS[0]
    for place in range(1, SHINGLE_LENGTH):
        found += codes[place : place + n] * _MULTIPLIERS[place]
    found ^= found >> np.uint64(30)
    found *= _MULTIPLIERS[1]
    found ^= found >> np.uint64(27)
    found *= _MULTIPLIERS[2]
    found ^= found >> np.uint64(31)
    return found
