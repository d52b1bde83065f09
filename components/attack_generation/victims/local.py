"""A filter of the registry, or a bundle, whose answers are kept while a battle is fought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from content_arena.components.attack_generation.victims.answering import AnsweringVictim
from content_arena.components.attack_generation.victims.base import Answer
from content_arena.components.attack_generation.victims.journal import Journal

if TYPE_CHECKING:
    from content_arena.components.shared.scoring.filter import ContentFilter

#: Texts that are scored before their answers are kept: a second's work, and batches enough for all cores.
_BATCH_SIZE = 512


class LocalVictim(AnsweringVictim):
    """A filter in this process; its answers are the scores, and its threshold is its own."""

    def __init__(self, filter_: ContentFilter, journal: Journal) -> None:
        """Scores nothing yet.

        Args:
            filter_: The filter.
            journal: Answers of this very model.
        """
        super().__init__(filter_.version, filter_.threshold, _BATCH_SIZE, journal)
        self._filter = filter_

    def _ask(self, batch: list[str]) -> list[Answer]:
        return [(score, None) for score in self._filter.score(batch).tolist()]
