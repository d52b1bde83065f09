"""Letters as emoji.

Source: Kirk et al. 2022, "Hatemoji" (emoji in the place of letters); The Unicode Standard, section 22.10 (enclosed
alphanumerics).
"""

from __future__ import annotations

import string
import unicodedata
from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

_FLAG_LETTERS = {
    letter: unicodedata.lookup(f"REGIONAL INDICATOR SYMBOL LETTER {letter}") for letter in string.ascii_uppercase
}
_BOXED = {
    letter: unicodedata.lookup(f"NEGATIVE SQUARED LATIN CAPITAL LETTER {letter}") for letter in string.ascii_uppercase
}
#: Emoji that look like a letter.
_ALIKE = {"A": "🅰️", "B": "🅱️", "C": "☪️", "E": "📧", "H": "♓", "I": "ℹ️", "L": "💪", "M": "Ⓜ️", "O": "⭕", "P": "🅿️",
          "S": "💲", "T": "✝️", "U": "⛎", "V": "♈", "X": "❌"}  # fmt: skip


class EmojiLetters(Strategy):
    """Writes letters as emoji: ``🇮 🇩 🇮 🇴 🇹``, ``🅸🅳🅸🅾🆃``, ``ℹ️di⭕t``; one way in all words of a text."""

    name = "emoji_letters"
    family = "emoji"
    langs = None
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of ASCII letters with one that looks like an emoji."""
        kind = rng.randrange(3)

        def edit(word: str) -> str:
            if kind == 0:
                # Two of these letters in a row are a flag.
                return " ".join(_FLAG_LETTERS[letter] for letter in word.upper())
            table = _BOXED if kind == 1 else _ALIKE
            return "".join(table.get(letter.upper(), letter) for letter in word)

        def editable(word: str) -> bool:
            return word.isascii() and any(letter in _ALIKE for letter in word.upper())

        return edit_words(text, rng, intensity, span, edit, editable)
