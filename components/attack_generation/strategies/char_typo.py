"""Typing errors.

Sources: Gao et al. 2018, "DeepWordBug"; Pruthi et al. 2019, "Combating Adversarial Misspellings".
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {letter: row[max(0, i - 1) : i] + row[i + 1 : i + 2] for row in _KEYBOARD for i, letter in enumerate(row)}


class CharTypo(Strategy):
    """Makes one typing error in a word: swaps, drops or doubles a letter, or hits the key beside it."""

    name = "char_typo"
    family = "char"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of four letters or more, its first and last letter stay."""

        def edit(word: str) -> str:
            i = rng.randrange(1, len(word) - 2)
            kind = rng.randrange(4)
            if kind == 0 and word[i] != word[i + 1]:
                return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
            if kind == 1:
                return word[:i] + word[i + 1 :]
            near = _NEIGHBOURS.get(word[i])
            if kind == 2 and near:
                return word[:i] + rng.choice(near) + word[i + 1 :]
            return word[:i] + word[i] + word[i:]

        return edit_words(text, rng, intensity, span, edit, lambda word: len(word) >= 4)
