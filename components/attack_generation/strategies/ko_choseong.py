"""Korean words as the initials of their syllables.

Sources: Lee et al. 2025, "KOTOX" (17 rules of Korean obfuscation); common in Korean chat (``ㅅㅂ``, ``ㄱㅅ``).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.text import hangul


class KoChoseong(Strategy):
    """Leaves the initials of a word's syllables: ``바보`` becomes ``ㅂㅂ``."""

    name = "ko_choseong"
    family = "ko"
    langs = frozenset({"ko"})
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of two Hangul syllables or more."""

        def edit(word: str) -> str:
            return "".join(hangul.decompose(c)[0] if hangul.is_syllable(c) else c for c in word)

        return edit_words(text, rng, intensity, span, edit, lambda word: sum(map(hangul.is_syllable, word)) > 1)
