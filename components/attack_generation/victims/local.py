"""A filter of the registry, or a bundle, whose answers are kept while a battle is fought."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from content_arena.components.attack_generation.victims.answering import AnsweringVictim
from content_arena.components.attack_generation.victims.base import Answer, Victim
from content_arena.components.attack_generation.victims.journal import Journal

if TYPE_CHECKING:
    from content_arena.components.shared.scoring.filter import ContentFilter

#: Texts that are scored before their answers are kept: a second's work, and batches enough for all cores.
_BATCH_SIZE = 512


class LocalVictim(AnsweringVictim):
    """A filter in this process; its answers are the scores, and its threshold is its own.

    Attributes:
        filter: The filter.
    """

    def __init__(self, filter_: ContentFilter, journal: Journal) -> None:
        """Scores nothing yet.

        Args:
            filter_: The filter.
            journal: Answers of this very model.
        """
        super().__init__(filter_.version, filter_.threshold, _BATCH_SIZE, journal)
        self.filter = filter_

    def _ask(self, batch: list[str]) -> list[Answer]:
        return [(score, None) for score in self.filter.score(batch).tolist()]


def canonicaliser_of(victim: Victim) -> Callable[[str], str] | None:
    """How a filter canonicalises a text before its model reads it.

    Returns:
        None for a filter behind a URL and for a function: nothing is known of what these do with a text.
    """
    from content_arena.components.shared.scoring.filter import ContentFilter

    found = victim.filter if isinstance(victim, LocalVictim) else victim
    return found.reading.canonicalise if isinstance(found, ContentFilter) else None
