"""Spellings that get past lists of words.

Source: Eger et al. 2020, "From Hero to Zéroe" (disemvowelling, phonetic spelling).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

_VOWELS = "aeiou"
_PHONETIC = (("ck", "k"), ("ph", "f"), ("qu", "kw"), ("x", "ks"), ("c", "k"), ("oo", "u"), ("ee", "i"), ("er", "a"),
             ("s", "z"))  # fmt: skip


class WildRespell(Strategy):
    """Spells words to get past word lists: censored (``s*ck``), without vowels (``sck``) or by ear (``sik``)."""

    name = "wild_respell"
    family = "word"
    langs = frozenset({"en"})
    rewords = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is an ASCII word of four letters or more with a vowel inside."""

        def edit(word: str) -> str:
            inner = [i for i in range(1, len(word) - 1) if word[i].lower() in _VOWELS]
            kind = rng.randrange(3)
            if kind == 0:
                at = rng.choice(inner)
                return word[:at] + rng.choice("*#") + word[at + 1 :]
            if kind == 1:
                return "".join(c for i, c in enumerate(word) if i not in inner)
            spelt = word
            for spelling, sound in _PHONETIC:
                spelt = spelt[0] + spelt[1:].replace(spelling, sound)
            return spelt if spelt != word else word + word[-1]

        def editable(word: str) -> bool:
            return len(word) >= 4 and word.isascii() and any(c.lower() in _VOWELS for c in word[1:-1])

        return edit_words(text, rng, intensity, span, edit, editable)
