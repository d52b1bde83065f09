"""The other side of corpus_rows.py: near-duplicates by prefix filtering alone, a Python object for each text.

The arena found them so before; what it finds now has to be the same. Prefix filtering: Chaudhuri et al. 2006, "A
primitive operator for similarity joins"; Bayardo et al. 2007, "Scaling up all pairs similarity search".
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LENGTH = 5
_BUCKET_BITS = 22
_BITMAP_BITS = 1024
_EPSILON = 1e-9
_MULTIPLIERS = np.array(
    [0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F],
    dtype=np.uint64,
)

Hashes = NDArray[np.uint64]


def near_duplicates(texts: Sequence[str], threshold: float = 0.9) -> NDArray[np.bool_]:
    """As ``near_duplicates`` of ``components/corpus_preparation/duplicates/near_duplicates.py``."""
    marked = np.zeros(len(texts), dtype=bool)
    index = _Index(texts, threshold)
    for row in range(len(texts)):
        marked[row] = index.has_near(row)
        if not marked[row]:
            index.add(row)
    return marked


class _Index:
    def __init__(self, texts: Sequence[str], threshold: float) -> None:
        self._threshold = threshold
        self._shingled = [_shingles(text) for text in texts]
        frequency = np.zeros(1 << _BUCKET_BITS, dtype=np.int32)
        for shingles in self._shingled:
            frequency[_bucket(shingles)] += 1
        self._bitmaps = [_bitmap(shingles) for shingles in self._shingled]
        self._prefixes = [
            _rarest(shingles, frequency, len(shingles) - math.ceil(threshold * len(shingles) - _EPSILON) + 1)
            for shingles in self._shingled
        ]
        self._rows_with: dict[int, list[int]] = defaultdict(list)
        self._most_different = (1 - threshold) / (1 + threshold) + _EPSILON

    def add(self, row: int) -> None:
        for shingle in self._prefixes[row]:
            self._rows_with[shingle].append(row)

    def has_near(self, row: int) -> bool:
        candidates = {other for shingle in self._prefixes[row] for other in self._rows_with.get(shingle, ())}
        return any(self._is_near(row, other) for other in candidates)

    def _is_near(self, row: int, other: int) -> bool:
        one, two = self._shingled[row], self._shingled[other]
        n_different = (self._bitmaps[row] ^ self._bitmaps[other]).bit_count()
        if n_different > self._most_different * (len(one) + len(two)):
            return False
        n_common = len(np.intersect1d(one, two, assume_unique=True))
        return n_common >= self._threshold * (len(one) + len(two) - n_common) - _EPSILON


def _shingles(text: str) -> Hashes:
    codes = np.frombuffer(text.ljust(_LENGTH, "\0").encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(codes, _LENGTH)
    return np.unique((windows * _MULTIPLIERS).sum(axis=1, dtype=np.uint64))


def _bucket(shingles: Hashes) -> NDArray[np.int64]:
    return (shingles >> np.uint64(64 - _BUCKET_BITS)).astype(np.int64)


def _bitmap(shingles: Hashes) -> int:
    bits = np.zeros(_BITMAP_BITS, dtype=bool)
    bits[(shingles % np.uint64(_BITMAP_BITS)).astype(np.int64)] = True
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _rarest(shingles: Hashes, frequency: NDArray[np.int32], n: int) -> list[int]:
    order = np.lexsort((shingles, frequency[_bucket(shingles)]))
    rarest: list[int] = shingles[order[:n]].tolist()
    return rarest
