"""What a perturbed text may be: one that a filter accepts, and that a person can still read.

An attacker can see this without the filter, so that a text that fails a constraint is not asked about. It is counted.
The bounds are the "constraints" of Morris et al. 2020, "TextAttack".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rapidfuzz.distance import Levenshtein

from content_arena.components.shared.limits import MAX_TEXT_LENGTH
from content_arena.components.shared.text.readability import MIN_READABILITY, of_pair


class Constraint(Protocol):
    """A bound on perturbed texts."""

    def allows(self, original: str, perturbed: str) -> bool:
        """Whether the perturbed text keeps it."""
        ...


@dataclass(frozen=True)
class Acceptable:
    """The text is another one than the original, and not longer than a filter reads."""

    def allows(self, original: str, perturbed: str) -> bool:
        """See :class:`Constraint`."""
        return perturbed != original and 0 < len(perturbed) <= MAX_TEXT_LENGTH


@dataclass(frozen=True)
class EditShare:
    """The Levenshtein distance is at most this share of the longer text's length.

    Attributes:
        most: In (0, 1]; 1 allows every edit.
    """

    most: float = 1.0

    def allows(self, original: str, perturbed: str) -> bool:
        """See :class:`Constraint`."""
        if self.most >= 1:
            return True
        return Levenshtein.distance(original, perturbed) <= self.most * max(len(original), len(perturbed))


@dataclass(frozen=True)
class Readable:
    """A person can still read the original in it: see :mod:`content_arena.components.shared.text.readability`."""

    def allows(self, original: str, perturbed: str) -> bool:
        """See :class:`Constraint`."""
        return of_pair(original, perturbed) >= MIN_READABILITY


def usual(max_edit_share: float = 1.0) -> tuple[Constraint, ...]:
    """The constraints of a battle, the cheapest first."""
    return Acceptable(), EditShare(max_edit_share), Readable()


def all_allow(constraints: Sequence[Constraint], original: str, perturbed: str, written: str | None = None) -> bool:
    """Whether a text keeps every constraint.

    Args:
        constraints: To keep.
        original: The original.
        perturbed: The text.
        written: What an LLM wrote in the original's place: what a person has to be able to read then.
    """
    return all(
        constraint.allows(written or original if isinstance(constraint, Readable) else original, perturbed)
        for constraint in constraints
    )
