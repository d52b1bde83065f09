"""An @ before a word.

Source: Barbieri et al. 2020, "TweetEval", whose models read every handle as ``@user``, as many filters do.
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

#: Masking takes nothing shorter for a handle.
_SHORTEST = 4
_MASKED = frozenset({"user", "email", "phone"})


class Mention(Strategy):
    """Puts an @ before words, so that a filter masks them as handles: ``you @moron``."""

    name = "mention"
    family = "char"
    langs = None
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is an ASCII word of four letters or more that is no mask."""

        def editable(word: str) -> bool:
            return len(word) >= _SHORTEST and word.isascii() and word not in _MASKED

        return edit_words(text, rng, intensity, span, lambda word: f"@{word}", editable)
