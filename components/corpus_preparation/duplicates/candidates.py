"""Finds the pairs of texts that may be near-duplicates, without comparing every text with every other one.

Two sets that differ in at most d elements, divided into d + 1 parts by the same rule, are equal in one part at least
(Arasu et al. 2006, "Efficient exact set-similarity joins"; Deng et al. 2015, "An efficient partition based method for
exact set similarity joins"). So the texts of about one size form a group for each part in which their shingles are the
same, and texts that share no group are no near-duplicates. A part has about seven shingles, so that few texts share one
by chance. Rare shingles (rare_shingles.py) find these pairs as well, but each of them stands in more texts the more
texts there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from content_arena.components.corpus_preparation.duplicates.shingles import EPSILON, Block, Hashes, Rows, blocks

_HALF = np.uint64(32)
_LEAST_THRESHOLD = 0.85

Groups = NDArray[np.int32]


@dataclass(frozen=True)
class Candidates:
    """Which texts may be near-duplicates: those with a group in common.

    Attributes:
        rows: The texts that have a group, ascending: int32[n].
        starts: Where the groups of each of these texts start in ``groups``: int64[n + 1].
        groups: Their groups, text by text.
        bounds: Where the texts of each group start in ``members``: int64[number of groups + 1].
        members: Their texts, group by group.
    """

    rows: Rows
    starts: NDArray[np.int64]
    groups: Groups
    bounds: NDArray[np.int64]
    members: Rows

    @classmethod
    def of(cls, members: Sequence[Rows], n_members: Sequence[NDArray[np.int64]]) -> Candidates:
        """The candidates of groups.

        Args:
            members: The texts of the groups, in pieces.
            n_members: The number of texts of each group, in pieces.
        """
        of_groups = np.concatenate([np.zeros(0, dtype=np.int32), *members])
        bounds = np.cumsum(np.concatenate([np.zeros(1, dtype=np.int64), *n_members]))
        group_of = np.repeat(np.arange(len(bounds) - 1, dtype=np.int32), np.diff(bounds))
        order = np.argsort(of_groups, kind="stable")
        rows, starts = np.unique(of_groups[order], return_index=True)
        return cls(rows, np.append(starts, len(order)), group_of[order], bounds, of_groups)

    def groups_of(self, place: int) -> list[int]:
        """The groups of the text at a place in ``rows``."""
        groups: list[int] = self.groups[self.starts[place] : self.starts[place + 1]].tolist()
        return groups

    def members_of(self, group: int) -> Rows:
        """The texts of a group."""
        return self.members[self.bounds[group] : self.bounds[group + 1]]


def find_candidates(
    texts: Sequence[str], threshold: float, tell: Callable[[int, int], None] | None = None
) -> Candidates:
    """Groups the texts of which some may be near-duplicates.

    Args:
        texts: Texts without lone surrogates.
        threshold: Least Jaccard similarity of near-duplicates, in (0, 1]. Below 0.85 parts would have fewer than six
            shingles, which many texts share by chance: then all texts are one group.
        tell: Called with the number of texts that are done, and of all.
    """
    if threshold < _LEAST_THRESHOLD:
        return Candidates.of([np.arange(len(texts), dtype=np.int32)], [np.array([len(texts)])])
    lengths = np.fromiter(map(len, texts), dtype=np.int32, count=len(texts))
    by_length = np.argsort(lengths, kind="stable").astype(np.int32)
    sizes = np.zeros(len(texts), dtype=np.int32)
    for block in blocks(texts, by_length):
        sizes[block.rows] = block.sizes
    band_of = np.searchsorted(_bands(int(sizes.max(initial=0)), threshold), sizes[by_length], side="right")
    n_in = np.bincount(band_of, minlength=2)
    members: list[Rows] = []
    n_members: list[NDArray[np.int64]] = []
    n_hashed = 0
    for band in np.flatnonzero(n_in).tolist():
        # A near-duplicate of a text is in its band or beside it. A band is looked at together with the next one.
        is_last = band + 1 == len(n_in) or not n_in[band + 1]
        if is_last and n_in[band - 1]:
            continue
        rows = by_length[(band_of == band) | (band_of == band + 1)]
        for part in _signatures(texts, rows, _n_parts(int(sizes[rows].max()), threshold)).T:
            of_part, n_of_part = _alike(part, rows)
            members.append(of_part)
            n_members.append(n_of_part)
        n_hashed += len(rows)
        if tell is not None:
            # Most texts are in two bands.
            tell(n_hashed // 2, len(texts))
    return Candidates.of(members, n_members)


def _bands(largest: int, threshold: float) -> NDArray[np.int64]:
    """The sizes at which bands start, so that two sets of a similarity are in one band or in two that touch."""
    starts = [1]
    while starts[-1] <= largest:
        starts.append(int(starts[-1] / threshold + EPSILON) + 1)
    return np.array(starts)


def _n_parts(largest: int, threshold: float) -> int:
    """One more than the elements in which two sets of up to this size and of the least similarity differ."""
    return int((1 - threshold) / (1 + threshold) * 2 * largest + EPSILON) + 1


def _signatures(texts: Sequence[str], rows: Rows, n_parts: int) -> Hashes:
    """A hash of the shingles in each part, uint64[len(rows), n_parts], column by column in memory."""
    signatures = np.empty((len(rows), n_parts), dtype=np.uint64, order="F")
    start = 0
    for block in blocks(texts, rows):
        stop = start + len(block.rows)
        signatures[start:stop] = _signatures_of(block, n_parts)
        start = stop
    return signatures


def _signatures_of(block: Block, n_parts: int) -> Hashes:
    # The upper half of a hash chooses its part, so hashes in ascending order are sorted by part as well.
    part = ((block.hashes >> _HALF) * np.uint64(n_parts)) >> _HALF
    cell = np.repeat(np.arange(len(block.rows)) * n_parts, block.sizes) + part.astype(np.int64)
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    found = np.zeros(len(block.rows) * n_parts, dtype=np.uint64)
    found[cell[starts]] = np.add.reduceat(block.hashes, starts)
    return found.reshape(len(block.rows), n_parts)


def _alike(part: Hashes, rows: Rows) -> tuple[Rows, NDArray[np.int64]]:
    """The groups of texts with one hash of a part: their texts, group by group, and the number of each group's."""
    order = np.argsort(part)
    ordered = part[order]
    is_next_alike = ordered[1:] == ordered[:-1]
    is_alike = np.append(is_next_alike, False)
    is_alike[1:] |= is_next_alike
    ordered, members = ordered[is_alike], rows[order[is_alike]]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, dtype=int)
    return members, np.diff(np.append(starts, len(ordered)))
