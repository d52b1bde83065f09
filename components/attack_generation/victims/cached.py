"""A victim whose answers are remembered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from content_arena.components.attack_generation.victims.base import Scores, Victim
from content_arena.components.shared.errors import VictimError


class CachedVictim:
    """Asks a victim once for each different text, and counts the queries.

    An attacker can remember answers, so a cached one costs no budget.
    """

    def __init__(self, victim: Victim) -> None:
        self.victim = victim
        self.n_queries = 0
        self._answers: dict[str, np.float32] = {}

    @property
    def version(self) -> str:
        """The victim's."""
        return self.victim.version

    @property
    def threshold(self) -> float:
        """The victim's."""
        return self.victim.threshold

    def knows(self, text: str) -> bool:
        """Whether a query for this text is answered from the cache."""
        return text in self._answers

    def score(self, texts: Sequence[str]) -> Scores:
        """See :meth:`Victim.score`.

        Raises:
            VictimError: The answer is not one probability for each text.
        """
        # Texts of about the same length share a request, because many filters pad all of one to its longest text.
        new = sorted(dict.fromkeys(text for text in texts if text not in self._answers), key=len)
        if new:
            scores = np.asarray(self.victim.score(new), dtype=np.float32)
            if scores.shape != (len(new),) or not np.all((scores >= 0) & (scores <= 1)):
                raise VictimError(f"victim {self.version} did not answer with {len(new)} probabilities")
            self.n_queries += len(new)
            self._answers.update(zip(new, scores, strict=True))
        return np.fromiter((self._answers[text] for text in texts), np.float32, len(texts))
