"""Family ``unicode``: the code points change, what a reader sees hardly does.

Sources: Boucher et al. 2022, "Bad Characters: Imperceptible NLP Attacks"; Unicode Technical Standard #39 (confusables).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy, edit_words

_INVISIBLE = "\u200b\u200c\u200d\u2060\u00ad"
# Lower and upper case letters with a twin in Cyrillic, Greek or Armenian, from the confusables of UTS #39.
_TWINS = {
    "a": "аɑ", "c": "сϲ", "d": "ԁ", "e": "еҽ", "g": "ɡ", "h": "һ", "i": "іı", "j": "ј", "k": "κ", "l": "ӏ", "m": "м",
    "n": "ո", "o": "оοօ", "p": "рρ", "q": "ԛ", "s": "ѕ", "u": "υս", "v": "ν", "w": "ԝ", "x": "х", "y": "у", "z": "ᴢ",
    "A": "АΑ", "B": "ВΒ", "C": "СϹ", "E": "ЕΕ", "H": "НΗ", "I": "ІΙ", "J": "Ј", "K": "КΚ", "M": "МΜ", "N": "Ν",
    "O": "ОΟ", "P": "РΡ", "S": "Ѕ", "T": "ТΤ", "X": "ХΧ", "Y": "ҮΥ", "Z": "Ζ",
}  # fmt: skip
# First code points of contiguous alphabets (capital A, small a); holes of the mathematical block avoided.
_ALPHABETS = {
    "fullwidth": (0xFF21, 0xFF41),
    "bold": (0x1D400, 0x1D41A),
    "sans": (0x1D5A0, 0x1D5BA),
    "monospace": (0x1D670, 0x1D68A),
    "circled": (0x24B6, 0x24D0),
}
_MARKS = [chr(code) for code in (*range(0x0300, 0x0315), *range(0x0323, 0x032A), 0x0334, 0x0335, 0x0336, 0x0337)]


def _is_ascii_word(word: str) -> bool:
    return word.isascii()


class InvisibleInsert(Strategy):
    """Zero-width characters and soft hyphens inside words; nothing shows."""

    name = "invisible_insert"
    family = "unicode"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of two letters or more."""

        def edit(word: str) -> str:
            at = rng.randrange(1, len(word))
            return word[:at] + rng.choice(_INVISIBLE) + word[at:]

        return edit_words(text, rng, intensity, span, edit, lambda word: len(word) > 1)


class HomoglyphSwap(Strategy):
    """Letters replaced by twins of other scripts."""

    name = "homoglyph_swap"
    family = "unicode"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word with a letter that has a twin, one to three are swapped."""

        def edit(word: str) -> str:
            letters = list(word)
            places = [i for i, letter in enumerate(letters) if letter in _TWINS]
            for i in rng.sample(places, min(len(places), rng.randint(1, 3))):
                letters[i] = rng.choice(_TWINS[letters[i]])
            return "".join(letters)

        return edit_words(text, rng, intensity, span, edit, lambda word: any(letter in _TWINS for letter in word))


class CompatForm(Strategy):
    """Fullwidth, mathematical and circled letters; one alphabet a text, as their generators on the web make them."""

    name = "compat_form"
    family = "unicode"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of ASCII letters."""
        capital, small = _ALPHABETS[rng.choice(sorted(_ALPHABETS))]

        def edit(word: str) -> str:
            return "".join(chr(capital + ord(c) - 65) if c.isupper() else chr(small + ord(c) - 97) for c in word)

        return edit_words(text, rng, intensity, span, edit, _is_ascii_word)


class DiacriticZalgo(Strategy):
    """Combining marks heaped on letters."""

    name = "diacritic_zalgo"
    family = "unicode"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word, each of its letters gets up to two marks."""

        def edit(word: str) -> str:
            return "".join(letter + "".join(rng.choices(_MARKS, k=rng.randint(0, 2))) for letter in word)

        return edit_words(text, rng, intensity, span, edit, lambda word: True)
