"""Rules for disguises of one token: signs for letters, marks inside words, repeated letters, accented letters.

Each rule yields candidates. The Reader decides whether one is taken, and takes only words of its lexicon.
"""

from __future__ import annotations

import itertools
import re
import string
import unicodedata
from collections.abc import Container, Iterable, Iterator

from content_arena.components.shared.text.letter_forms import is_latin, look_alikes

#: Digits and signs with the letters they are written for; the likelier first.
_SIGNS = {
    "0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "gb", "7": "t", "8": "b", "9": "gq", "@": "a",
    "$": "s", "!": "il", "|": "li", "€": "e", "£": "e", "¢": "c", "©": "c", "®": "r", "+": "t", "(": "c", "¡": "i",
}  # fmt: skip
#: Combinations of letters tried for one token; with more it is not taken for a word in disguise.
_MOST_CHOICES = 64
#: With fewer letters left than this, too many words would fit.
_FEWEST_LETTERS = 3
#: Latin words that a text has for each word of look-alikes, for these to be in disguise.
_LEAST_LATIN = 2
_LETTERS = re.compile(r"[^\W\d_]+")
_STARS = re.compile("[*#]")
_CENSORED = re.compile("[a-z][a-z*#]*[*#][a-z*#]*")
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
    """A token's letters and digits. A digit is part of what it stands in (``base64``), or read as a letter."""
    return "".join(filter(str.isalnum, token))


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


def uncensored(token: str, words: Iterable[str]) -> str | None:
    """The first of the words that a token is with stars in place of letters (``f**k``, ``b*tch``); None if it is none.

    Args:
        token: Casefolded, a letter first.
        words: Casefolded.
    """
    if not _CENSORED.fullmatch(token):
        return None
    pattern = re.compile(_STARS.sub("[a-z]", token))
    return next((word for word in words if pattern.fullmatch(word)), None)


def released(word: str) -> Iterator[str]:
    """A word without repeated letters: runs of three or more as two, then as one, then every run as one."""
    if _HELD.search(word):
        yield _HELD.sub(r"\1\1", word)
        yield _HELD.sub(r"\1", word)
    if _TWICE.search(word):
        yield _TWICE.sub(r"\1", word)


def plain_letters(word: str) -> str:
    """A word with accented and stroked letters replaced by a to z, and look-alikes too if it holds a Latin letter."""
    if word.isascii():
        return word
    table = look_alikes() if any(map(is_latin, word)) else {}
    return "".join(table.get(char) or _plain(char) for char in word)


def _plain(char: str) -> str:
    if char.isascii():
        return char
    base = unicodedata.normalize("NFD", char)[0]
    match = _STROKED.fullmatch(unicodedata.name(base, ""))
    return match[1].lower() if match else base


def fold_scripts(text: str, lexicon: Container[str]) -> str:
    """The text with words of look-alikes alone (``сор``, ``cop`` in Cyrillic) in Latin letters.

    Where every other word is Latin, and the letters make a word of the lexicon, such a word is in disguise. Where words
    of its own script stand beside it, or no others, it is a word of that script.
    """
    if text.isascii():
        return text
    words = _LETTERS.findall(text)
    foreign = [word for word in words if not any(map(is_latin, word))]
    if not foreign or len(words) < (1 + _LEAST_LATIN) * len(foreign):
        return text
    table = look_alikes()
    plain = {word: "".join(table.get(char, char) for char in word.casefold()) for word in foreign}
    if not all(word.isascii() and word in lexicon for word in plain.values()):
        return text
    return _LETTERS.sub(lambda match: plain.get(match[0], match[0]), text)
