"""Keeps of the rows that cleaning drops what the quality page shows: a few examples, and how many texts they hold."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from content_arena.components.shared.text.masking import mask

#: Examples kept for each reason, and their length in characters.
N_EXAMPLES, EXAMPLE_LENGTH = 3, 160
# An address may lie across the place where a text is cut, so more is masked than is shown.
_MASKED_LENGTH = 10 * EXAMPLE_LENGTH
# Of so many texts at most the examples are taken: some may not be shown.
_LOOKED_AT = 20


class DroppedRows:
    """What is known of the rows that were dropped; see :func:`cleaning.clean`.

    Attributes:
        examples: A few of the texts by reason, masked and shortened.
        n_texts: Number of different texts (comparison keys) by reason, where cleaning knew their keys.
    """

    def __init__(self, may_be_shown: Callable[[str], bool] = lambda text: True) -> None:
        """Takes whether a text may be an example."""
        self._may_be_shown = may_be_shown
        self.examples: dict[str, tuple[str, ...]] = {}
        self.n_texts: dict[str, int] = {}

    def __call__(self, reason: str, rows: pd.DataFrame) -> None:
        """Takes the rows that are dropped for a reason: columns text and, once it is known, key."""
        texts = [text for text in rows["text"].head(_LOOKED_AT) if text and self._may_be_shown(text)]
        if texts:
            self.examples[reason] = tuple(map(example, texts[:N_EXAMPLES]))
        if "key" in rows:
            self.n_texts[reason] = int(rows["key"].nunique())


def example(text: str) -> str:
    """A text as the quality page shows it: masked, and its beginning only."""
    masked = mask(text[:_MASKED_LENGTH])
    return masked if len(masked) <= EXAMPLE_LENGTH else f"{masked[:EXAMPLE_LENGTH]}…"
