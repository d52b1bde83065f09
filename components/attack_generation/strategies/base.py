"""What a strategy is, and how one picks the words it edits."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from random import Random
from typing import ClassVar

FAMILIES = ("unicode", "char", "word", "sentence", "ko", "compound")
#: Half-open range of characters an attack is confined to.
Span = tuple[int, int]

_WORD = re.compile(r"[^\W\d_]+")


class Strategy(ABC):
    """One way to change a text and not its meaning.

    A pure function object: the same text, generator state, intensity and span give the same result, and nothing is
    kept between calls. A subclass declares its three facts when it is defined, or the definition fails.

    Attributes:
        name: Unique, as in the entry point.
        family: One of :data:`FAMILIES`.
        langs: ISO 639-1 codes it makes sense for; None for any.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    langs: ClassVar[frozenset[str] | None]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        missing = [fact for fact in ("name", "family", "langs") if not hasattr(cls, fact)]
        if missing:
            raise TypeError(f"strategy {cls.__name__} does not declare {', '.join(missing)}")
        if cls.family not in FAMILIES:
            raise TypeError(f"strategy {cls.__name__}: family {cls.family!r} is none of {', '.join(FAMILIES)}")

    @abstractmethod
    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """Changes the text.

        Args:
            text: The original.
            rng: The only source of chance.
            intensity: In [0, 1]: the share of the places this strategy can edit that it aims at; at least one place is
                edited where intensity > 0.
            span: Edit inside this range of characters only; None for anywhere.

        Returns:
            The perturbed text; the original itself where there is nothing to edit.
        """

    def speaks(self, lang: str) -> bool:
        """Whether the strategy makes sense for a language."""
        return self.langs is None or lang in self.langs


def edit_words(
    text: str,
    rng: Random,
    intensity: float,
    span: Span | None,
    edit: Callable[[str], str],
    editable: Callable[[str], bool],
) -> str:
    """Applies ``edit`` to a random share of the words that are ``editable``; everything between words stays.

    Args:
        text: The original.
        rng: Chooses the words.
        intensity: Share of the editable words to edit; at least one where it is above 0.
        span: Words have to lie inside this range of characters.
        edit: Word to perturbed word.
        editable: Whether the strategy can do anything with a word.
    """
    start, end = span or (0, len(text))
    places = [m.span() for m in _WORD.finditer(text, start, end) if editable(m[0])]
    if not places or intensity <= 0:
        return text
    count = min(len(places), max(1, round(intensity * len(places))))
    pieces, last = [], 0
    for begin, stop in sorted(rng.sample(places, count)):
        pieces += [text[last:begin], edit(text[begin:stop])]
        last = stop
    return "".join([*pieces, text[last:]])
