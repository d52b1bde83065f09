"""Letters replaced by look-alikes from other scripts.

Sources: Boucher et al. 2022, "Bad Characters"; Unicode Technical Standard #39 (confusables).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words

# Lower and upper case letters with a look-alike in Cyrillic, Greek or Armenian, from the confusables of UTS #39.
_LOOK_ALIKES = {
    "a": "аɑ", "c": "сϲ", "d": "ԁ", "e": "еҽ", "g": "ɡ", "h": "һ", "i": "іı", "j": "ј", "k": "κ", "l": "ӏ", "m": "м",
    "n": "ո", "o": "оοօ", "p": "рρ", "q": "ԛ", "s": "ѕ", "u": "υս", "v": "ν", "w": "ԝ", "x": "х", "y": "у", "z": "ᴢ",
    "A": "АΑ", "B": "ВΒ", "C": "СϹ", "E": "ЕΕ", "H": "НΗ", "I": "ІΙ", "J": "Ј", "K": "КΚ", "M": "МΜ", "N": "Ν",
    "O": "ОΟ", "P": "РΡ", "S": "Ѕ", "T": "ТΤ", "X": "ХΧ", "Y": "ҮΥ", "Z": "Ζ",
}  # fmt: skip


class HomoglyphSwap(Strategy):
    """Replaces letters by look-alikes from other scripts."""

    name = "homoglyph_swap"
    family = "unicode"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word that has letters with a look-alike; up to three change."""

        def edit(word: str) -> str:
            letters = list(word)
            places = [i for i, letter in enumerate(letters) if letter in _LOOK_ALIKES]
            for i in rng.sample(places, min(len(places), rng.randint(1, 3))):
                letters[i] = rng.choice(_LOOK_ALIKES[letters[i]])
            return "".join(letters)

        return edit_words(text, rng, intensity, span, edit, lambda word: any(letter in _LOOK_ALIKES for letter in word))
