"""Noisy-channel spelling: the word that a writer most likely had in mind.

Of the words that are near, by letters or by sound, the one with the lowest sum of its own cost and the price of the
edits (Kernighan, Church and Gale 1990). Words near by letters are found through an index of deletions (Garbe 2012,
"SymSpell"): two words that differ by one edit give the same string when one letter is left out of either. Words near
by sound share a phonetic key (Philips 1990, "Metaphone"). Edits are letters inserted, dropped, changed, or two
neighbours swapped (Damerau 1964).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from jellyfish import damerau_levenshtein_distance, metaphone

from content_arena.components.shared.text.reader.lexicon import Lexicon

#: Most words with the same phonetic key that are compared; the most common are kept.
_MOST_ALIKE = 24
#: Shorter words are not corrected, because too many others are one edit away.
MIN_LENGTH = 3
_SECOND_EDIT_FROM = 6
_LONGEST = 24
#: Most letters in which a word differs from one that sounds like it.
_MOST_BY_SOUND = 2


class Speller:
    """Finds the nearest words of a lexicon."""

    def __init__(self, lexicon: Lexicon, price: float, sound: Callable[[str], str] | None = metaphone) -> None:
        """Builds both indexes, in time linear in the lexicon.

        Args:
            lexicon: Where words come from.
            price: Nats an edit costs.
            sound: Phonetic key of a word; if None words are compared by letters only.
        """
        self._lexicon = lexicon
        self._price = price
        self._sound = sound
        self._by_deletion: dict[str, list[str] | str] = {}
        by_sound: dict[str, list[str]] = defaultdict(list)
        self._by_letters: dict[str, str] = {}
        for word in sorted(lexicon.costs, key=lexicon.costs.__getitem__):
            if not MIN_LENGTH <= len(word) <= _LONGEST or "'" in word:
                continue
            self._by_letters.setdefault(_shuffled(word), word)
            self._index(word, word)
            for shorter in _deletions(word):
                self._index(shorter, word)
            if sound is not None and len(key := sound(word)) > 1 and len(by_sound[key]) < _MOST_ALIKE:
                by_sound[key].append(word)
        self._by_sound = dict(by_sound)

    def _index(self, key: str, word: str) -> None:
        # Most keys lead to one word, which is stored without a list: lists take three times the memory.
        known = self._by_deletion.get(key)
        if known is None:
            self._by_deletion[key] = word
        elif isinstance(known, list):
            known.append(word)
        else:
            self._by_deletion[key] = [known, word]

    def best(self, word: str) -> tuple[str, float] | None:
        """The likeliest word behind an unknown one, and its cost with its edits.

        Args:
            word: Casefolded letters that are no word.

        Returns:
            None if no word is near enough to be likelier than that the letters are what they look like.
        """
        if not MIN_LENGTH <= len(word) <= _LONGEST:
            return None
        best, lowest = None, self._lexicon.unknown(word)
        for candidate, price in self._candidates(word):
            # Dozens of words are one edit away from three letters: only a missing letter is corrected.
            if len(word) == MIN_LENGTH and (len(candidate) <= MIN_LENGTH or candidate[0] != word[0]):
                continue
            total = self._lexicon.costs[candidate] + price
            if total < lowest:
                best, lowest = candidate, total
        return None if best is None else (best, lowest)

    def one_edit(self, word: str, below: float) -> tuple[str, float] | None:
        """The likeliest word one edit away, and its cost with the edit; None if none is cheaper than ``below``."""
        best, lowest = None, below - self._price
        for key in (word, *_deletions(word)):
            for candidate in self._at(key):
                # The cheapest come first.
                if self._lexicon.costs[candidate] >= lowest:
                    break
                if damerau_levenshtein_distance(word, candidate) == 1:
                    best, lowest = candidate, self._lexicon.costs[candidate]
                    break
        return None if best is None else (best, lowest + self._price)

    def _candidates(self, word: str) -> Iterator[tuple[str, float]]:
        shorter = _deletions(word)
        seen = set()
        for key in (word, *shorter):
            for candidate in self._at(key):
                if candidate not in seen:
                    seen.add(candidate)
                    yield candidate, self._price * damerau_levenshtein_distance(word, candidate)
        # People read a word whose inner letters are in any order (Rawlinson 1976).
        anagram = self._by_letters.get(_shuffled(word))
        if anagram is not None and anagram not in seen:
            seen.add(anagram)
            yield anagram, self._price
        if self._sound is not None:
            for candidate in self._by_sound.get(self._sound(word), ()):
                # Words that sound alike may differ in several letters, but seldom in the first.
                if candidate not in seen and candidate[0] == word[0]:
                    distance = damerau_levenshtein_distance(word, candidate)
                    if len(candidate) > len(word) and _holds(candidate, word):
                        yield candidate, self._price * 1.2
                    elif distance <= _MOST_BY_SOUND:
                        yield candidate, self._price * (0.8 + 0.5 * distance)
        if len(word) >= _SECOND_EDIT_FROM:
            for key in {further for one in shorter for further in _deletions(one)}:
                for candidate in self._at(key):
                    if candidate not in seen:
                        seen.add(candidate)
                        yield candidate, self._price * damerau_levenshtein_distance(word, candidate)

    def _at(self, key: str) -> Iterable[str]:
        found = self._by_deletion.get(key, ())
        return (found,) if isinstance(found, str) else found


def _holds(word: str, letters: str) -> bool:
    """Whether a word holds these letters in this order, with or without others between them."""
    rest = iter(word)
    return all(letter in rest for letter in letters)


def _shuffled(word: str) -> str:
    """A key that words share if their first and last letters are the same and so are those between, in any order."""
    return word[0] + "".join(sorted(word[1:-1])) + word[-1]


def _deletions(word: str) -> list[str]:
    return [word[:i] + word[i + 1 :] for i in range(len(word))]
