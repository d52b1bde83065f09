"""What a perturbed text may be: one that a filter accepts, and that a person can still read.

An attacker can see this without the filter, so that a text that fails a constraint is not asked about. It is counted.
The bounds are the "constraints" of Morris et al. 2020, "TextAttack".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rapidfuzz.distance import Levenshtein

from content_arena.components.attack_generation.meaning import Judged, Meaning
from content_arena.components.attack_generation.search.drafts import Draft
from content_arena.components.shared.limits import MAX_TEXT_LENGTH
from content_arena.components.shared.text.meaning import LEAST_MEANING
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


@dataclass(frozen=True)
class SameMeaning:
    """A text in other words says what the original says: see :mod:`content_arena.components.attack_generation.meaning`.

    Attributes:
        meaning: Measures it.
        lang: ISO 639-1 code of the texts.
        found: Similarities that were measured, NaN for those that could not be, by the text in other words.
    """

    meaning: Meaning
    lang: str
    found: dict[str, float] = field(default_factory=dict)

    def allows(self, original: str, perturbed: str) -> bool:
        """See :class:`Constraint`; what cannot be measured is allowed, and counted as such."""
        if perturbed == original:
            return True
        if perturbed not in self.found:
            self.found[perturbed] = float(self.meaning.similarities(self.lang, [(original, perturbed)])[0])
        # Written so that NaN is allowed.
        return not self.found[perturbed] < LEAST_MEANING.get(self.lang, -1.0)

    @property
    def judged(self) -> Judged:
        """How many texts were judged, each counted once, whatever else was done to it."""
        return Judged.of(self.lang, list(self.found.values()))


def usual(max_edit_share: float = 1.0, same_meaning: SameMeaning | None = None) -> tuple[Constraint, ...]:
    """The constraints of a battle, the cheapest first.

    Args:
        max_edit_share: Largest share of a text that may change, in (0, 1].
        same_meaning: The constraint on meaning of the text; without it none.
    """
    meant = () if same_meaning is None else (same_meaning,)
    return Acceptable(), EditShare(max_edit_share), Readable(), *meant


def all_allow(constraints: Sequence[Constraint], original: str, draft: Draft) -> bool:
    """Whether a draft keeps every constraint.

    A person has to be able to read what an LLM wrote in the original's place. What a text means is judged without the
    edits of its spelling.

    Args:
        constraints: To keep.
        original: The original.
        draft: What was made of it.
    """
    return all(_allows(constraint, original, draft) for constraint in constraints)


def _allows(constraint: Constraint, original: str, draft: Draft) -> bool:
    match constraint:
        case Readable():
            return constraint.allows(draft.written or original, draft.text)
        case SameMeaning():
            return constraint.allows(original, draft.in_words.text)
    return constraint.allows(original, draft.text)
