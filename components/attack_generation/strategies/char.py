"""Family ``char``: letters are swapped, dropped, replaced or set apart.

Sources: Gao et al. 2018, "DeepWordBug"; Pruthi et al. 2019, "Combating Adversarial Misspellings"; Röttger et al. 2021,
"HateCheck" (functional tests F25-F29).
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy, edit_words

_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {letter: row[max(0, i - 1) : i] + row[i + 1 : i + 2] for row in _KEYBOARD for i, letter in enumerate(row)}
_LEET = {"a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!", "l": "1|", "o": "0", "s": "5$", "t": "7"}
_GAPS = (" ", ".", "-", "*", "_", "/")


class CharTypo(Strategy):
    """One slip of the fingers a word: swap, drop, double, or the key beside."""

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


class LeetSub(Strategy):
    """Digits and symbols that look like letters."""

    name = "leet_sub"
    family = "char"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word with a letter that has a look-alike, half of them change."""

        def edit(word: str) -> str:
            letters = list(word)
            places = [i for i, letter in enumerate(letters) if letter.lower() in _LEET]
            for i in rng.sample(places, (len(places) + 1) // 2):
                letters[i] = rng.choice(_LEET[letters[i].lower()])
            return "".join(letters)

        return edit_words(text, rng, intensity, span, edit, lambda word: any(c.lower() in _LEET for c in word))


class CharSplit(Strategy):
    """Spaces or punctuation between the letters of a word; one kind of gap a text."""

    name = "char_split"
    family = "char"
    langs = None

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word of three letters or more."""
        gap = rng.choice(_GAPS)
        return edit_words(text, rng, intensity, span, gap.join, lambda word: len(word) >= 3)
