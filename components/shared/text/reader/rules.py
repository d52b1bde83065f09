"""Rules for disguises of one token: signs for letters, marks inside words, repeated letters, accented letters.

Each rule yields candidates. The Reader decides whether one is taken, and takes only words of its lexicon.
"""

from __future__ import annotations

import itertools
import re
import string
import unicodedata
from collections.abc import Iterator

from content_arena.components.shared.text.letter_forms import look_alikes

#: Digits and signs with the letters they are written for; the likelier first.
_SIGNS = {
    "0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "gb", "7": "t", "8": "b", "9": "gq", "@": "a",
    "$": "s", "!": "il", "|": "li", "€": "e", "£": "e", "¢": "c", "©": "c", "®": "r", "+": "t", "(": "c", "¡": "i",
}  # fmt: skip
#: Combinations of letters tried for one token; with more it is not taken for a word in disguise.
_MOST_CHOICES = 64
#: With fewer letters left than this, too many words would fit.
_FEWEST_LETTERS = 3
_HELD = re.compile(r"(.)\1{2,}")
_TWICE = re.compile(r"(.)\1+")
_STROKED = re.compile(r"LATIN (?:SMALL|CAPITAL) LETTER (?:DOTLESS )?([A-Z])(?: WITH .*)?")


def unleet(token: str) -> Iterator[str]:
    """A token with every sign read as a letter. Tokens without any letter are numbers and yield nothing."""
    if not any(map(str.isalpha, token)) or not any(char in _SIGNS for char in token):
        return
    choices = [_SIGNS.get(char, char) for char in token]
    n = 1
    for choice in choices:
        n *= len(choice)
    if n <= _MOST_CHOICES:
        yield from map("".join, itertools.product(*choices))


def without_marks(token: str) -> str:
    """A token's letters alone."""
    return "".join(filter(str.isalpha, token))


def filled_marks(token: str) -> Iterator[str]:
    """Marks inside a token read as one letter each, where it holds one or two (``st*pid``)."""
    marks = [i for i, char in enumerate(token) if not char.isalnum()]
    if not 1 <= len(marks) <= 2 or marks[0] == 0 or len(token) - len(marks) < _FEWEST_LETTERS:
        return
    letters = list(token)
    for filling in itertools.product(string.ascii_lowercase, repeat=len(marks)):
        for i, letter in zip(marks, filling, strict=True):
            letters[i] = letter
        yield "".join(letters)


def released(word: str) -> Iterator[str]:
    """A word without repeated letters: runs of three or more as two, then as one, then every run as one."""
    if _HELD.search(word):
        yield _HELD.sub(r"\1\1", word)
        yield _HELD.sub(r"\1", word)
    if _TWICE.search(word):
        yield _TWICE.sub(r"\1", word)


def plain_letters(word: str) -> str:
    """A word with accented, stroked and look-alike letters replaced by a to z."""
    if word.isascii():
        return word
    table = look_alikes()
    return "".join(table.get(char) or _plain(char) for char in word)


def _plain(char: str) -> str:
    if char.isascii():
        return char
    base = unicodedata.normalize("NFD", char)[0]
    match = _STROKED.fullmatch(unicodedata.name(base, ""))
    return match[1].lower() if match else base
