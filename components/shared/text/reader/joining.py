"""Puts words together that were written letter by letter, or that were cut into pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator

from content_arena.components.shared.text.reader import rules
from content_arena.components.shared.text.reader.lexicon import Lexicon
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

    def join(self, tokens: list[str]) -> Iterator[str]:
        """The tokens, with words that were written letter by letter or in pieces put together."""
        shortest, glue = _SHORTEST_IN_TWO, [_is_glue(token) for token in tokens]
        if any(glue):
            found = [self._pieces(tokens, glue, i, _SHORTEST_CUT)[1] for i in range(len(tokens))]
            if sum(any(glue[i : i + width]) for i, width in enumerate(found)) >= _LEAST_CUT:
                shortest = _SHORTEST_CUT
        i = 0
        while i < len(tokens):
            word, width = self._spelt_out(tokens, i)
            if not width:
                word, width = self._pieces(tokens, glue, i, shortest)
            yield from word.split() if width else [tokens[i]]
            i += width or 1

    def _spelt_out(self, tokens: list[str], start: int) -> tuple[str, int]:
        """A word written as single letters from ``start`` on, and how many tokens that are; 0 if there is none."""
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
            return "", 0
        joined = "".join(letters).casefold()
        # Initials (R G B) are a misspelling of anything, so no letter is taken for another one.
        for candidate in (joined, *rules.unleet(joined), *rules.released(joined)):
            if self._lexicon.knows(candidate):
                return candidate + after, end - start
        words = self._segmenter.words(joined) if self._segmenter else None
        return (" ".join(words[0]) + after, end - start) if words else ("", 0)

    def _pieces(self, tokens: list[str], glue: list[bool], start: int, shortest_cut: int) -> tuple[str, int]:
        """A word that was cut into two to four pieces, the first of them at ``start``, and how many tokens that are.

        Args:
            tokens: Of a text.
            glue: Which of them are signs that may stand between pieces.
            start: Place of the first piece.
            shortest_cut: Least letters of a word that is cut in two by a sign.
        """
        joined, rest, apart, i = "", "", 0.0, start
        known: list[bool] = []
        found = ("", 0)
        while i < len(tokens) and len(known) < _MOST_PIECES and not rest:
            by_sign = bool(known) and glue[i] and i + 1 < len(tokens)
            if by_sign:
                i += 1
            match = _LETTERS.match(tokens[i])
            if match is None or not match[0].isascii():
                break
            piece, rest = match[0].casefold(), tokens[i][match.end() :]
            if rest and not known:
                break
            joined, apart = joined + piece, apart + self._lexicon.cost(piece)
            # Most single letters are no words of a sentence; in tweets some are (u, r).
            known.append(self._lexicon.knows(piece) and (len(known) == 0 or len(piece) > 1 or piece in _LETTER_WORDS))
            i += 1
            is_cut = any(glue[start:i])
            # A piece before a sign goes on behind it: it is none of the word before.
            if (
                len(known) > 1
                and not by_sign
                and not rest
                and any(glue[i : i + 1])
                and not _PUNCTUATION.fullmatch(tokens[i])
            ):
                break
            shortest = _SHORTEST_IN_PIECES if len(known) > 2 else shortest_cut if is_cut else _SHORTEST_IN_TWO
            # Two words are written apart more often than as a rare compound (bed sheets).
            is_word = joined in self._lexicon or (self._lexicon.knows(joined) and not all(known))
            if len(known) < 2 or len(joined) < shortest or not is_word or _GOES_ON.match(rest):
                continue
            price = (self._known_joint if all(known) else self._joint) * (len(known) - 1)
            if self._lexicon.cost(joined) + price < apart:
                found = (joined + rest, i - start)
        return found


def _is_glue(token: str) -> bool:
    """Whether a token is a sign that may stand between the letters of a word."""
    return len(token) <= 2 and not any(map(str.isalnum, token))
