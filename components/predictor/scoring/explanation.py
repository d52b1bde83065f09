"""Why a text got its score: what the model read, and what each word contributes.

A word's contribution is the score of the text less the score of the text without it (occlusion; Zeiler and Fergus 2014,
Li et al. 2016). It is negative for a word that makes the text look benign. Two words that say the same thing hide each
other: without either, the score stays. So does a word in one window of a long text, if another window is as toxic.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from content_arena.components.predictor.scoring.spans import Span, spans

#: Parts of a text whose contribution is computed, at most; in a longer text neighbouring words are one part.
MAX_PARTS = 64


@dataclass(frozen=True)
class Occlusion:
    """A text and what is left out of it in turn.

    Attributes:
        text: As a user wrote it.
        spans: How it was read.
        parts: What is left out: begin and end, in order.
    """

    text: str
    spans: list[Span]
    parts: list[tuple[int, int]]

    @classmethod
    def of(cls, text: str, read: Callable[[str], str], most: int) -> Occlusion:
        """Cuts a text into words; what was read as one word is one part.

        Args:
            text: As a user wrote it.
            read: Reads a text.
            most: Parts at most, 1 or more.
        """
        found = spans(text, read)
        n_parts = min(len(found), most, MAX_PARTS)
        edges = [len(found) * number // n_parts for number in range(n_parts + 1)] if found else []
        parts = [(found[a].start, found[b - 1].end) for a, b in itertools.pairwise(edges)]
        return cls(text, found, parts)

    def texts(self) -> list[str]:
        """The text without each part in turn; a space is in its place."""
        return [f"{self.text[:start]} {self.text[end:]}" for start, end in self.parts]

    def explained(self, score: float, without: Sequence[float]) -> dict[str, Any]:
        """The explanation, for JSON.

        Args:
            score: Of the text.
            without: Of each of :meth:`texts`.
        """
        read = [(span, self.text[span.start : span.end]) for span in self.spans]
        return {
            "read_as": " ".join(span.read_as for span in self.spans if span.read_as),
            "changes": [
                {"start": span.start, "end": span.end, "text": text, "read_as": span.read_as}
                for span, text in read
                if text != span.read_as
            ],
            "words": [
                {"start": start, "end": end, "text": self.text[start:end], "contribution": score - one}
                for (start, end), one in zip(self.parts, without, strict=True)
            ],
        }
