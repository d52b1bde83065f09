"""Words without the spaces between them.

Source: Röttger et al. 2021, "HateCheck" (functional test F27).
"""

from __future__ import annotations

import re
from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy

_BOUNDARY = re.compile(r"(?<=\w) +(?=\w)")


class SpaceJoin(Strategy):
    """Removes spaces between words."""

    name = "space_join"
    family = "word"
    langs = None
    rewords = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a space between two words."""
        start, end = span or (0, len(text))
        places = [m.span() for m in _BOUNDARY.finditer(text, start, end)]
        if not places or intensity <= 0:
            return text
        chosen = rng.sample(places, min(len(places), max(1, round(intensity * len(places)))))
        for begin, stop in sorted(chosen, reverse=True):
            text = text[:begin] + text[stop:]
        return text
