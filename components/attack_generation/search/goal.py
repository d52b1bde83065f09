"""What an attack wants of a filter."""

from __future__ import annotations

from dataclasses import dataclass

from content_arena.components.attack_generation.victims.base import Victim


@dataclass(frozen=True)
class NotFlagged:
    """A toxic text gets past the filter: its score falls below the threshold.

    Attributes:
        victim: The filter. Its threshold is read anew each time: that of an endpoint is inferred from its answers.
    """

    victim: Victim

    def is_reached(self, score: float) -> bool:
        """Whether the attack succeeded."""
        return score < self.victim.threshold

    def distance(self, score: float) -> float:
        """How far the attack is from its goal; the lower, the nearer."""
        return score
