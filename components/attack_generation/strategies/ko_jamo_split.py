"""Hangul syllables typed as loose jamo.

Sources: Lee et al. 2025, "KOTOX" (17 rules of Korean obfuscation); The Unicode Standard, section 3.12.
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.text import hangul


class KoJamoSplit(Strategy):
    """Types Hangul syllables as loose jamo: ``바보`` becomes ``ㅂㅏㅂㅗ``."""

    name = "ko_jamo_split"
    family = "ko"
    langs = frozenset({"ko"})

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word with a Hangul syllable."""

        def edit(word: str) -> str:
            return "".join("".join(hangul.decompose(c)) if hangul.is_syllable(c) else c for c in word)

        return edit_words(text, rng, intensity, span, edit, hangul.has_syllable)
