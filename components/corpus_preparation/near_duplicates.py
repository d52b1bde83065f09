"""Finds texts that differ in a few characters only.

Definition: two texts are near-duplicates if the Jaccard similarity of their sets of 5-character shingles is at least
0.9. Texts of up to 13 characters have to be equal; in a text of 100 characters one place may differ.

The result is exact. Sets with a similarity of at least t must share an element among the rarest
``n - ceil(t * n) + 1`` of each (prefix filtering: Chaudhuri et al. 2006, "A primitive operator for similarity joins";
Bayardo et al. 2007, "Scaling up all pairs similarity search"), so an
index of these elements finds all candidates. Candidates are first compared by bitmaps, whose difference is a lower
bound of that of the sets. MinHash, of the package datasketch, misses some pairs near the threshold, by chance.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SHINGLE_LENGTH = 5
THRESHOLD = 0.9

_BUCKET_BITS = 22
_BITMAP_BITS = 1024
_EPSILON = 1e-9  # 0.9 x 30 is a little more than 27 in floating point.
# Odd 64-bit constants: a shingle's hash is the sum of (code point x constant), modulo 2**64.
_MULTIPLIERS = np.array(
    [0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F],
    dtype=np.uint64,
)

Hashes = NDArray[np.uint64]


def near_duplicates(texts: Sequence[str], threshold: float = THRESHOLD) -> NDArray[np.bool_]:
    """Marks every text that is a near-duplicate of an earlier, unmarked one.

    Args:
        texts: Texts in the form that is compared (canonical, casefolded), without lone surrogates.
        threshold: Least Jaccard similarity of a near-duplicate, in (0, 1].

    Returns:
        One flag a text, in the given order; the first of a group of near-duplicates is never marked.
    """
    marked = np.zeros(len(texts), dtype=bool)
    index = _Index(texts, threshold)
    for row in range(len(texts)):
        marked[row] = index.has_near(row)
        if not marked[row]:
            index.add(row)
    return marked


def near_to(texts: Sequence[str], others: Sequence[str], threshold: float = THRESHOLD) -> NDArray[np.bool_]:
    """Marks every text that is a near-duplicate of one of the others, whatever the texts are to each other.

    Args:
        texts: As for :func:`near_duplicates`.
        others: The texts to compare with, in the same form.
        threshold: As for :func:`near_duplicates`.

    Returns:
        One flag a text, in the given order.
    """
    index = _Index([*others, *texts], threshold)
    for row in range(len(others)):
        index.add(row)
    return np.array([index.has_near(len(others) + row) for row in range(len(texts))], dtype=bool)


class _Index:
    """Finds the near-duplicates of a text among those that were added."""

    def __init__(self, texts: Sequence[str], threshold: float) -> None:
        """Takes every text that will be added or asked for; each is named by its place in ``texts``."""
        self._threshold = threshold
        self._shingled = [_shingles(text) for text in texts]
        frequency = np.zeros(1 << _BUCKET_BITS if texts else 0, dtype=np.int32)
        for shingles in self._shingled:
            frequency[_bucket(shingles)] += 1
        self._bitmaps = [_bitmap(shingles) for shingles in self._shingled]
        self._prefixes = [_rarest(shingles, frequency, self._prefix_length(shingles)) for shingles in self._shingled]
        self._rows_with: dict[int, list[int]] = defaultdict(list)
        # The largest share of the elements of two sets of this similarity that are in one of them only.
        self._most_different = (1 - threshold) / (1 + threshold) + _EPSILON

    def add(self, row: int) -> None:
        """Adds a text to those that are found."""
        for shingle in self._prefixes[row]:
            self._rows_with[shingle].append(row)

    def has_near(self, row: int) -> bool:
        """Whether a near-duplicate of a text was added."""
        candidates = {other for shingle in self._prefixes[row] for other in self._rows_with.get(shingle, ())}
        return any(self._is_near(row, other) for other in candidates)

    def _is_near(self, row: int, other: int) -> bool:
        one, two = self._shingled[row], self._shingled[other]
        n_different = (self._bitmaps[row] ^ self._bitmaps[other]).bit_count()
        return n_different <= self._most_different * (len(one) + len(two)) and _is_near(one, two, self._threshold)

    def _prefix_length(self, shingles: Hashes) -> int:
        return len(shingles) - math.ceil(self._threshold * len(shingles) - _EPSILON) + 1


def _shingles(text: str) -> Hashes:
    """The distinct shingle hashes of a text, ascending; a shorter text is one shingle, filled up with zeros."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    if len(codes) < SHINGLE_LENGTH:
        codes = np.pad(codes, (0, SHINGLE_LENGTH - len(codes)))
    windows = np.lib.stride_tricks.sliding_window_view(codes, SHINGLE_LENGTH)
    return np.unique((windows * _MULTIPLIERS).sum(axis=1, dtype=np.uint64))


def _bucket(shingles: Hashes) -> NDArray[np.int64]:
    return (shingles >> np.uint64(64 - _BUCKET_BITS)).astype(np.int64)


def _bitmap(shingles: Hashes) -> int:
    """A set of bits, one for each shingle's hash modulo their number, as one integer."""
    bits = np.zeros(_BITMAP_BITS, dtype=bool)
    bits[(shingles % np.uint64(_BITMAP_BITS)).astype(np.int64)] = True
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _rarest(shingles: Hashes, frequency: NDArray[np.int32], n: int) -> list[int]:
    """The first n in an order that is the same for all texts: by frequency, the rarest first, then by value."""
    order = np.lexsort((shingles, frequency[_bucket(shingles)]))
    rarest: list[int] = shingles[order[:n]].tolist()
    return rarest


def _is_near(one: Hashes, other: Hashes, threshold: float) -> bool:
    smaller, larger = sorted((len(one), len(other)))
    if smaller < threshold * larger - _EPSILON:
        return False
    n_common = len(np.intersect1d(one, other, assume_unique=True))
    return n_common >= threshold * (smaller + larger - n_common) - _EPSILON
