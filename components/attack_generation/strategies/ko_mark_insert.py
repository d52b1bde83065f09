"""A digit or a mark inside a Korean word.

Source: seen in Korean comments (``병1신``, ``시!발``, ``개.새끼``); rule "symbols" of Lee et al. 2025, "KOTOX".
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.text import hangul

#: 1 is what people put in most often.
_MARKS = "1111!!..~^*@2/-_ㅡㅣ"


class KoMarkInsert(Strategy):
    """Puts one digit or mark between two syllables of a word: ``바보`` becomes ``바1보``."""

    name = "ko_mark_insert"
    family = "ko"
    langs = frozenset({"ko"})
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word with two Hangul syllables in a row."""

        def edit(word: str) -> str:
            at = rng.choice(_joints(word))
            return word[:at] + rng.choice(_MARKS) + word[at:]

        return edit_words(text, rng, intensity, span, edit, lambda word: bool(_joints(word)))


def _joints(word: str) -> list[int]:
    """Where a syllable follows a syllable."""
    return [i for i in range(1, len(word)) if hangul.is_syllable(word[i - 1]) and hangul.is_syllable(word[i])]
