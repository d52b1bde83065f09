"""Hangul syllables with another final consonant.

Source: Lee et al. 2025, "KOTOX" (17 rules of Korean obfuscation).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.text import hangul

_ADDED_FINALS = "ㄱㄴㄹㅁㅂㅅㅇ"


class KoCoda(Strategy):
    """Adds, drops or changes the final consonant of a syllable: ``바보`` becomes ``밥보``."""

    name = "ko_coda"
    family = "ko"
    langs = frozenset({"ko"})

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word with a Hangul syllable, one of them is changed."""

        def edit(word: str) -> str:
            at = rng.choice([i for i, c in enumerate(word) if hangul.is_syllable(c)])
            initial, vowel, final = hangul.decompose(word[at])
            choices = [f for f in ("", *_ADDED_FINALS) if f != final]
            return word[:at] + hangul.compose(initial, vowel, rng.choice(choices)) + word[at + 1 :]

        return edit_words(text, rng, intensity, span, edit, hangul.has_syllable)
