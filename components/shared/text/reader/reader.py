"""Restores the words of a text, one token at a time, and only into words.

Every reading of a token has a cost in nats: the cost of its words (lexicon.py) and the prices of the edits that turn
them into the token. The cheapest reading is taken. The unchanged token is one of the readings, so a known word is never
changed, and ``mp3`` stays ``mp3``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from content_arena.components.shared.text.reader import hangul_slips, rules
from content_arena.components.shared.text.reader.hangul_reader import HangulReader
from content_arena.components.shared.text.reader.joining import Joiner
from content_arena.components.shared.text.reader.leet import LeetWords
from content_arena.components.shared.text.reader.lexicon import EDIT_PRICE, JAMO, Lexicon
from content_arena.components.shared.text.reader.method_cache import method_cache
from content_arena.components.shared.text.reader.segmentation import Segmenter
from content_arena.components.shared.text.reader.spelling import Speller

#: Tokenizers make one unknown token of what is longer than this.
LONGEST_TOKEN = 100
_SHORTEST, _SHORTEST_KEPT, _SHORTEST_IN_CODE = 3, 4, 4
_CACHED_TOKENS = 1 << 16
_CORE = re.compile(r"(?s)([^\w$@]*)(.*?)([^\w$@*]*)")
_LETTERS = re.compile(r"[^\W\d_]+")
# Addresses, handles and masks, tags, character references, quantities (4th, 10k, 7pm) and numeronyms (a11y, i18n).
_GUARDED = re.compile(
    r"(?i)[^\w]*(?:\w+://|www\.|[\w-]+(?:\.[\w-]+)*\.[a-z]{2,6}/|@[\w.]{4,}|\[(?:email|phone)\]|#[^\W\d]|&#?\w+;"
    r"|[a-z]\d\d[a-z]\b)"
)
_PUNCTUATION = re.compile(r"[,.;:!?…]+")
_LETTER_WORDS = frozenset("ai")
_ENDINGS = frozenset({"s", "d", "t", "m", "ll", "re", "ve"})
_CONTRACTION = re.compile(rf"(?i)([^\W\d_]+)(['’])(?:{'|'.join(sorted(_ENDINGS))})")
# What has signs inside its words. A comma or a full stop parts words, unless it is between single letters.
_DISGUISED = re.compile(r"[^,.;:!?]*(?:[^\w\s'’,.;:!?-]|_)[^,.;:!?]*|[^\W\d_](?:[.,;:]+[^\W\d_]|-[^\W\d_])+")
_QUANTITY = re.compile(r"[$€£]?[\d.,:]+[a-z]{0,3}|[a-z]{1,3}\d+")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
# Signs of program text: what stands in it is not prose, unless it is one word without them.
_CODE = re.compile(r"[={}<>\\]|\w\(|\w\[|\[\w*\]")
_CODE_SIGNS = re.compile(r"[={}<>\\()\[\]]+")
# A call, an index, a tag: brackets that close at the end of a token.
_CALL = re.compile(r"[^\W\d_][\w.]*[(\[{<].*[)\]}>]\W*")


@dataclass(frozen=True)
class Prices:
    """What each kind of edit costs, in nats.

    Attributes:
        sign: Signs read as letters, marks left out, repeated letters reduced, accented letters written plainly.
        filled: A mark read as any one letter (``st*pid``).
        digit: A digit or mark inside a token that is left as it is.
        quantity: A number with a unit (4th, 10k, 7pm), or letters with a number (f16, ch4), that is left as it is.
        joint: Two tokens read as one word.
        known_joint: The same where both tokens are words already.
        name: A word with a capital letter that is read as another one, as it may be a name.
    """

    sign: float = 1.0
    filled: float = 4.0
    digit: float = 2.5
    quantity: float = 8.0
    joint: float = 1.0
    known_joint: float = 6.0
    name: float = 4.0


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
        segmenter = self._segmenter if self._steps.segment else None
        self._leet = LeetWords(lexicon)
        self._joiner = Joiner(lexicon, segmenter, self._prices.joint, self._prices.known_joint)
        self._speller = Speller(lexicon, lexicon.edit_price) if self._steps.spell else None
        self._token = method_cache(self._read_token, _CACHED_TOKENS)

    def read(self, text: str) -> str:
        """The text with its words restored, in small letters where restored; everything else as it was.

        Args:
            text: Canonical text.
        """
        if self._hangul is not None:
            return self._hangul.read(text)
        if self._steps.rules:
            text = rules.fold_scripts(text, self.lexicon)
        tokens = text.split()
        if self._steps.rules:
            leet = self._leet.read(tokens)
            tokens = list(self._joiner.join([leet.get(token, token) for token in tokens]))
        return " ".join(self._token(token) for token in tokens)

    def _read_token(self, token: str) -> str:
        if self.lexicon.knows(token.casefold()) or _GUARDED.match(token) or _ADDRESS.search(token):
            return _broken(token)
        if _CODE.search(token):
            return _broken(self._without_code_signs(token))
        before, core, after = _parted(token)
        if not core or not any(map(str.isalpha, core)):
            return _broken(token)
        word = core.casefold()
        # A sign at an end may be a letter of the word or a mark beside it.
        if core.isalpha() and not self.lexicon.knows(word) and self._steps.rules:
            for start, end in ((before[-1:], ""), ("", after[:1])):
                for candidate in rules.unleet(start + word + end) if start or end else ():
                    if candidate in self.lexicon and len(candidate) >= _SHORTEST:
                        return before[: len(before) - len(start)] + candidate + after[len(end) :]
        contraction = _CONTRACTION.fullmatch(core)
        if contraction and not self.lexicon.knows(word.replace(contraction[2], "")):
            return _broken(before + self._token(contraction[1]) + core[contraction.start(2) :] + after)
        name = self._prices.name if core.istitle() and core.isalpha() else 0.0
        read = self._cheapest(word, name)[0] if core.isalpha() else self._mixed(word)
        return _broken(token if read == word else before + read + after)

    def _without_code_signs(self, token: str) -> str:
        """A word without signs of program text in it (``stu{pid``), or as it is read beside them (``{1d10t``)."""
        runs = _LETTERS.findall(token)
        before, core, after = _parted(token)
        parts = _CODE_SIGNS.split(core)
        is_code = (
            not self._steps.rules
            or _CALL.fullmatch(token)
            or core.isalpha()
            or not all(any(map(str.isalpha, part)) for part in parts)
            or all(len(run) > 1 and self.lexicon.knows(run.casefold()) for run in runs)
        )
        if is_code:
            return token
        joined = "".join(parts).casefold()
        for candidate in (joined, *rules.unleet(joined)):
            if len(candidate) >= _SHORTEST_IN_CODE and self.lexicon.knows(candidate):
                return before + candidate + after
        return token

    def _cheapest(self, word: str, name: float = 0.0) -> tuple[str, float]:
        """The cheapest reading of letters alone, and its cost.

        Args:
            word: Casefolded letters.
            name: Nats of reading them otherwise, beside the edits.
        """
        if self.lexicon.knows(word):
            return word, self.lexicon.cost(word)
        best, lowest = word, min(self.lexicon.unknown(word), self.lexicon.inflected(word))
        sign = self._prices.sign
        if self._steps.rules:
            plain = rules.plain_letters(word)
            for candidate in (plain, *rules.released(plain)):
                if self.lexicon.knows(candidate) and self.lexicon.cost(candidate) + sign < lowest:
                    best, lowest = candidate, self.lexicon.cost(candidate) + sign
        if not word.isascii():
            # A word with accents that is none without them is one of another language more often than a misspelt one.
            return best, lowest
        lowest -= name
        if self._steps.segment and (found := self._segmenter.words(word, self._speller)) and found[1] < lowest:
            best, lowest = " ".join(found[0]), found[1]
        if self._speller is not None:
            for spelt in dict.fromkeys((word, *rules.released(word))):
                corrected = self._speller.best(spelt)
                if corrected and corrected[1] < lowest:
                    best, lowest = corrected
        return best, lowest + name

    def _mixed(self, token: str) -> str:
        """The cheapest reading of letters with digits or marks among them."""
        plain = token.replace("’", "'")
        if all(map(self._is_contraction, _PUNCTUATION.split(plain))):
            return token
        word, apostrophe, ending = plain.partition("'")
        if apostrophe and ending.isalpha() and self._steps.rules:
            if self.lexicon.knows(word) and (ending in _ENDINGS or not self.lexicon.knows(word + ending)):
                return token
            if ending in _ENDINGS and _DISGUISED.fullmatch(word) and self.lexicon.knows(read := self._mixed(word)):
                return f"{read}'{ending}"
        if self._is_apart(plain):
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
        # Stars at the end of a word mark a correction or a footnote.
        if not self.lexicon.knows(token.rstrip("*#")) and (found := rules.uncensored(token, self.lexicon.censored)):
            return found
        # Words with a mark between them are two words more often than one with a mark inside.
        are_words = all(self.lexicon.knows(run) and len(run) > 1 for run in runs) and len(runs) > 1
        extra = self._prices.known_joint if are_words else 0.0
        for candidate, price in self._mixed_candidates(token):
            # A mark that may be any letter makes too many rare words.
            is_word = self._is_word(candidate) and (candidate in self.lexicon or price < self._prices.filled)
            if is_word and self.lexicon.cost(candidate) + price + extra < lowest:
                best, lowest = candidate, self.lexicon.cost(candidate) + price + extra
        # Letters that are spelt out are one word as they stand, or initials.
        is_prose = not are_words and not any(map(str.isdigit, token)) and any(len(run) > 1 for run in runs)
        if best == token and self._speller is not None and is_prose:
            for candidate in dict.fromkeys((*rules.unleet(token), rules.without_marks(token))):
                if candidate.isalpha() and len(candidate) >= 4:
                    read, cost = self._cheapest(candidate)
                    if read != candidate and cost + self._prices.sign < lowest:
                        best, lowest = read, cost + self._prices.sign
        if best == token and "-" in token and _DISGUISED.fullmatch(token):
            read_parts = [part if part.isalpha() else self._mixed(part) for part in token.split("-")]
            if all(map(self.lexicon.knows, read_parts)):
                return "-".join(read_parts)
        if best == token:
            return _LETTERS.sub(lambda match: self._cheapest(match[0])[0] if len(match[0]) >= 4 else match[0], token)
        return best

    def _is_contraction(self, part: str) -> bool:
        """Whether letters are a word, or one with an ending after an apostrophe (``he'll``)."""
        word, apostrophe, ending = part.partition("'")
        is_word = (self.lexicon.knows(word) and len(word) > 1) or word in _LETTER_WORDS
        return is_word and (not apostrophe or ending in _ENDINGS)

    def _is_apart(self, token: str) -> bool:
        """Whether an apostrophe or a hyphen parts letters that are no word together (``o'clock``, ``x-ray``)."""
        letters = token.replace("'", "")
        if letters.isalpha():
            return letters != token and not self.lexicon.knows(letters)
        first, hyphen, second = token.partition("-")
        is_compound = hyphen and len(first) == 1 and first.isalpha() and len(second) > 2 and self.lexicon.knows(second)
        return bool(is_compound) and first + second not in self.lexicon.censored

    def _is_word(self, candidate: str) -> bool:
        """Whether letters with signs among them may be this word."""
        shortest = _SHORTEST if candidate in self.lexicon else _SHORTEST_KEPT
        return len(candidate) >= shortest and self.lexicon.knows(candidate)

    def _mixed_candidates(self, token: str) -> Iterator[tuple[str, float]]:
        for candidate in rules.unleet(token):
            yield candidate, self._prices.sign
            yield rules.without_marks(candidate), self._prices.sign
            for released in rules.released(candidate):
                yield released, 2 * self._prices.sign
        yield rules.without_marks(token), self._prices.sign
        # Marks between single letters set them apart, as in initials; none of them stands for a letter.
        if any(len(run) > 1 for run in _LETTERS.findall(token)):
            for candidate in rules.filled_marks(token):
                yield candidate, self._prices.filled


def _parted(token: str) -> tuple[str, str, str]:
    """The signs before a word, the word, and the signs after it."""
    match = _CORE.fullmatch(token)
    return (match[1], match[2], match[3]) if match else ("", token, "")


def _broken(token: str) -> str:
    """A token, divided by spaces if it is too long for a tokenizer."""
    if len(token) <= LONGEST_TOKEN:
        return token
    return " ".join(
        part[i : i + LONGEST_TOKEN] for part in token.split(" ") for i in range(0, len(part), LONGEST_TOKEN)
    )
