"""Finds texts that differ in a few characters only.

Definition: two texts are near-duplicates if the Jaccard similarity of their sets of 5-character shingles is at least
0.9. Texts of up to 13 characters have to be equal; in a text of 100 characters one place may differ.

The result is exact: candidates.py finds every pair that may be near, and each is compared here. MinHash, of the package
datasketch, misses some pairs near the threshold, by chance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from content_arena.components.corpus_preparation.duplicates.candidates import find_candidates
from content_arena.components.corpus_preparation.duplicates.rare_shingles import RareShingles
from content_arena.components.corpus_preparation.duplicates.shingles import EPSILON, shingles_of

THRESHOLD = 0.9

#: Members of a group that a text is compared with one by one. In a larger group, such as the comments made from one
#: template, an index of their rarest shingles chooses.
_MOST_COMPARED = 64


def near_duplicates(
    texts: Sequence[str], threshold: float = THRESHOLD, tell: Callable[[int, int], None] | None = None
) -> NDArray[np.bool_]:
    """Marks every text that is a near-duplicate of an earlier, unmarked one.

    Args:
        texts: Texts in the form that is compared (canonical, casefolded), without lone surrogates.
        threshold: Least Jaccard similarity of a near-duplicate, in (0, 1].
        tell: Called with the number of texts that are done, and of all.

    Returns:
        One flag a text, in the given order; the first of a group of near-duplicates is never marked.
    """
    marked = np.zeros(len(texts), dtype=bool)
    index = _Index(texts, threshold, tell)
    for row in index.rows:
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
    marked = np.zeros(len(others) + len(texts), dtype=bool)
    index = _Index([*others, *texts], threshold)
    for row in index.rows:
        if row < len(others):
            index.add(row)
        else:
            marked[row] = index.has_near(row)
    return marked[len(others) :]


class _Index:
    """Finds the near-duplicates of a text among those that were added.

    Attributes:
        rows: Places in ``texts`` of those that may have a near-duplicate, ascending.
    """

    def __init__(self, texts: Sequence[str], threshold: float, tell: Callable[[int, int], None] | None = None) -> None:
        """Takes every text that will be added or asked for; each is named by its place in ``texts``."""
        self._texts = texts
        self._threshold = threshold
        self._candidates = find_candidates(texts, threshold, tell)
        self.rows: list[int] = self._candidates.rows.tolist()
        self._place_of = {row: place for place, row in enumerate(self.rows)}
        self._added: dict[int, list[int]] = defaultdict(list)
        self._crowded: dict[int, RareShingles] = {}

    def add(self, row: int) -> None:
        """Adds a text to those that are found."""
        for group in self._groups(row):
            if group in self._crowded:
                self._crowded[group].add(row)
                continue
            self._added[group].append(row)
            if len(self._added[group]) > _MOST_COMPARED:
                self._crowd(group)

    def has_near(self, row: int) -> bool:
        """Whether a near-duplicate of a text was added."""
        one = shingles_of(self._texts[row])
        seen: set[int] = set()
        for group in self._groups(row):
            crowd = self._crowded.get(group)
            found = crowd.candidates(row) if crowd else self._added.get(group, ())
            for other in found:
                if other not in seen and self._is_near(one, other):
                    return True
                seen.add(other)
        return False

    def _groups(self, row: int) -> list[int]:
        return self._candidates.groups_of(self._place_of[row])

    def _crowd(self, group: int) -> None:
        """From here on the rarest shingles choose the members that a text is compared with."""
        index = RareShingles(self._texts, self._candidates.members_of(group), self._threshold)
        for row in self._added.pop(group):
            index.add(row)
        self._crowded[group] = index

    def _is_near(self, one: set[str], other: int) -> bool:
        two = shingles_of(self._texts[other])
        n_common = len(one & two)
        return n_common >= self._threshold * (len(one) + len(two) - n_common) - EPSILON
