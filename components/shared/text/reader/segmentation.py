"""Puts the spaces back into words that were run together, also where some of them are misspelt."""

from __future__ import annotations

from collections.abc import Iterator

from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.spelling import Speller

#: Nats that each space put in has to earn.
SPACE_PRICE = 1.0
#: Shorter runs of letters are not divided.
MIN_LENGTH = 5
#: A single letter is a piece only if it costs less, as the common words a and I do.
_SINGLE_LETTER_COST = 4.5
#: Pieces that cost more nats a letter may be misspelt, and are divided again with corrections; real words cost about 2.
_DOUBTFUL = 2.6
#: Most letters that are divided with corrections at once; ten letters take about a millisecond.
_LONGEST_STRETCH = 60
#: Nats by which a division with corrections has to be better, because unknown names are close to words as well.
_DOUBT = 4.0
#: Least share of the letters that belongs to known words.
_LEAST_KNOWN = 0.6
#: Fewer words have no single letter among them.
_FEWEST_WITH_LETTERS = 4
_SHORTEST_CORRECTED, _LONGEST_WORD = 4, 14
#: Nats for each letter that belongs to no word, such as those of a name among joined words.
_LETTER_COST = 3.0


class Segmenter:
    """Finds the likeliest words whose letters in a row make a given string (a Unigram model; Kudo 2018)."""

    def __init__(self, lexicon: Lexicon) -> None:
        from tokenizers import models

        self._lexicon = lexicon
        # Every piece pays for the space before it; a letter that no word holds pays far more than any word.
        vocabulary = [("<unknown>", -100.0)]
        vocabulary += [(word, -lexicon.costs[word] - SPACE_PRICE) for word in lexicon.costs if self._is_piece(word)]
        self._model = models.Unigram(vocabulary, 0, False)

    def words(self, letters: str, speller: Speller | None = None) -> tuple[list[str], float] | None:
        """The words and their cost.

        Args:
            letters: A run of letters.
            speller: Corrects up to one wrong letter a word in the parts that cannot be divided into words; None to
                correct nothing.

        Returns:
            None if it is likelier that the letters are one unknown word.
        """
        if len(letters) < MIN_LENGTH:
            return None
        pieces = [token.value for token in self._model.tokenize(letters)]
        if speller is not None:
            pieces = [word for stretch, doubtful in self._stretches(pieces) for word in
                      (self._corrected(stretch, speller) if doubtful else [stretch])]  # fmt: skip
            edits = self._edits(letters, pieces)
            total = sum(map(self._cost, pieces)) + edits * self._lexicon.edit_price + (_DOUBT if edits else 0.0)
        else:
            total = sum(map(self._cost, pieces))
        if len(pieces) < 2 or total >= self._lexicon.unknown(letters):
            return None
        # A letter left over is one of a misspelt word among many others, but of a name or a plural beside one or two.
        if len(pieces) < _FEWEST_WITH_LETTERS and any(
            len(piece) == 1 and not self._is_single(piece) for piece in pieces
        ):
            return None
        known = sum(len(piece) for piece in pieces if self._lexicon.knows(piece))
        # Without a speller words only; with one a name may stand among them.
        if known < (len(letters) if speller is None else _LEAST_KNOWN * len(letters)):
            return None
        return pieces, total

    def _is_piece(self, word: str) -> bool:
        return word.isalpha() and (len(word) > 1 or self._is_single(word))

    def _is_single(self, letter: str) -> bool:
        return self._lexicon.costs.get(letter, _SINGLE_LETTER_COST) < _SINGLE_LETTER_COST

    def _cost(self, piece: str) -> float:
        if self._lexicon.knows(piece):
            return self._lexicon.cost(piece) + SPACE_PRICE
        return self._lexicon.unknown_cost + _LETTER_COST * len(piece) + SPACE_PRICE

    def _edits(self, letters: str, pieces: list[str]) -> int:
        """How many of the pieces are not in the string, which means that they were corrected."""
        at, n = 0, 0
        for piece in pieces:
            found = letters.find(piece, at, at + len(piece) + 2)
            n += found < 0
            at = (found if found >= 0 else at) + len(piece)
        return n

    def _stretches(self, pieces: list[str]) -> Iterator[tuple[str, bool]]:
        """Pieces, with False; adjoining doubtful pieces and their neighbours as one string, with True."""
        doubtful = [self._cost(piece) > _DOUBTFUL * len(piece) + SPACE_PRICE for piece in pieces]
        near = [any(doubtful[max(0, i - 1) : i + 2]) for i in range(len(pieces))]
        stretch = ""
        for piece, again in zip(pieces, near, strict=True):
            if again and len(stretch) + len(piece) <= _LONGEST_STRETCH:
                stretch += piece
                continue
            if stretch:
                yield stretch, True
            stretch = piece if again else ""
            if not again:
                yield piece, False
        if stretch:
            yield stretch, True

    def _corrected(self, letters: str, speller: Speller) -> list[str]:
        """The likeliest words with at most one wrong letter each (algorithm: Viterbi 1967)."""
        costs = [0.0] + [float("inf")] * len(letters)
        chosen: list[tuple[int, str]] = [(0, "")] * (len(letters) + 1)
        for start in range(len(letters)):
            for end in range(start + 1, min(len(letters), start + _LONGEST_WORD) + 1):
                span = letters[start:end]
                word, cost = span, self._cost(span) - SPACE_PRICE
                if not self._lexicon.knows(span) and len(span) >= _SHORTEST_CORRECTED:
                    below = min(cost, costs[end] - costs[start] - SPACE_PRICE)
                    word, cost = speller.one_edit(span, below) or (word, cost)
                elif len(span) == 1 and not self._is_single(span):
                    cost = self._lexicon.unknown_cost + _LETTER_COST
                if costs[start] + cost + SPACE_PRICE < costs[end]:
                    costs[end] = costs[start] + cost + SPACE_PRICE
                    chosen[end] = (start, word)
        words: list[str] = []
        end = len(letters)
        while end:
            start, word = chosen[end]
            words.append(word)
            end = start
        return words[::-1]
