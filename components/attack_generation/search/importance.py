"""Which words of a text a filter goes by: how much its score falls without them.

Source: Li et al. 2016, "Understanding Neural Networks through Representation Erasure".
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import pairwise

from content_arena.components.attack_generation.search.door import Query
from content_arena.components.attack_generation.search.drafts import Draft


def ranked(
    original: Draft, score: float, n_probes: int
) -> Generator[Sequence[Query], Sequence[float | None], list[int]]:
    """Numbers of the words, the most important first.

    Where there are more words than probes, groups of neighbouring words are left out first, and then the words of the
    group without which the score is lowest. Words that nothing is known about follow, the longest first.

    Args:
        original: The text.
        score: The filter's score of it.
        n_probes: Queries that may be spent on it; with none, the words are ranked by their length.
    """
    words = list(range(len(original.places)))
    length = {word: original.places[word][1] - original.places[word][0] for word in words}
    fall = dict.fromkeys(words, 0.0)
    n_groups = len(words) if len(words) <= n_probes else (n_probes + 1) // 2
    groups = _split(words, n_groups)
    if len(words) > 1 and n_groups > 1:
        falls = yield from _without(original, score, groups)
        for group, fell in zip(groups, falls, strict=True):
            fall |= dict.fromkeys(group, fell / len(group))
        left = n_probes - n_groups
        if left > 1 and len(groups) < len(words):
            closer = _split(max(zip(falls, groups, strict=True))[1], left)
            falls = yield from _without(original, score, closer)
            for group, fell in zip(closer, falls, strict=True):
                fall |= dict.fromkeys(group, fell / len(group))
    return sorted(words, key=lambda word: (-fall[word], -length[word], word))


def _without(
    original: Draft, score: float, groups: Sequence[Sequence[int]]
) -> Generator[Sequence[Query], Sequence[float | None], list[float]]:
    """How much the score falls without each group."""
    answers = yield [Query(original.without(group)) for group in groups]
    return [0.0 if answer is None else score - answer for answer in answers]


def _split(words: Sequence[int], n: int) -> list[Sequence[int]]:
    """At most n groups of neighbours of nearly the same size, none of them empty."""
    n = max(1, min(n, len(words)))
    bounds = [round(i * len(words) / n) for i in range(n + 1)]
    return [words[start:end] for start, end in pairwise(bounds) if end > start]
