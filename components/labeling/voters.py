"""Voters: each estimates how likely the text of an attack is toxic, or abstains.

A voter without weight decides nothing. Its votes are kept with the labels, and people's answers measure it, see
accuracy.py: that is how a new voter, such as a judge of another kind, joins before it is trusted. README.md has the
figures of what was tried.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.shared.text.readability import is_twin, readability

Votes = npt.NDArray[np.float64]


class Voter(Protocol):
    """One estimate for a table of attacks.

    Attributes:
        name: Used in ``label_source``.
        weight: Weight among the voters; 0 for one that is only measured.
    """

    name: str
    weight: float

    def vote(self, attacks: pd.DataFrame) -> Votes:
        """Probability of toxic for every row, float64[n]; NaN abstains."""
        ...


class GoldVoter:
    """Votes for the original's label, the more readable the text the stronger: strategies do not change the meaning."""

    name = "gold"
    weight = 2.0

    def vote(self, attacks: pd.DataFrame) -> Votes:
        """See :meth:`Voter.vote`: 0.5 + readability / 2 for the gold label toxic, 0.5 - readability / 2 for benign."""
        readable = readability(attacks)
        is_toxic = (attacks["label_gold"] == "toxic").to_numpy()
        return np.where(is_toxic, 0.5 + readable / 2, 0.5 - readable / 2)


class ModelVoter:
    """Votes as the victim scores the original: a confident score against the gold label makes the label doubtful.

    The score of a toxic original says nothing of its benign twin, so it abstains there.
    """

    name = "model"
    weight = 1.0

    def vote(self, attacks: pd.DataFrame) -> Votes:
        """See :meth:`Voter.vote`: the victim's score of the original."""
        return np.where(is_twin(attacks), np.nan, attacks["score_before"].to_numpy(dtype=float))


class RestoredVoter:
    """Votes as the victim scores the perturbed text, which it reads with its words restored if it has a Reader.

    It is without weight: the attack was made to distort this score.
    """

    name = "restored"
    weight = 0.0

    def vote(self, attacks: pd.DataFrame) -> Votes:
        """See :meth:`Voter.vote`: the victim's score of the perturbed text."""
        return attacks["score_after"].to_numpy(dtype=float)


#: The voters of the stage.
STANDARD: tuple[Voter, ...] = (GoldVoter(), ModelVoter(), RestoredVoter())
