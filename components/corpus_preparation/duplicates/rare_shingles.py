"""An index of texts by their rarest shingles, for groups of texts that have most of their shingles in common.

Sets with a similarity of at least t share an element among the ``n - ceil(t * n) + 1`` of each that are rarest among
all of them (prefix filtering: Chaudhuri et al. 2006, "A primitive operator for similarity joins"; Bayardo et al. 2007,
"Scaling up all pairs similarity search"). What a template repeats in every text is never among these.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from content_arena.components.corpus_preparation.duplicates.shingles import EPSILON, Hashes, Rows, blocks

_BUCKET_BITS = 16
#: Largest frequency that is told apart.
_MOST_FREQUENT = (1 << 16) - 1


class RareShingles:
    """Finds the texts that may be near-duplicates of a text among those that were added."""

    def __init__(self, texts: Sequence[str], rows: Rows, threshold: float) -> None:
        """Takes the rows of all texts that will be added or asked for."""
        frequency = np.zeros(1 << _BUCKET_BITS, dtype=np.int64)
        by_length = np.array(sorted(rows.tolist(), key=lambda row: len(texts[row])), dtype=np.int32)
        for block in blocks(texts, by_length):
            frequency += np.bincount(_bucket(block.hashes), minlength=len(frequency))
        self._rarest: dict[int, list[int]] = {}
        for block in blocks(texts, by_length):
            bounds = np.append(0, np.cumsum(block.sizes)).tolist()
            for row, start, stop in zip(block.rows.tolist(), bounds, bounds[1:], strict=False):
                n = stop - start - math.ceil(threshold * (stop - start) - EPSILON) + 1
                self._rarest[row] = _rarest(block.hashes[start:stop], frequency, n)
        self._rows_with: dict[int, list[int]] = defaultdict(list)

    def add(self, row: int) -> None:
        """Adds a text to those that are found."""
        for shingle in self._rarest[row]:
            self._rows_with[shingle].append(row)

    def candidates(self, row: int) -> set[int]:
        """The texts that were added and may be near-duplicates of this one."""
        return {other for shingle in self._rarest[row] for other in self._rows_with.get(shingle, ())}


def _bucket(hashes: Hashes) -> NDArray[np.int64]:
    return (hashes >> np.uint64(64 - _BUCKET_BITS)).astype(np.int64)


def _rarest(hashes: Hashes, frequency: NDArray[np.int64], n: int) -> list[int]:
    """The first n in an order that is the same for all texts: by frequency, the rarest first, then by hash.

    The frequency stands in the upper bits of what is returned, the hash in the rest. Two shingles that this makes one
    give more candidates, and lose none.
    """
    how_often = np.minimum(frequency[_bucket(hashes)], _MOST_FREQUENT).astype(np.uint64)
    rarest: list[int] = np.sort((how_often << np.uint64(48)) | (hashes >> np.uint64(16)))[:n].tolist()
    return rarest
