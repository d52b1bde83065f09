"""Emoji between letters.

Source: Kirk et al. 2022, "Hatemoji"; Korean comments do it with syllables.
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies import pictures
from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words


class EmojiBetween(Strategy):
    """Puts an emoji between the letters of a word, or once into it: ``i👏d👏i👏o👏t``, ``바😊보``."""

    name = "emoji_between"
    family = "emoji"
    langs = None
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of two letters or more, one emoji for all of them."""
        picture = rng.choice(pictures.faces_and_things())
        everywhere = rng.random() < 0.5

        def edit(word: str) -> str:
            if everywhere:
                return picture.join(word)
            at = rng.randrange(1, len(word))
            return word[:at] + picture + word[at:]

        return edit_words(text, rng, intensity, span, edit, lambda word: len(word) > 1)
