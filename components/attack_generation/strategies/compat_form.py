"""Fullwidth, mathematical and circled letters.

Source: Unicode Standard Annex #15 (compatibility equivalence).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

# First code points of contiguous alphabets (capital A, small a); holes of the mathematical block avoided.
_ALPHABETS = {
    "fullwidth": (0xFF21, 0xFF41),
    "bold": (0x1D400, 0x1D41A),
    "sans": (0x1D5A0, 0x1D5BA),
    "monospace": (0x1D670, 0x1D68A),
    "circled": (0x24B6, 0x24D0),
}


class CompatForm(Strategy):
    """Writes words in fullwidth, mathematical or circled letters.

    All words of a text get the same alphabet, as from the generators on the web.
    """

    name = "compat_form"
    family = "unicode"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of ASCII letters."""
        capital, small = _ALPHABETS[rng.choice(sorted(_ALPHABETS))]

        def edit(word: str) -> str:
            return "".join(chr(capital + ord(c) - 65) if c.isupper() else chr(small + ord(c) - 97) for c in word)

        return edit_words(text, rng, intensity, span, edit, str.isascii)
