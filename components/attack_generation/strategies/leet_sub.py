"""Digits and symbols in place of letters.

Source: Röttger et al. 2021, "HateCheck" (functional test F29).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

_LEET = {"a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!", "l": "1|", "o": "0", "s": "5$", "t": "7"}


class LeetSub(Strategy):
    """Replaces letters by digits and symbols that look like them."""

    name = "leet_sub"
    family = "char"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word with a letter that has a look-alike, half of them change."""

        def edit(word: str) -> str:
            letters = list(word)
            places = [i for i, letter in enumerate(letters) if letter.lower() in _LEET]
            for i in rng.sample(places, (len(places) + 1) // 2):
                letters[i] = rng.choice(_LEET[letters[i].lower()])
            return "".join(letters)

        return edit_words(text, rng, intensity, span, edit, lambda word: any(c.lower() in _LEET for c in word))
