"""Family ``ko``: what Hangul's syllable blocks allow.

Source: Lee et al. 2025, "KOTOX" (17 rules of Korean obfuscation); The Unicode Standard, section 3.12.
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy, edit_words
from content_arena.components.shared import hangul

_ADDED_FINALS = "ㄱㄴㄹㅁㅂㅅㅇ"


def _has_syllable(word: str) -> bool:
    return any(map(hangul.is_syllable, word))


class KoJamoSplit(Strategy):
    """Syllables typed as loose jamo: ``바보`` as ``ㅂㅏㅂㅗ``."""

    name = "ko_jamo_split"
    family = "ko"
    langs = frozenset({"ko"})

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word with a Hangul syllable."""

        def edit(word: str) -> str:
            return "".join("".join(hangul.decompose(c)) if hangul.is_syllable(c) else c for c in word)

        return edit_words(text, rng, intensity, span, edit, _has_syllable)


class KoCoda(Strategy):
    """A final consonant added, dropped or changed: ``바보`` as ``밥보``."""

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

        return edit_words(text, rng, intensity, span, edit, _has_syllable)
