"""Zero-width characters and soft hyphens inside words.

Source: Boucher et al. 2022, "Bad Characters: Imperceptible NLP Attacks".
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

_INVISIBLE = "\u200b\u200c\u200d\u2060\u00ad"


class InvisibleInsert(Strategy):
    """Inserts zero-width characters and soft hyphens into words; a reader sees no difference."""

    name = "invisible_insert"
    family = "unicode"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of two letters or more."""

        def edit(word: str) -> str:
            at = rng.randrange(1, len(word))
            return word[:at] + rng.choice(_INVISIBLE) + word[at:]

        return edit_words(text, rng, intensity, span, edit, lambda word: len(word) > 1)
