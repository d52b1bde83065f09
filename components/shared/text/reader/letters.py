"""A model of letters, estimated from the words of a lexicon: how likely a string is to be a word at all.

It tells unlisted names from misspelt words. Names are built like other words, misspelt words are not: ``angelique`` is
likely, ``bicth`` is not. The model is of letter trigrams, interpolated with bigrams and single letters (Jelinek and
Mercer 1980).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

_WEIGHTS = (0.70, 0.22, 0.07, 0.01)
#: Number of letters in the uniform distribution that is mixed in, so that every string has a probability above 0.
_ALPHABET = 100


class LetterModel:
    """The surprisal, -ln p, of strings of letters, in nats."""

    def __init__(self, words: Iterable[str]) -> None:
        self._tri: Counter[str] = Counter()
        self._bi: Counter[str] = Counter()
        self._one: Counter[str] = Counter()
        self._after: Counter[str] = Counter()
        for word in words:
            padded = f"^^{word}$"
            for i in range(2, len(padded)):
                self._tri[padded[i - 2 : i + 1]] += 1
                self._bi[padded[i - 1 : i + 1]] += 1
                self._one[padded[i]] += 1
                self._after[padded[i - 2 : i]] += 1
        self._before = Counter[str]()
        for pair, n in self._bi.items():
            self._before[pair[0]] += n
        self._total = sum(self._one.values()) or 1

    def cost(self, letters: str) -> float:
        """The surprisal of the letters followed by the end of the word, in nats."""
        padded = f"^^{letters}$"
        total = 0.0
        for i in range(2, len(padded)):
            tri, bi, one = padded[i - 2 : i + 1], padded[i - 1 : i + 1], padded[i]
            after, before = self._after.get(tri[:2], 0), self._before.get(bi[0], 0)
            total -= math.log(
                (_WEIGHTS[0] * self._tri.get(tri, 0) / after if after else 0.0)
                + (_WEIGHTS[1] * self._bi.get(bi, 0) / before if before else 0.0)
                + _WEIGHTS[2] * self._one.get(one, 0) / self._total
                + _WEIGHTS[3] / _ALPHABET
            )
        return total
