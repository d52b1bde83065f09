"""Restores Hangul words of a text; everything else stays as it is.

A word that its pieces make likely is left alone, so the search for what was meant is for few words of ordinary text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from content_arena.components.shared.text.reader import hangul_signs
from content_arena.components.shared.text.reader.hangul_slips import Prices
from content_arena.components.shared.text.reader.hangul_words import LONGEST, HangulWords, is_odd
from content_arena.components.shared.text.reader.method_cache import method_cache

_CACHED = 1 << 15
_RUN = re.compile("[가-힣]+")
_HANGUL = re.compile("[가-힣ㄱ-ㅣ\u3200-\u321e\u3260-\u327e]")
# A sign that may stand within a word, no ASCII.
_GLUE = re.compile(r"[^\w\s\x00-\x7f]{1,2}")
# Jamo, letters, digits and signs beside Hangul, but not laughter and crying, and not the signs of a sentence.
_ODD = re.compile(r"[^\s가-힣ㅋㅎㅠㅜㅡ~.,!?…'\"()\[\]^;:-]")


@dataclass(frozen=True)
class Thresholds:
    """When a word is read otherwise.

    Attributes:
        likely: Nats a syllable; a word that costs less stays.
        margin: Nats that another reading has to be better by.
        whole_margin: The same where the reading is one known piece; pieces of one syllable make a word by chance.
        odd_margin: The same for a word with a syllable that ordinary text does not have.
        odd: Nats of a character in a token that is no syllable.
        sign: Nats of a reading of signs.
        joint: Nats of two tokens read as one word.
        marked: The same where a sign stands between them.
        swapped: Nats of two neighbouring syllables that changed places.
    """

    likely: float = 6.5
    margin: float = 9.0
    whole_margin: float = 4.5
    odd_margin: float = 2.0
    odd: float = 9.0
    sign: float = 4.0
    joint: float = 4.0
    marked: float = 1.0
    swapped: float = 7.0


class HangulReader:
    """Reads canonical text; safe to call from several threads."""

    def __init__(
        self,
        starts: Mapping[str, float],
        inside: Mapping[str, float],
        prices: Prices | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        """Builds the index, in about 0.1 s for 8,000 pieces; see :class:`HangulWords`."""
        self._words = HangulWords(starts, inside, prices)
        self._thresholds = thresholds or Thresholds()
        self._word = method_cache(self._read_word, _CACHED)
        self._token = method_cache(self._read_token, _CACHED)

    def read(self, text: str) -> str:
        """The text with its Hangul words restored."""
        if not _HANGUL.search(text):
            return " ".join(text.split())
        tokens = [self._token(token) if _HANGUL.search(token) else token for token in self._joined(text.split())]
        return " ".join(tokens)

    def _joined(self, tokens: list[str]) -> list[str]:
        """Tokens of words that were cut, at a space or at a sign that the canonicaliser has set apart, as one."""
        joined: list[str] = []
        i = 0
        while i < len(tokens):
            last, width = joined[-1] if joined else "", 2 if i + 1 < len(tokens) and _GLUE.fullmatch(tokens[i]) else 1
            following = _RUN.match(tokens[i + width - 1])
            if _RUN.fullmatch(last) and following is not None and self._is_cut(last, following[0], width > 1):
                joined[-1] = last + tokens[i + width - 1]
            else:
                joined += tokens[i : i + width]
            i += width
        return joined

    def _is_cut(self, one: str, other: str, marked: bool) -> bool:
        """Whether two words are likelier one; only words of one syllable are cut off others often."""
        if min(len(one), len(other)) > 1 or len(one) + len(other) > LONGEST:
            return False
        apart = self._words.as_written(one) + self._words.as_written(other)
        price = self._thresholds.marked if marked else self._thresholds.joint
        return self._words.as_written(one + other) + price < apart

    def _read_token(self, token: str) -> str:
        token = hangul_signs.unfold(token)
        if _ODD.search(token):
            lowest = self._cost(token)
            for reading in hangul_signs.READINGS:
                other = reading(token)
                if other != token and (cost := self._cost(other) + self._thresholds.sign) < lowest:
                    token, lowest = other, cost - self._thresholds.sign
        return _RUN.sub(lambda match: self._word(match[0])[0], token)

    def _cost(self, token: str) -> float:
        """Nats of a token: those of its words as they are read, and of what is no Hangul."""
        words = sum(self._word(run)[1] for run in _RUN.findall(token))
        return words + self._thresholds.odd * len(_ODD.findall(token))

    def _read_word(self, word: str) -> tuple[str, float]:
        """The word as it is read, and its nats."""
        as_written = self._words.as_written(word)
        if as_written < self._thresholds.likely * len(word) or len(word) > LONGEST:
            return word, as_written
        margin, whole = self._thresholds.margin, self._thresholds.whole_margin
        if any(map(is_odd, word)):
            margin = whole = self._thresholds.odd_margin
        found = self._words.best(word, as_written - min(margin, whole))
        best, lowest = word, as_written - margin
        if found is not None and (
            found[1] < lowest or (found[1] < as_written - whole and self._words.is_piece(found[0]))
        ):
            best, lowest = found
        for other in _swapped(word):
            cost = self._words.as_written(other) + self._thresholds.swapped
            if cost < lowest:
                best, lowest = other, cost
        return (best, lowest) if best != word else (word, as_written)


def _swapped(word: str) -> Iterator[str]:
    """The word with two neighbouring syllables swapped back."""
    for i in range(len(word) - 1):
        yield word[:i] + word[i + 1] + word[i] + word[i + 2 :]
