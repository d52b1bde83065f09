"""Voters: each looks at an attack from one side and says how likely its text is still toxic, or that it can not tell.

None of them looks at ``score_after``: the victim's view of the perturbed text is what the attack was made to distort.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.shared.readability import readability

Votes = npt.NDArray[np.float64]


class Voter(Protocol):
    """One opinion on a table of attacks.

    Attributes:
        name: Goes into ``label_source``.
        weight: How much the opinion counts beside others, above 0.
    """

    name: str
    weight: float

    def vote(self, attacks: pd.DataFrame) -> Votes:
        """Probability of toxic for every row, float64[n]; NaN abstains."""
        ...


class GoldVoter:
    """A strategy changes the text and not its meaning, so the original's label holds as far as the text is readable."""

    name = "gold"
    weight = 2.0

    def vote(self, attacks: pd.DataFrame) -> Votes:
        """See :meth:`Voter.vote`: 0.5 + readability / 2 on the side of the gold label."""
        readable = readability(attacks)
        is_toxic = (attacks["label_gold"] == "toxic").to_numpy()
        return np.where(is_toxic, 0.5 + readable / 2, 0.5 - readable / 2)


class ModelVoter:
    """The victim's view of the original: where it is sure and the gold label says otherwise, the label is in doubt."""

    name = "model"
    weight = 1.0

    def vote(self, attacks: pd.DataFrame) -> Votes:
        """See :meth:`Voter.vote`: the victim's score of the original."""
        return attacks["score_before"].to_numpy(dtype=float)
