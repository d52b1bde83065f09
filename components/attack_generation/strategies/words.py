"""How a strategy edits single words."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from content_arena.components.attack_generation.strategies.base import Span

_WORD = re.compile(r"[^\W\d_]+")


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
