"""Which part of a text was read as what: spans of what a user wrote, and the words that a model got for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_WORD = re.compile(r"\S+")
#: Words of the text that are read together at most, when a span is looked for.
_WIDEST = 32
#: Pieces of a text that are read again at most; what is left then is one span. It bounds the time.
_MOST_PIECES = 512
#: How far the next word is looked for that is the same on both sides, after a part that cannot be told apart.
_REACH = 16


class Span(NamedTuple):
    """A part of a text.

    Attributes:
        start: Its first character, an index into the text (Unicode code points).
        end: Behind its last one.
        read_as: What the model gets for it; "" for nothing, for invisible characters for example.
    """

    start: int
    end: int
    read_as: str


def spans(text: str, read: Callable[[str], str]) -> list[Span]:
    """The text cut at white space, so that each part is read as whole words.

    Reading keeps no positions, so they are found afterwards: a word that is the same on both sides is itself, and a
    changed one is read again by itself, then with the next ones (``i d i o t``), until what comes out is what was read.

    Args:
        text: As a user wrote it.
        read: Reads a text; see reading.py in shared/scoring.

    Returns:
        Spans in order, without overlap, that hold every word of the text; what they are read as is, joined with
        spaces, what the text is read as.
    """
    return _Alignment(text, read).spans()


class _Alignment:
    def __init__(self, text: str, read: Callable[[str], str]) -> None:
        self._text, self._read = text, read
        self._places = [match.span() for match in _WORD.finditer(text)]
        self._words = [text[start:end] for start, end in self._places]
        self._read_words = read(text).split()
        self._pieces_left = _MOST_PIECES

    def spans(self) -> list[Span]:
        found: list[Span] = []
        i = j = 0
        while i < len(self._words):
            n_words, n_read = self._next(i, j)
            if i + n_words == len(self._words):
                n_read = len(self._read_words) - j
            start, end = self._places[i][0], self._places[i + n_words - 1][1]
            found.append(Span(start, end, " ".join(self._read_words[j : j + n_read])))
            i, j = i + n_words, j + n_read
        return found

    def _next(self, i: int, j: int) -> tuple[int, int]:
        """How many words of the text, from word i on, are how many of the read ones, from j on."""
        if self._read_words[j : j + 1] == [self._words[i]]:
            return 1, 1
        first: tuple[int, int] | None = None
        for width in range(1, min(_WIDEST, len(self._words) - i) + 1):
            n_read = self._read_as(i, width, j)
            if n_read is None:
                continue
            # "i d i o" may be read as "idiot" too, and then nothing is left for the "t".
            if self._goes_on(i + width, j + n_read):
                return width, n_read
            first = first or (width, n_read)
        return first or self._to_the_next_same(i, j)

    def _read_as(self, i: int, width: int, j: int) -> int | None:
        """How many read words, from word j on, some words of the text are by themselves; None if they are others."""
        if not self._pieces_left:
            return None
        self._pieces_left -= 1
        piece = self._read(self._text[self._places[i][0] : self._places[i + width - 1][1]]).split()
        return len(piece) if self._read_words[j : j + len(piece)] == piece else None

    def _goes_on(self, i: int, j: int) -> bool:
        if i == len(self._words):
            return j == len(self._read_words)
        return self._read_words[j : j + 1] == [self._words[i]] or self._read_as(i, 1, j) is not None

    def _to_the_next_same(self, i: int, j: int) -> tuple[int, int]:
        for distance in range(1, 2 * _REACH):
            for n_words in range(1, min(distance, _REACH) + 1):
                n_read = distance - n_words
                same = self._words[i + n_words : i + n_words + 1]
                if same and self._read_words[j + n_read : j + n_read + 1] == same:
                    return n_words, n_read
        return len(self._words) - i, len(self._read_words) - j
