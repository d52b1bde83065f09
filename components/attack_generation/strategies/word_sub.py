"""Words replaced by others of nearly the same meaning.

Source: Jin et al. 2020, "Is BERT Really Robust?" (TextFooler: neighbours in embeddings under a bound on similarity).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.neighbours import neighbours
from content_arena.components.attack_generation.strategies.words import edit_words

#: Least cosine similarity. Below it come opposites and words of the same topic only (loser and winner have .36).
LEAST_SIMILARITY = 0.52
#: Words whose neighbours mean the opposite or another number, and words that the grammar of a sentence hangs on.
_KEPT = """
never ever always nobody somebody anybody everybody none nothing something anything everything someone anyone everyone
more less most least without with only just even this that these those they them their there here when while then than
which what where whose your yours from into over under above below before after since until three four five nine seven
eight first second third last next hundred thousand million half could would should might must will shall have having
does been being were
"""
_FIXED = frozenset(_KEPT.split())


class WordSub(Strategy):
    """Replaces words by near ones in an encoder's word embeddings: ``stupid`` by ``dumb``, ``garbage`` by ``trash``."""

    name = "word_sub"
    family = "word"
    langs = frozenset({"en"})
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of four letters or more with a near other word.

        Raises:
            InputError: The package of the encoder is not installed.
        """

        def edit(word: str) -> str:
            other = rng.choice(_others(word))
            return other.capitalize() if word[0].isupper() else other

        return edit_words(text, rng, intensity, span, edit, lambda word: bool(_others(word)))


def _others(word: str) -> tuple[str, ...]:
    return () if not word.isascii() or word.lower() in _FIXED else neighbours(word.lower(), LEAST_SIMILARITY)
