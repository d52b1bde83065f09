"""A wrong letter and the control character that deletes it.

Source: Boucher et al. 2022, "Bad Characters" (deletions).
"""

from __future__ import annotations

import string
from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

_BACKSPACE = "\b"


class CtrlDelete(Strategy):
    """Puts a wrong letter and a backspace (U+0008) into words; terminals and some web views show the word alone."""

    name = "ctrl_delete"
    family = "unicode"
    langs = None
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of two letters or more."""

        def edit(word: str) -> str:
            at = rng.randrange(1, len(word))
            wrong = rng.choice(string.ascii_lowercase if word.isascii() else word)
            return word[:at] + wrong + _BACKSPACE + word[at:]

        return edit_words(text, rng, intensity, span, edit, lambda word: len(word) > 1)
