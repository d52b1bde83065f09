"""Restores the words of a text, one token at a time, and only into words.

Every reading of a token has a cost in nats: the cost of its words (lexicon.py) and the prices of the edits that turn
them into the token. The cheapest reading is taken. The unchanged token is one of the readings, so a known word is never
changed, and ``mp3`` stays ``mp3``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from content_arena.components.shared.text.reader import hangul_slips, rules
from content_arena.components.shared.text.reader.hangul_reader import HangulReader
from content_arena.components.shared.text.reader.lexicon import EDIT_PRICE, JAMO, Lexicon
from content_arena.components.shared.text.reader.segmentation import Segmenter
from content_arena.components.shared.text.reader.spelling import Speller

#: Tokenizers make one unknown token of what is longer than this.
LONGEST_TOKEN = 100
_SINGLE_SIGNS = frozenset("$@!|")
_CACHED_TOKENS = 1 << 16
_CORE = re.compile(r"(?s)([^\w$@]*)(.*?)([^\w$@*]*)")
_LETTERS = re.compile(r"[^\W\d_]+")
# Addresses, handles and masks, tags, character references, quantities (4th, 10k, 7pm) and numeronyms (a11y, i18n).
_GUARDED = re.compile(
    r"(?i)[^\w]*(?:\w+://|www\.|[\w-]+(?:\.[\w-]+)*\.[a-z]{2,6}/|@[\w.]{4,}|\[(?:email|phone)\]|#[^\W\d]|&#?\w+;"
    r"|[a-z]\d\d[a-z]\b)"
)
_QUANTITY = re.compile(r"[$€£]?[\d.,:]+[a-z]{0,3}")
# An address, or signs of program text: what stands in it is not prose.
_NO_PROSE = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+|[={}<>\\]|\w\(|\w\[|\[\w*\]")


@dataclass(frozen=True)
class Prices:
    """What each kind of edit costs, in nats.

    Attributes:
        sign: Signs read as letters, marks left out, repeated letters reduced, accented letters written plainly.
        filled: A mark read as any one letter (``st*pid``).
        digit: A digit or mark inside a token that is left as it is.
        quantity: A number with a unit (4th, 10k, 7pm) that is left as it is.
        joint: Two tokens read as one word.
        known_joint: The same where both tokens are words already.
    """

    sign: float = 1.0
    filled: float = 4.0
    digit: float = 2.5
    quantity: float = 8.0
    joint: float = 1.0
    known_joint: float = 6.0


@dataclass(frozen=True)
class Steps:
    """Which kinds of restoring are done; all of them unless an experiment leaves one out."""

    rules: bool = True
    segment: bool = True
    spell: bool = True


class Reader:
    """Reads canonical text; safe to call from several threads."""

    def __init__(self, lexicon: Lexicon, prices: Prices | None = None, steps: Steps | None = None) -> None:
        """Builds the indexes, in about half a second for 25,000 words."""
        self.lexicon = lexicon
        self._prices = prices or Prices()
        self._steps = steps or Steps()
        self._hangul: HangulReader | None = None
        if lexicon.alphabet == JAMO:
            slips = hangul_slips.scaled(hangul_slips.Prices(), lexicon.edit_price / EDIT_PRICE)
            self._hangul = HangulReader(lexicon.costs, lexicon.inside, slips)
        self._segmenter = Segmenter(lexicon)
        self._speller = Speller(lexicon, lexicon.edit_price) if self._steps.spell else None
        self._token = functools.lru_cache(_CACHED_TOKENS)(self._read_token)

    def read(self, text: str) -> str:
        """The text with its words restored, in small letters where restored; everything else as it was.

        Args:
            text: Canonical text.
        """
        if self._hangul is not None:
            return self._hangul.read(text)
        tokens = text.split()
        if self._steps.rules:
            tokens = list(self._joined(tokens))
        return " ".join(self._token(token) for token in tokens)

    def _joined(self, tokens: list[str]) -> Iterator[str]:
        """The tokens, with words that were written letter by letter or in two halves put together."""
        i = 0
        while i < len(tokens):
            word, width = self._spelt_out(tokens, i)
            if not width:
                word, width = self._halves(tokens, i)
            yield word if width else tokens[i]
            i += width or 1

    def _spelt_out(self, tokens: list[str], start: int) -> tuple[str, int]:
        """A word written as single letters from ``start`` on, and how many tokens that are; 0 if there is none."""
        letters: list[str] = []
        end = i = start
        while i < len(tokens):
            token = tokens[i]
            if len(token) == 1 and (token.isalnum() or token in _SINGLE_SIGNS):
                letters.append(token)
                end = i + 1
            elif not letters or not _is_glue(token):
                break
            i += 1
        if len(letters) < 3 or sum(map(str.isalpha, letters)) < 2:
            return "", 0
        joined = "".join(letters).casefold()
        read = joined if joined in self.lexicon else self._token(joined)
        return (read, end - start) if read != joined or joined in self.lexicon else ("", 0)

    def _halves(self, tokens: list[str], i: int) -> tuple[str, int]:
        first = tokens[i]
        if not first.isalpha() or not first.isascii() or i + 1 >= len(tokens):
            return "", 0
        width = 3 if _is_glue(tokens[i + 1]) and i + 2 < len(tokens) else 2
        second = _LETTERS.match(tokens[i + width - 1])
        if second is None:
            return "", 0
        one, other = first.casefold(), second[0].casefold()
        joined = one + other
        if joined not in self.lexicon or len(joined) < 4:
            return "", 0
        both_known = one in self.lexicon and other in self.lexicon
        apart = self.lexicon.cost(one) + self.lexicon.cost(other)
        price = self._prices.known_joint if both_known else self._prices.joint
        if self.lexicon.costs[joined] + price >= apart:
            return "", 0
        return joined + tokens[i + width - 1][second.end() :], width

    def _read_token(self, token: str) -> str:
        if token.casefold() in self.lexicon or _GUARDED.match(token) or _NO_PROSE.search(token):
            return _broken(token)
        match = _CORE.fullmatch(token)
        before, core, after = match.groups() if match else ("", token, "")
        if not core or not any(map(str.isalpha, core)):
            return _broken(token)
        word = core.casefold()
        # A sign at an end may be a letter of the word or a mark beside it.
        if core.isalpha() and core.casefold() not in self.lexicon and self._steps.rules:
            for start, end in ((before[-1:], ""), ("", after[:1])):
                for candidate in rules.unleet(start + word + end) if start or end else ():
                    if candidate in self.lexicon and len(candidate) >= 3:
                        return before[: len(before) - len(start)] + candidate + after[len(end) :]
        read = self._word(word) if core.isalpha() else self._mixed(word)
        return _broken(token if read == word else before + read + after)

    def _word(self, word: str) -> str:
        """The cheapest reading of letters alone."""
        return self._cheapest(word)[0]

    def _cheapest(self, word: str) -> tuple[str, float]:
        if word in self.lexicon:
            return word, self.lexicon.costs[word]
        best, lowest = word, min(self.lexicon.unknown(word), self.lexicon.inflected(word))
        sign = self._prices.sign
        if self._steps.rules:
            plain = rules.plain_letters(word)
            for candidate in (plain, *rules.released(plain)):
                cost = self.lexicon.costs.get(candidate)
                if cost is not None and cost + sign < lowest:
                    best, lowest = candidate, cost + sign
            word = plain
        if not word.isascii():
            # Words of other alphabets are compared letter by letter once their alphabet is known.
            return best, lowest
        if self._steps.segment and (found := self._segmenter.words(word, self._speller)) and found[1] < lowest:
            best, lowest = " ".join(found[0]), found[1]
        if self._speller is not None:
            for spelt in dict.fromkeys((word, *rules.released(word))):
                corrected = self._speller.best(spelt)
                if corrected and corrected[1] < lowest:
                    best, lowest = corrected
        return best, lowest

    def _mixed(self, token: str) -> str:
        """The cheapest reading of letters with digits or marks among them."""
        word, apostrophe, ending = token.replace("’", "'").partition("'")
        if apostrophe and word in self.lexicon and ending.isalpha():
            return token
        runs = _LETTERS.findall(token)
        n_other = len(token) - sum(map(len, runs))
        # A single letter beside digits or marks is no word, common as it may be alone.
        letters = sum(self.lexicon.cost(run) if len(run) > 1 else self.lexicon.unknown(run) for run in runs)
        best, lowest = token, letters + self._prices.digit * n_other
        if _QUANTITY.fullmatch(token):
            lowest = min(lowest, self._prices.quantity)
        if not self._steps.rules:
            return best
        # Words with a mark between them are two words more often than one with a mark inside.
        are_words = all(run in self.lexicon and len(run) > 1 for run in runs) and len(runs) > 1
        extra = self._prices.known_joint if are_words else 0.0
        for candidate, price in self._mixed_candidates(token):
            cost = self.lexicon.costs.get(candidate)
            if cost is not None and len(candidate) >= 3 and cost + price + extra < lowest:
                best, lowest = candidate, cost + price + extra
        is_prose = not are_words and not any(map(str.isdigit, token))
        if best == token and self._speller is not None and is_prose:
            for candidate in dict.fromkeys((*rules.unleet(token), rules.without_marks(token))):
                if candidate.isalpha() and len(candidate) >= 4:
                    read, cost = self._cheapest(candidate)
                    if read != candidate and cost + self._prices.sign < lowest:
                        best, lowest = read, cost + self._prices.sign
        if best == token:
            return _LETTERS.sub(lambda match: self._word(match[0]) if len(match[0]) >= 4 else match[0], token)
        return best

    def _mixed_candidates(self, token: str) -> Iterator[tuple[str, float]]:
        for candidate in rules.unleet(token):
            yield candidate, self._prices.sign
            yield rules.without_marks(candidate), self._prices.sign
            for released in rules.released(candidate):
                yield released, 2 * self._prices.sign
        yield rules.without_marks(token), self._prices.sign
        for candidate in rules.filled_marks(token):
            yield candidate, self._prices.filled


def _is_glue(token: str) -> bool:
    """Whether a token is a sign that may stand between the letters of a word."""
    return len(token) <= 2 and not any(map(str.isalnum, token))


def _broken(token: str) -> str:
    """A token, divided by spaces if it is too long for a tokenizer."""
    if len(token) <= LONGEST_TOKEN:
        return token
    return " ".join(
        part[i : i + LONGEST_TOKEN] for part in token.split(" ") for i in range(0, len(part), LONGEST_TOKEN)
    )
