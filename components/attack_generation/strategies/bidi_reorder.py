"""Letters stored in another order than they are shown in.

Sources: Boucher et al. 2022, "Bad Characters" (reorderings); Unicode Standard Annex #9 (bidirectional text).
"""

from __future__ import annotations

import unicodedata
from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

_RLO, _PDF, _LRI, _PDI = "\u202e", "\u202c", "\u2066", "\u2069"
#: Bidirectional classes beside which the controls could move what is shown: right-to-left letters, other controls,
#: and marks, which would leave their letter.
_SENSITIVE = frozenset(
    {"R", "AL", "AN", "NSM", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
)  # fmt: skip
#: Jamo that join to a syllable only in their order.
_CONJOINING = range(0x1100, 0x1200)


class BidiReorder(Strategy):
    """Stores letters in another order, with bidirectional controls that show them in the right one."""

    name = "bidi_reorder"
    family = "unicode"
    langs = None
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of two letters or more, in a text written left to right.

        A text with right-to-left letters, bidirectional controls or combining marks stays as it is.
        """
        if any(unicodedata.bidirectional(char) in _SENSITIVE or unicodedata.category(char) == "Mc" for char in text):
            return text

        def edit(word: str) -> str:
            if rng.random() < 0.5:
                # The isolate keeps the neighbours where they are: digits behind a right-to-left run would move.
                return f"{_LRI}{_RLO}{word[::-1]}{_PDF}{_PDI}"
            at = rng.randrange(len(word) - 1)
            return word[:at] + _swapped(word[at], word[at + 1]) + word[at + 2 :]

        return edit_words(text, rng, intensity, span, edit, _is_movable)


def _swapped(first: str, second: str) -> str:
    """Two characters in the wrong order that are shown in the right one."""
    return f"{_LRI}{_RLO}{_LRI}{second}{_PDI}{_LRI}{first}{_PDI}{_PDF}{_PDI}"


def _is_movable(word: str) -> bool:
    return len(word) > 1 and all(
        unicodedata.bidirectional(char) == "L" and ord(char) not in _CONJOINING for char in word
    )
