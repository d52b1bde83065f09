"""Family ``word``: word boundaries and spellings change.

Sources: Röttger et al. 2021, "HateCheck" (no spaces); Eger et al. 2020, "From Hero to Zéroe" (disemvowelling,
phonetic spelling).
"""

from __future__ import annotations

import re
from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy, edit_words

_BOUNDARY = re.compile(r"(?<=\w) +(?=\w)")
_VOWELS = "aeiou"
_PHONETIC = (("ck", "k"), ("ph", "f"), ("qu", "kw"), ("x", "ks"), ("c", "k"), ("oo", "u"), ("ee", "i"), ("er", "a"),
             ("s", "z"))  # fmt: skip


class SpaceJoin(Strategy):
    """Words run together."""

    name = "space_join"
    family = "word"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a space between two words."""
        start, end = span or (0, len(text))
        places = [m.span() for m in _BOUNDARY.finditer(text, start, end)]
        if not places or intensity <= 0:
            return text
        chosen = rng.sample(places, min(len(places), max(1, round(intensity * len(places)))))
        for begin, stop in sorted(chosen, reverse=True):
            text = text[:begin] + text[stop:]
        return text


class WildRespell(Strategy):
    """Spellings as people dodge word lists: censored (``st*pid``), without vowels (``stpd``), by ear (``stoopid``)."""

    name = "wild_respell"
    family = "word"
    langs = frozenset({"en"})

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
            for written, heard in _PHONETIC:
                spelt = spelt[0] + spelt[1:].replace(written, heard)
            return spelt if spelt != word else word + word[-1]

        def editable(word: str) -> bool:
            return len(word) >= 4 and word.isascii() and any(c.lower() in _VOWELS for c in word[1:-1])

        return edit_words(text, rng, intensity, span, edit, editable)
