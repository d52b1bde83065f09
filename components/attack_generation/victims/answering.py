"""A victim that states scores, verdicts or both: its threshold is inferred, and its answers are kept as they come."""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from content_arena.components.attack_generation.victims.base import Answer, Scores
from content_arena.components.attack_generation.victims.journal import Journal
from content_arena.components.shared.errors import VictimError

#: Answers asked for again when a battle is resumed, and how far such an answer may be from the one before.
_ASKED_AGAIN, _SAME_WITHIN = 4, 0.05


class AnsweringVictim(ABC):
    """What asks a filter, batch by batch.

    If its answers have verdicts, the threshold is inferred: it is set between the highest score of a text that was not
    flagged and the lowest score of one that was. It then agrees with all verdicts so far. Otherwise it is a fixed one.

    Attributes:
        version: Names the filter.
        only_verdicts: Whether every answer so far was a score of exactly 0 or 1.
        n_known: Answers so far that the journal had.
    """

    def __init__(
        self, version: str, threshold: float, batch_size: int, journal: Journal | None = None, *, inverted: bool = False
    ) -> None:
        """Asks nothing yet.

        Args:
            version: Names the filter.
            threshold: For a filter that answers scores only.
            batch_size: Texts that it is asked about at once.
            journal: Answers of an earlier, unfinished battle, and where to keep those of this one.
            inverted: Whether its scores and verdicts are of benign.
        """
        self.version = version
        self.only_verdicts = True
        self.n_known = 0
        self._fixed_threshold = threshold
        self._unflagged, self._flagged = -math.inf, math.inf
        self._batch_size = batch_size
        self._journal = Journal() if journal is None else journal
        self._known_checked = not len(self._journal)
        self._keeping = threading.Lock()
        self._inverted = inverted

    @abstractmethod
    def _ask(self, batch: list[str]) -> list[Answer]:
        """The filter's answers to at most so many texts as a batch has.

        Raises:
            VictimError: There are none, or they cannot be read.
        """

    @property
    def threshold(self) -> float:
        """Inferred from the verdicts if the answers have them, else the constructor's."""
        if math.isinf(self._unflagged) and math.isinf(self._flagged):
            return self._fixed_threshold
        if math.isinf(self._flagged):
            return float(np.nextafter(np.float32(self._unflagged), np.float32(np.inf)))
        if math.isinf(self._unflagged):
            return self._flagged
        return (self._unflagged + self._flagged) / 2

    def score(self, texts: Sequence[str]) -> Scores:
        """See :meth:`Victim.score`.

        Raises:
            VictimError: The filter does not answer, or its answer cannot be read.
        """
        known = {text: answer for text in texts if (answer := self._journal.get(text)) is not None}
        self._check_known(known)
        self.n_known += len(known)
        new = [text for text in texts if text not in known]
        batches = [new[i : i + self._batch_size] for i in range(0, len(new), self._batch_size)]
        for batch, answers in zip(batches, self._ask_all(batches), strict=True):
            known.update(zip(batch, answers, strict=True))
        found = [known[text] for text in texts]
        if self._inverted:
            found = [(1 - score, None if said is None else not said) for score, said in found]
        # Battles compare float32 scores with the threshold, so it is inferred from float32 scores.
        found = [(float(np.float32(score)), said) for score, said in found]
        self._infer_threshold(found)
        self.only_verdicts = self.only_verdicts and all(score in (0, 1) for score, _ in found)
        return np.array([score for score, _ in found], dtype=np.float32)

    def _ask_all(self, batches: Sequence[list[str]]) -> list[list[Answer]]:
        """The answers to all batches; each is kept as soon as it is there, whatever becomes of the others."""
        return [self._ask_and_keep(batch) for batch in batches]

    def _ask_and_keep(self, batch: list[str]) -> list[Answer]:
        answers = self._ask(batch)
        with self._keeping:
            self._journal.add(batch, answers)
        return answers

    def _check_known(self, known: dict[str, Answer]) -> None:
        """Asks again about some texts whose answers are known: another model may answer by now."""
        if self._known_checked or not known:
            return
        self._known_checked = True
        again = list(known)[:: max(1, len(known) // _ASKED_AGAIN)][:_ASKED_AGAIN]
        asked = [answer for text in again for answer in self._ask([text])]
        if any(abs(known[text][0] - score) > _SAME_WITHIN for text, (score, _) in zip(again, asked, strict=True)):
            raise VictimError(
                f"{self.version} answers otherwise than before the battle was cut short: begin a new battle"
            )

    def _infer_threshold(self, answers: Sequence[Answer]) -> None:
        for score, flagged in answers:
            if flagged is True:
                self._flagged = min(self._flagged, score)
            elif flagged is False:
                self._unflagged = max(self._unflagged, score)
        if self._unflagged >= self._flagged:
            raise VictimError(
                f"{self.version} flags by something other than its score, or its model changed in mid-battle"
            )
