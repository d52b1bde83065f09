"""Readings of one token that cost no guess: signs for letters, marks inside words, letters held down, borrowed letters.

Each yields candidates; whether one is taken is for the Reader, and it takes only words.
"""

from __future__ import annotations

import itertools
import re
import string
import unicodedata
from collections.abc import Iterator

from content_arena.components.shared.letter_forms import look_alikes

#: Digits and signs with the letters they are written for; the likelier first.
_SIGNS = {
    "0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "gb", "7": "t", "8": "b", "9": "gq", "@": "a",
    "$": "s", "!": "il", "|": "li", "€": "e", "£": "e", "¢": "c", "©": "c", "®": "r", "+": "t", "(": "c", "¡": "i",
}  # fmt: skip
#: Choices of letters tried for one token; a longer one is no word in disguise.
_MOST_CHOICES = 64
#: With fewer letters left than this a mark could be any word.
_FEWEST_LETTERS = 3
_HELD = re.compile(r"(.)\1{2,}")
_TWICE = re.compile(r"(.)\1+")
_STROKED = re.compile(r"LATIN (?:SMALL|CAPITAL) LETTER (?:DOTLESS )?([A-Z])(?: WITH .*)?")


def unleet(token: str) -> Iterator[str]:
    """Every sign in a token read as a letter, where it holds a letter at all."""
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
    """A word with its letters let go: runs of three or more as two, then as one, then every run as one."""
    if _HELD.search(word):
        yield _HELD.sub(r"\1\1", word)
        yield _HELD.sub(r"\1", word)
    if _TWICE.search(word):
        yield _TWICE.sub(r"\1", word)


def plain_letters(word: str) -> str:
    """A word in the letters a to z, where its own are these with a mark or a stroke, or look like them."""
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
