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
    if not len(texts):
        return marked
    shingled = [_shingles(text) for text in texts]
    frequency = np.zeros(1 << _BUCKET_BITS, dtype=np.int32)
    for shingles in shingled:
        frequency[_bucket(shingles)] += 1
    bitmaps = [_bitmap(shingles) for shingles in shingled]
    index: dict[int, list[int]] = defaultdict(list)
    # The largest share of the elements of two sets of this similarity that are in one of them only.
    most_different = (1 - threshold) / (1 + threshold) + _EPSILON
    for row, shingles in enumerate(shingled):
        prefix = _rarest(shingles, frequency, len(shingles) - math.ceil(threshold * len(shingles) - _EPSILON) + 1)
        candidates = {other for shingle in prefix for other in index.get(shingle, ())}
        if any(
            (bitmaps[row] ^ bitmaps[other]).bit_count() <= most_different * (len(shingles) + len(shingled[other]))
            and _is_near(shingles, shingled[other], threshold)
            for other in candidates
        ):
            marked[row] = True
            continue
        for shingle in prefix:
            index[shingle].append(row)
    return marked


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
