"""Korean syllables set apart or in another order.

Source: Lee et al. 2025, "KOTOX" (spacing, syllable order, symbols inserted).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.text import hangul

_SYMBOLS = "♡♥★☆※♪●◆"
#: From this many syllables on two inner ones can be exchanged and the word still be read.
_LONG = 3


class KoSpaceSymbol(Strategy):
    """Sets syllables apart by spaces or symbols, or exchanges two: ``바♡보``, ``멍이청``."""

    name = "ko_space_symbol"
    family = "ko"
    langs = frozenset({"ko"})
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of two Hangul syllables or more, and of nothing else."""

        def edit(word: str) -> str:
            kind = rng.randrange(3 if _can_exchange(word) else 2)
            if kind == 0:
                return " ".join(word)
            if kind == 1:
                return rng.choice(_SYMBOLS).join(word)
            at = rng.choice(_exchanges(word))
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

        return edit_words(
            text, rng, intensity, span, edit, lambda word: len(word) > 1 and all(map(hangul.is_syllable, word))
        )


def _exchanges(word: str) -> list[int]:
    """Where a syllable may be exchanged with the next one; the first stays, and the last of a longer word."""
    if len(word) < _LONG:
        return []
    return [i for i in range(1, max(2, len(word) - 2)) if word[i] != word[i + 1]]


def _can_exchange(word: str) -> bool:
    return bool(_exchanges(word))
