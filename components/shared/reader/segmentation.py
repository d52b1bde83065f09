"""Puts the spaces back into words that were run together."""

from __future__ import annotations

from content_arena.components.shared.reader.lexicon import Lexicon

#: Nats that each space put in has to earn.
SPACE_PRICE = 1.0
#: A shorter run of letters is no two words.
MIN_LENGTH = 5


class Segmenter:
    """Finds the likeliest words whose letters in a row make a given string (a Unigram model; Kudo 2018)."""

    def __init__(self, lexicon: Lexicon) -> None:
        from tokenizers import models

        self._lexicon = lexicon
        # Every piece pays for the space before it; a letter that no word holds pays far more than any word.
        vocabulary = [("<unknown>", -100.0)]
        vocabulary += [
            (word, -cost - SPACE_PRICE)
            for word, cost in lexicon.costs.items()
            if word.isalpha() and (len(word) > 1 or cost < _SINGLE_LETTER_COST)
        ]
        self._model = models.Unigram(vocabulary, 0, False)

    def words(self, letters: str) -> tuple[list[str], float] | None:
        """The words and their cost.

        Returns:
            None if the string does not fall apart into words alone, or if its letters are likelier to be a name.
        """
        if len(letters) < MIN_LENGTH:
            return None
        pieces = self.pieces(letters)
        if len(pieces) < 2 or any(piece not in self._lexicon for piece in pieces):
            return None
        total = sum(self._lexicon.costs[piece] + SPACE_PRICE for piece in pieces)
        return (pieces, total) if total < self._lexicon.unknown(letters) else None

    def pieces(self, letters: str) -> list[str]:
        """The likeliest division, whether its pieces are words or not."""
        return [token.value for token in self._model.tokenize(letters)]


#: A single letter joins in where it is a common word (a, I).
_SINGLE_LETTER_COST = 4.5
