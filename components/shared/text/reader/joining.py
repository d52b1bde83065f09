"""Puts words together that were written letter by letter, or that were cut into pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from content_arena.components.shared.text.reader import rules
from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.method_cache import method_cache
from content_arena.components.shared.text.reader.segmentation import Segmenter

_SINGLE_SIGNS = frozenset("$@!|")
#: Letters that are words.
_LETTER_WORDS = frozenset("ai")
_MOST_PIECES, _SHORTEST_IN_TWO, _SHORTEST_IN_PIECES = 4, 4, 5
#: Words of a text that are cut by a sign (``id ★ iot``), for short ones to be joined as well (``y ★ ou``).
_LEAST_CUT = 2
_SHORTEST_CUT = 2
_ENDING = r"['’](?:s|d|t|m|ll|re|ve)\b"
#: What goes on with a word.
_GOES_ON = re.compile(rf"[*$@\d]|(?!{_ENDING})['’]")
_PUNCTUATION = re.compile(r"[\W_]?[.,;:!?…&/+—–-]")
#: The last letter of a word that is spelt out, with what follows it (``i d i o t!``, ``y o u're``, but not ``I'm``).
_LAST_LETTER = re.compile(rf"([^\W\d_])((?<![iI]){_ENDING}[^\w\s]*|[,.;:!?…)\]\"”’]+)")
_LETTERS = re.compile(r"[^\W\d_]+")


_CACHED_TOKENS = 1 << 16
#: Places in a row of single letters at which words are looked for. At each of them a text of nothing but letters that
#: make no words would take time that grows with the square of its length.
_MOST_TRIES = 4


class _Piece(NamedTuple):
    """A token as a piece of a word: its first letters, casefolded, and what follows them.

    Attributes:
        letters: a to z.
        rest: From the first character that is no letter.
        cost: Of the letters as a word, in nats.
        is_word: Whether the letters are one.
    """

    letters: str
    rest: str
    cost: float
    is_word: bool


class Joiner:
    """Joins tokens to words of a lexicon."""

    def __init__(self, lexicon: Lexicon, segmenter: Segmenter | None, joint: float, known_joint: float) -> None:
        """Keeps what it is given.

        Args:
            lexicon: Where words come from.
            segmenter: Divides words that were written letter by letter without a larger gap between them; None to read
                one word only.
            joint: Nats of two pieces read as one word.
            known_joint: The same where all pieces are words already.
        """
        self._lexicon = lexicon
        self._segmenter = segmenter
        self._joint = joint
        self._known_joint = known_joint
        self._piece = method_cache(self._read_piece, _CACHED_TOKENS)

    def join(self, tokens: list[str]) -> Iterator[str]:
        """The tokens, with words that were written letter by letter or in pieces put together."""
        pieces = [self._piece(token) for token in tokens]
        glue = [piece is None and _is_glue(token) for piece, token in zip(pieces, tokens, strict=True)]
        shortest = _SHORTEST_IN_TWO
        if any(glue):
            found = [self._pieces(tokens, pieces, glue, i, _SHORTEST_CUT)[1] for i in range(len(tokens))]
            if sum(any(glue[i : i + width]) for i, width in enumerate(found)) >= _LEAST_CUT:
                shortest = _SHORTEST_CUT
        i = n_tries = no_words_before = 0
        while i < len(tokens):
            word, width = "", 0
            if i >= no_words_before or n_tries < _MOST_TRIES:
                n_tries = n_tries + 1 if i < no_words_before else 1
                word, width, reached = self._spelt_out(tokens, i)
                no_words_before = max(no_words_before, reached)
            if not width:
                word, width = self._pieces(tokens, pieces, glue, i, shortest)
            yield from word.split() if width else [tokens[i]]
            i += width or 1

    def _spelt_out(self, tokens: list[str], start: int) -> tuple[str, int, int]:
        """Words written as single letters from ``start`` on, how many tokens that are, and the place behind them.

        Without such words the tokens are 0, and the place is that behind the letters that make none.
        """
        letters: list[str] = []
        after = ""
        end = i = start
        while i < len(tokens) and not after:
            token = tokens[i]
            if letters and (last := _LAST_LETTER.fullmatch(token)):
                letters.append(last[1])
                after, end = last[2], i + 1
            elif len(token) == 1 and (token.isalnum() or token in _SINGLE_SIGNS):
                letters.append(token)
                end = i + 1
            elif not letters or not _is_glue(token):
                break
            i += 1
        if len(letters) < 3 or sum(map(str.isalpha, letters)) < 2:
            return "", 0, end
        joined = "".join(letters).casefold()
        # Initials (R G B) are a misspelling of anything, so no letter is taken for another one.
        for candidate in (joined, *rules.unleet(joined), *rules.released(joined)):
            if self._lexicon.knows(candidate):
                return candidate + after, end - start, end
        words = self._segmenter.words(joined) if self._segmenter else None
        return (" ".join(words[0]) + after, end - start, end) if words else ("", 0, end)

    def _pieces(
        self, tokens: list[str], pieces: list[_Piece | None], glue: list[bool], start: int, shortest_cut: int
    ) -> tuple[str, int]:
        """A word that was cut into two to four pieces, the first of them at ``start``, and how many tokens that are.

        Args:
            tokens: Of a text.
            pieces: What each of them is as a piece of a word; None for what begins with no letters.
            glue: Which of them are signs that may stand between pieces.
            start: Place of the first piece.
            shortest_cut: Least letters of a word that is cut in two by a sign.
        """
        first, found = pieces[start], ("", 0)
        if first is None or first.rest:
            return found
        joined, apart, are_words, is_cut = first.letters, first.cost, first.is_word, False
        n, i = 1, start + 1
        while i < len(tokens) and n < _MOST_PIECES:
            by_sign = glue[i] and i + 1 < len(tokens)
            piece = pieces[i + by_sign]
            if piece is None:
                break
            n, i, is_cut = n + 1, i + by_sign + 1, is_cut or by_sign
            if not by_sign and not piece.rest and i < len(tokens) and glue[i] and not _PUNCTUATION.fullmatch(tokens[i]):
                # It goes on behind the sign, so it is no piece of the word before.
                break
            joined, apart = joined + piece.letters, apart + piece.cost
            # Most single letters are no words of a sentence; in tweets some are (u, r).
            are_words = are_words and piece.is_word and (len(piece.letters) > 1 or piece.letters in _LETTER_WORDS)
            shortest = _SHORTEST_IN_PIECES if n > 2 else shortest_cut if is_cut else _SHORTEST_IN_TWO
            # Two words are written apart more often than as a rare compound (bed sheets).
            is_word = joined in self._lexicon or (not are_words and self._lexicon.knows(joined))
            if is_word and len(joined) >= shortest and not _GOES_ON.match(piece.rest):
                price = (self._known_joint if are_words else self._joint) * (n - 1)
                if self._lexicon.cost(joined) + price < apart:
                    found = (joined + piece.rest, i - start)
            if piece.rest:
                break
        return found

    def _read_piece(self, token: str) -> _Piece | None:
        match = _LETTERS.match(token)
        if match is None or not match[0].isascii():
            return None
        letters = match[0].casefold()
        return _Piece(letters, token[match.end() :], self._lexicon.cost(letters), self._lexicon.knows(letters))


def _is_glue(token: str) -> bool:
    """Whether a token is a sign that may stand between the letters of a word."""
    return len(token) <= 2 and not any(map(str.isalnum, token))
