"""Spaces or punctuation between letters.

Source: Röttger et al. 2021, "HateCheck" (functional test F28).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

_GAPS = (" ", ".", "-", "*", "_", "/")


class CharSplit(Strategy):
    """Puts spaces or punctuation between the letters of a word; the same in all words of a text."""

    name = "char_split"
    family = "char"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of three letters or more."""
        gap = rng.choice(_GAPS)
        return edit_words(text, rng, intensity, span, gap.join, lambda word: len(word) >= 3)
