"""The constraint on meaning: a text in other words has to say what its original says.

The bound, and which attacks are judged by it, are in :mod:`content_arena.components.shared.text.meaning` and
:attr:`Strategy.rewords <content_arena.components.attack_generation.strategies.base.Strategy.rewords>`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from content_arena.components.attack_generation.sentence_encoder import Encoder, encoder_of
from content_arena.components.shared.text.canonical import canonicalise
from content_arena.components.shared.text.meaning import LEAST_MEANING

#: Originals whose vectors are remembered: every strategy attacks the same ones.
_MOST_KEPT = 4096
#: Of a similarity: its last digits depend on the texts that are embedded beside a text.
_DECIMALS = 3


@dataclass(frozen=True)
class Judged:
    """How many texts in other words were judged.

    Attributes:
        n_kept: Say what their originals say.
        n_failed: Say something else, by the bound.
        n_not_measured: There is no encoder for their language.
    """

    n_kept: int = 0
    n_failed: int = 0
    n_not_measured: int = 0

    @classmethod
    def of(cls, lang: str, similarities: Sequence[float]) -> Judged:
        """Counts similarities, NaN for those that were not measured."""
        values = np.array(similarities, dtype=float)
        least = LEAST_MEANING.get(lang, -1.0)
        return cls(int((values >= least).sum()), int((values < least).sum()), int(np.isnan(values).sum()))

    def __add__(self, other: Judged) -> Judged:
        return Judged(
            self.n_kept + other.n_kept,
            self.n_failed + other.n_failed,
            self.n_not_measured + other.n_not_measured,
        )


@functools.cache
def shared() -> Meaning:
    """The one of this process, with the encoders that are installed."""
    return Meaning()


class Meaning:
    """Measures how much texts mean the same. Nothing of it is asked of the filter that is attacked."""

    def __init__(self, encoder: Callable[[str], Encoder | None] = encoder_of) -> None:
        """Loads nothing yet.

        Args:
            encoder: The encoder of a language, None where there is none.
        """
        self._encoder = encoder
        self._originals: dict[tuple[str, str], npt.NDArray[np.float32]] = {}

    def similarities(self, lang: str, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float64]:
        """Cosine similarities of originals and texts, float64[n] in [-1, 1]; NaN where there is no encoder or bound.

        A text in which the original stands word by word has 1: friendly sentences around an insult take nothing of it
        away, and would only dilute the mean over all tokens.

        Args:
            lang: ISO 639-1 code.
            pairs: Each an original and what was made of it. Both are compared in their canonical forms.
        """
        read = [(canonicalise(original), canonicalise(made)) for original, made in pairs]
        found = np.array([1.0 if _stands_in(*pair) else np.nan for pair in read], dtype=float)
        left = np.flatnonzero(np.isnan(found)).tolist()
        encoder = self._encoder(lang) if left and lang in LEAST_MEANING else None
        if encoder is None:
            return found
        originals = self._embedded(encoder, lang, [read[place][0] for place in left])
        made = encoder.embed([read[place][1] for place in left])
        found[left] = np.round(np.clip((originals * made).sum(axis=1), -1, 1), _DECIMALS)
        return found

    def _embedded(self, encoder: Encoder, lang: str, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if len(self._originals) > _MOST_KEPT:
            self._originals.clear()
        new = [text for text in dict.fromkeys(texts) if (lang, text) not in self._originals]
        if new:
            vectors = encoder.embed(new)
            self._originals |= {(lang, text): vector for text, vector in zip(new, vectors, strict=True)}
        return np.stack([self._originals[lang, text] for text in texts])


def _stands_in(original: str, made: str) -> bool:
    one, other = (f" {' '.join(text.casefold().split())} " for text in (original, made))
    return bool(one.strip()) and one in other
