"""Finds texts that differ in a few characters only.

Definition: two texts are near-duplicates if the Jaccard similarity of their sets of 5-character shingles is at least
0.9. Texts of up to 13 characters have to be equal; in a text of 100 characters one place may differ.

The result is exact. Sets with a similarity of at least t must share an element among the rarest
``n - ceil(t * n) + 1`` of each (prefix filtering: Chaudhuri et al. 2006, "A primitive operator for similarity joins";
Bayardo et al. 2007, "Scaling up all pairs similarity search"), so an index of these elements finds all candidates. Most
of these elements occur in one text only: they are left out of the index, and a text without any other has no
near-duplicate. Candidates are first compared by bitmaps, whose difference is a lower bound of that of the sets.
MinHash, of the package datasketch, misses some pairs near the threshold, by chance.

Shingles are computed again where they are needed: those of two million texts would take a gigabyte and a half.
"""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

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

_CHUNK = 20_000
#: Shingle sets that are kept, the last ones asked for.
_KEPT_SETS = 200_000

Hashes = NDArray[np.uint64]
Rows = NDArray[np.int32]


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
        self._keys_of = _shared_keys(texts, threshold)
        self._set = functools.lru_cache(_KEPT_SETS)(lambda row: _ShingleSet.of(texts[row]))
        self._rows_with: dict[int, list[int]] = defaultdict(list)
        # The largest share of the elements of two sets of this similarity that are in one of them only.
        self._most_different = (1 - threshold) / (1 + threshold) + _EPSILON

    def add(self, row: int) -> None:
        """Adds a text to those that are found."""
        for key in self._keys_of.get(row, ()):
            self._rows_with[key].append(row)

    def has_near(self, row: int) -> bool:
        """Whether a near-duplicate of a text was added."""
        candidates = {other for key in self._keys_of.get(row, ()) for other in self._rows_with.get(key, ())}
        return any(self._is_near(row, other) for other in candidates)

    def _is_near(self, row: int, other: int) -> bool:
        one, two = self._set(row), self._set(other)
        n_different = (one.bitmap ^ two.bitmap).bit_count()
        if n_different > self._most_different * (len(one.shingles) + len(two.shingles)):
            return False
        return _is_near(one.shingles, two.shingles, self._threshold)


@dataclass(frozen=True)
class _ShingleSet:
    """The distinct shingle hashes of a text, ascending, and a bitmap of them."""

    shingles: Hashes
    bitmap: int

    @classmethod
    def of(cls, text: str) -> _ShingleSet:
        shingles = _shingles(text)
        return cls(shingles, _bitmap(shingles))


def _shared_keys(texts: Sequence[str], threshold: float) -> dict[int, list[int]]:
    """The rarest shingles of each text, as far as another text has them among its rarest; by the text's place."""
    frequency = np.zeros(1 << _BUCKET_BITS if texts else 0, dtype=np.int32)
    for text in texts:
        frequency[_bucket(_shingles(text))] += 1
    keys, rows = [np.empty(0, dtype=np.uint64)], [np.empty(0, dtype=np.int32)]
    for start in range(0, len(texts), _CHUNK):
        # Many small arrays would take more room than what is in them.
        rarest = [_rarest(_shingles(text), frequency, threshold) for text in texts[start : start + _CHUNK]]
        keys.append(np.concatenate(rarest))
        rows.append(np.repeat(np.arange(start, start + len(rarest), dtype=np.int32), list(map(len, rarest))))
    return _by_row(*_shared(np.concatenate(keys), np.concatenate(rows)))


def _shingles(text: str) -> Hashes:
    """The distinct shingle hashes of a text, ascending; a shorter text is one shingle, filled up with zeros."""
    codes = np.frombuffer(text.ljust(SHINGLE_LENGTH, "\0").encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    n = len(codes) - SHINGLE_LENGTH + 1
    hashes = codes[:n] * _MULTIPLIERS[0]
    for offset in range(1, SHINGLE_LENGTH):
        hashes += codes[offset : offset + n] * _MULTIPLIERS[offset]
    hashes.sort()
    is_new = np.empty(n, dtype=bool)
    is_new[0] = True
    np.not_equal(hashes[1:], hashes[:-1], out=is_new[1:])
    distinct: Hashes = hashes[is_new]
    return distinct


def _bucket(shingles: Hashes) -> NDArray[np.int64]:
    return (shingles >> np.uint64(64 - _BUCKET_BITS)).astype(np.int64)


def _bitmap(shingles: Hashes) -> int:
    """A set of bits, one for each shingle's hash modulo their number, as one integer."""
    bits = np.zeros(_BITMAP_BITS, dtype=bool)
    bits[(shingles % np.uint64(_BITMAP_BITS)).astype(np.int64)] = True
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _rarest(shingles: Hashes, frequency: NDArray[np.int32], threshold: float) -> Hashes:
    """The rarest shingles of a text, as many as a similarity of at least the threshold needs.

    They are taken in an order that is the same for all texts: by frequency, the rarest first, then by value.
    """
    n = len(shingles) - math.ceil(threshold * len(shingles) - _EPSILON) + 1
    # Shingles ascend, and the sorting is stable: those of one frequency stay in the order of their values.
    order = np.argsort(frequency[_bucket(shingles)], kind="stable")
    rarest: Hashes = shingles[order[:n]]
    return rarest


def _shared(keys: Hashes, rows: Rows) -> tuple[Hashes, Rows]:
    """The keys that more than one row has, ordered by row."""
    order = np.argsort(keys, kind="stable")
    keys, rows = keys[order], rows[order]
    same = keys[1:] == keys[:-1]
    is_shared = np.zeros(len(keys), dtype=bool)
    is_shared[1:] |= same
    is_shared[:-1] |= same
    keys, rows = keys[is_shared], rows[is_shared]
    order = np.argsort(rows, kind="stable")
    return keys[order], rows[order]


def _by_row(keys: Hashes, rows: Rows) -> dict[int, list[int]]:
    """Lists of keys by row; rows without any are left out."""
    found, starts = np.unique(rows, return_index=True)
    limits = pairwise([*starts.tolist(), len(rows)])
    return {row: keys[start:end].tolist() for row, (start, end) in zip(found.tolist(), limits, strict=True)}


def _is_near(one: Hashes, other: Hashes, threshold: float) -> bool:
    smaller, larger = sorted((len(one), len(other)))
    if smaller < threshold * larger - _EPSILON:
        return False
    n_common = len(np.intersect1d(one, other, assume_unique=True))
    return n_common >= threshold * (smaller + larger - n_common) - _EPSILON
