"""Tag characters and variation selectors inside words.

Sources: Boucher et al. 2022, "Bad Characters" (invisible characters); Unicode Technical Standard #51, annex C (tags);
The Unicode Standard, section 23.4 (variation selectors).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

_TAGS = 0xE0000
_SELECTORS = [chr(code) for code in (*range(0xFE00, 0xFE0F), *range(0xE0100, 0xE0110))]
#: Hidden words: a model that reads tags as letters reads them between those of the insult.
_HIDDEN = ("love", "nice", "thanks", "friend", "please")


class TagSmuggle(Strategy):
    """Hides friendly words in tag characters, or variation selectors, inside words; neither is shown."""

    name = "tag_smuggle"
    family = "unicode"
    langs = None
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of two letters or more."""
        hides_words = rng.random() < 0.5

        def edit(word: str) -> str:
            at = rng.randrange(1, len(word))
            if hides_words:
                hidden = "".join(chr(_TAGS + ord(letter)) for letter in rng.choice(_HIDDEN))
                return word[:at] + hidden + word[at:]
            return "".join(letter + rng.choice(_SELECTORS) for letter in word[:-1]) + word[-1]

        return edit_words(text, rng, intensity, span, edit, lambda word: len(word) > 1)
