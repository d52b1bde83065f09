"""Texts in the making: which words were edited, and with what.

A strategy is the *transformation* of a search. It is applied to one place, to several, or to the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.shared.records import sha256_of

_WORD = re.compile(r"[^\W\d_]+")
#: Half-open range of characters.
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Edit:
    """One application of a strategy.

    Attributes:
        strategy: Its name.
        words: Numbers of the original's words it was applied to; none for the whole text.
        seed: Of its random numbers.
        intensity: In (0, 1].
    """

    strategy: str
    words: tuple[int, ...]
    seed: int
    intensity: float = 1.0


@dataclass(frozen=True, slots=True)
class Draft:
    """A text after some edits.

    Attributes:
        text: The text.
        places: Where each word of the original is in it; empty once a strategy changed the whole text otherwise than by
            putting something around it.
        edits: What was done, in order.
        written: What an LLM wrote in the original's place, before the other edits; None if none did.
        reworded: The original after those edits alone that reword it (:attr:`Strategy.rewords`), which its meaning is
            judged by; None if that is this draft.
    """

    text: str
    places: tuple[Place, ...]
    edits: tuple[Edit, ...] = ()
    written: str | None = None
    reworded: Draft | None = None

    @classmethod
    def of(cls, text: str) -> Draft:
        """The original."""
        return cls(text, tuple(match.span() for match in _WORD.finditer(text)))

    @property
    def edited(self) -> frozenset[int]:
        """Numbers of the words that were edited one by one."""
        return frozenset(word for edit in self.edits for word in edit.words)

    @property
    def in_words(self) -> Draft:
        """The original after the edits that reword it, and no other ones."""
        return self.reworded or self

    def without(self, words: Sequence[int]) -> str:
        """The text with words deleted, to see what the filter thinks of the rest."""
        text = self.text
        for start, end in sorted((self.places[word] for word in words), reverse=True):
            text = text[:start] + text[end:]
        return " ".join(text.split())

    def with_words(self, strategy: Strategy, words: Sequence[int], seed: int) -> Draft | None:
        """Applies a strategy to words, each on its own.

        Returns:
            None if it changes none of them, or works on whole texts only.
        """
        if not self.places:
            return None
        text, places = self.text, list(self.places)
        changed: list[int] = []
        for word in words:
            start, end = places[word]
            rng = Random(_seed(seed, strategy.name, str(word)))  # noqa: S311 - no secret
            made = strategy.perturb(text, rng, 1.0, (start, end))
            grown = len(made) - len(text)
            if made == text or not _is_inside(text, made, (start, end)):
                continue
            text = made
            places = [_moved(place, start, grown, is_it=number == word) for number, place in enumerate(places)]
            changed.append(word)
        if not changed:
            return None
        reworded = self._reworded(strategy, lambda draft: draft.with_words(strategy, words, seed))
        edits = (*self.edits, Edit(strategy.name, tuple(changed), seed))
        return Draft(text, tuple(places), edits, self.written, reworded)

    def with_all(self, strategy: Strategy, intensity: float, seed: int) -> Draft | None:
        """Applies a strategy to the whole text; None if it changes nothing. An LLM gets originals only."""
        if strategy.rewrites and self.edits:
            return None
        rng = Random(_seed(seed, strategy.name, f"{intensity:.3f}"))  # noqa: S311 - no secret
        made = strategy.perturb(self.text, rng, intensity)
        if made == self.text:
            return None
        shift = made.find(self.text)
        places = () if shift < 0 else tuple((start + shift, end + shift) for start, end in self.places)
        written = made if strategy.rewrites else self.written
        reworded = self._reworded(strategy, lambda draft: draft.with_all(strategy, intensity, seed))
        return Draft(made, places, (*self.edits, Edit(strategy.name, (), seed, intensity)), written, reworded)

    def _reworded(self, strategy: Strategy, apply: Callable[[Draft], Draft | None]) -> Draft | None:
        """What the next draft has as ``reworded``; the same edit is made on the text in plain words."""
        if not strategy.rewords:
            return self.in_words
        # Where nothing but rewording was done, the next draft is that text itself.
        return None if self.reworded is None else apply(self.reworded) or self.reworded


def _is_inside(text: str, made: str, place: Place) -> bool:
    """Whether everything outside the place stayed as it was: some strategies work on whole texts only."""
    start, end = place
    rest = len(text) - end
    return (
        len(made) >= start + rest
        and made[:start] == text[:start]
        and (rest == 0 or made[-rest:] == text[end:])
        and len(made) > start + rest
    )


def _moved(place: Place, start: int, grown: int, *, is_it: bool) -> Place:
    if is_it:
        return place[0], place[1] + grown
    return (place[0] + grown, place[1] + grown) if place[0] > start else place


def _seed(seed: int, *parts: str) -> int:
    return int(sha256_of(str(seed), *parts)[:15], 16)
