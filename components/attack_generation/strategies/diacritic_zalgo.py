"""Combining marks on letters.

Source: The Unicode Standard, section 2.11 (combining characters).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

_MARKS = [chr(code) for code in (*range(0x0300, 0x0315), *range(0x0323, 0x032A), 0x0334, 0x0335, 0x0336, 0x0337)]


class DiacriticZalgo(Strategy):
    """Adds combining marks to letters."""

    name = "diacritic_zalgo"
    family = "unicode"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word, each of its letters gets up to two marks."""

        def edit(word: str) -> str:
            return "".join(letter + "".join(rng.choices(_MARKS, k=rng.randint(0, 2))) for letter in word)

        return edit_words(text, rng, intensity, span, edit, lambda word: True)
