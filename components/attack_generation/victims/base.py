"""What a victim is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]
#: Score and verdict of a text; None if the filter states a score only.
Answer = tuple[float, bool | None]


class Victim(Protocol):
    """A filter under attack.

    Attributes:
        version: Name of the model that answers; part of every attack record.
        threshold: See the property.
    """

    @property
    def version(self) -> str:
        """Name of the model that answers."""
        ...

    @property
    def threshold(self) -> float:
        """A text is flagged if its score is at least this.

        Read it after scoring: the threshold of an endpoint is inferred from its answers.
        """
        ...

    def score(self, texts: Sequence[str]) -> Scores:
        """Probability of toxic for n texts, float32[n]."""
        ...
