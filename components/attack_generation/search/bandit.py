"""Which of many things to try next: Thompson sampling.

Sources: Thompson 1933, "On the Likelihood that One Unknown Probability Exceeds Another"; Chapelle and Li 2011, "An
Empirical Evaluation of Thompson Sampling" (it bears answers that come late and many at once, as those of a level of
searches do); Agrawal and Goyal 2012, "Analysis of Thompson Sampling for the Multi-armed Bandit Problem" (rewards
between 0 and 1). Arms of a group begin with what the group has shown: partial pooling, Efron and Morris 1975.

A library would bring its own models of data and arms for what are a few lines on numpy's beta distribution.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

Arm = TypeVar("Arm", bound=Hashable)

#: How many trials the experience of an arm's group is worth to it.
_POOLED = 2.0


@dataclass(frozen=True)
class Experience(Generic[Arm]):
    """What is known of an arm.

    Attributes:
        arm: It.
        n: How often it was tried; what is remembered of earlier battles counts for less.
        mean: Mean of its rewards, in [0, 1].
    """

    arm: Arm
    n: float
    mean: float


class Bandit(Generic[Arm]):
    """Arms with a Beta distribution each, over the reward that is to be expected of them."""

    def __init__(self, seed: int) -> None:
        """No arms yet; the same seed, arms and rewards give the same draws."""
        self._rng = np.random.default_rng(seed)
        self._number: dict[Arm, int] = {}
        self._group_of: list[int] = []
        self._groups: dict[Hashable, int] = {}
        self._gained: list[float] = []
        self._tried: list[float] = []

    def add(self, arm: Arm, group: Hashable) -> None:
        """Adds an arm, which nothing is known of but what its group has shown; a known one stays as it is."""
        if arm in self._number:
            return
        self._number[arm] = len(self._number)
        self._group_of.append(self._groups.setdefault(group, len(self._groups)))
        self._gained.append(0.0)
        self._tried.append(0.0)

    def learn(self, arm: Arm, reward: float) -> None:
        """Takes the reward of a trial, in [0, 1]."""
        number = self._number[arm]
        self._gained[number] += reward
        self._tried[number] += 1

    def recall(self, arm: Arm, n: float, gained: float, most: float) -> None:
        """Takes trials from elsewhere, which count for ``most`` at most; those of an arm that was not added are none.

        Args:
            arm: It.
            n: How often it was tried there, above 0.
            gained: Sum of its rewards.
            most: So many trials at most.
        """
        if arm in self._number:
            number, weight = self._number[arm], min(1.0, most / n)
            self._gained[number] += weight * gained
            self._tried[number] += weight * n

    def ranked(self, arms: Sequence[Arm]) -> list[Arm]:
        """The arms in the order of one draw from the distribution of each, the most promising first.

        Args:
            arms: Some of those that were added.
        """
        if not arms:
            return []
        gained, tried, group_of = np.array(self._gained), np.array(self._tried, dtype=float), np.array(self._group_of)
        n_groups = len(self._groups)
        of_group = (1 + np.bincount(group_of, gained, n_groups)) / (2 + np.bincount(group_of, tried, n_groups))
        prior = _POOLED * of_group[group_of]
        numbers = np.array([self._number[arm] for arm in arms])
        hits, misses = prior + gained, _POOLED - prior + tried - gained
        drawn = self._rng.beta(hits[numbers], misses[numbers])
        return [arms[place] for place in np.argsort(-drawn, kind="stable")]

    def known(self) -> list[Experience[Arm]]:
        """Every arm that was tried."""
        return [
            Experience(arm, self._tried[number], self._gained[number] / self._tried[number])
            for arm, number in self._number.items()
            if self._tried[number]
        ]

    def best(self, n: int) -> list[Experience[Arm]]:
        """The n arms that did best among those that were tried, the best first."""
        # One trial shows little, so few of them count for less.
        return sorted(self.known(), key=lambda found: -found.mean * found.n / (found.n + _POOLED))[:n]
