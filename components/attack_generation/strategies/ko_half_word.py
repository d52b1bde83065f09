"""Half a Korean word as consonants.

Source: seen in Korean comments (``ㅂ신``, ``ㅅ발``, ``ㅈ같네``); rule "initials" of Lee et al. 2025, "KOTOX".
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.text import hangul


class KoHalfWord(Strategy):
    """Writes the first syllables of a word as their initials and keeps the others: ``바보`` becomes ``ㅂ보``."""

    name = "ko_half_word"
    family = "ko"
    langs = frozenset({"ko"})
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word that begins with two Hangul syllables or more."""

        def edit(word: str) -> str:
            # Endings and particles follow the stem, so the front half is what a list of words looks for.
            n_initials = rng.randint(1, max(1, len(word) // 2))
            return "".join(map(_initial, word[:n_initials])) + word[n_initials:]

        return edit_words(
            text, rng, intensity, span, edit, lambda word: len(word) > 1 and all(map(hangul.is_syllable, word[:2]))
        )


def _initial(char: str) -> str:
    return hangul.decompose(char)[0] if hangul.is_syllable(char) else char
