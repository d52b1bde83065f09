"""Hangul that looks like other Hangul.

Source: Lee et al. 2025, "KOTOX"; what Korean calls yaminjeongeum (``멍멍이`` as ``댕댕이``, ``명작`` as ``띵작``).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.text import hangul

#: Pairs of initial and vowel that look alike, whatever the final.
_PAIRS = (("ㄷㅐ", "ㅁㅓ"), ("ㄱㅟ", "ㅋㅓ"), ("ㄱㅘ", "ㅍㅏ"), ("ㅁㅕ", "ㄸㅣ"), ("ㅂㅣ", "ㄴㅔ"))
_ALIKE = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
#: Whole syllables that look like another sign.
_WHOLE = {"유": "윾", "왕": "앟", "고": "ㅍ"}


class KoYamin(Strategy):
    """Replaces syllables by look-alikes: ``귀`` becomes ``커``, ``멍`` ``댕``."""

    name = "ko_yamin"
    family = "ko"
    langs = frozenset({"ko"})
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word with a syllable that has a look-alike, all of them change."""
        return edit_words(text, rng, intensity, span, _look_alike, lambda word: _look_alike(word) != word)


def _look_alike(word: str) -> str:
    return "".join(map(_other, word))


def _other(char: str) -> str:
    """What a character looks like; itself where there is nothing."""
    if char in _WHOLE or not hangul.is_syllable(char):
        return _WHOLE.get(char, char)
    initial, vowel, final = hangul.decompose(char)
    alike = _ALIKE.get(initial + vowel)
    return hangul.compose(alike[0], alike[1], final) if alike else char
