"""What the labels of a data set mean, as its user says it: ``8=benign,*=toxic``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast, get_args

from content_arena.components.corpus_preparation.tables.labels import (
    Meaning,
    folded,
    is_empty,
    meaning_of,
    number_in,
    parts_of,
    shown,
    together,
)
from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.shared.errors import InputError

_REST = "*"
_FROM = ">="


@dataclass(frozen=True)
class LabelMap:
    """What labels mean.

    Attributes:
        meanings: Of single labels: words as :func:`labels.folded` gives them, and numbers.
        limits: Scores and what the scores from there on mean, the highest first.
        rest: What every other label means; None if they keep their usual meaning.
    """

    meanings: Mapping[str | float, Meaning]
    limits: tuple[tuple[float, Meaning], ...]
    rest: Meaning | None

    @classmethod
    def parse(cls, text: str) -> LabelMap:
        """Reads a map such as ``8=benign,*=toxic`` or ``>=0.5=toxic,*=benign``.

        Raises:
            InputError: It is no such map, or gives a label two meanings.
        """
        meanings: dict[str | float, Meaning] = {}
        limits: dict[float, Meaning] = {}
        rest: Meaning | None = None
        for entry in filter(None, (entry.strip() for entry in text.split(","))):
            label, _, word = entry.rpartition("=")
            label, word = label.strip(), word.strip().casefold()
            if not label or word not in get_args(Meaning):
                raise InputError(
                    f"{named('label_map')} has the entry {shown(entry)}; write LABEL=toxic, LABEL=benign or LABEL=none "
                    "(no class, the row is dropped) between commas, * for every other label and >=0.5 for scores"
                )
            meaning = cast(Meaning, word)
            if label == _REST:
                repeated, rest = rest is not None, meaning
            elif label.startswith(_FROM):
                limit = number_in(label.removeprefix(_FROM))
                if limit is None:
                    raise InputError(f"{named('label_map')} has the limit {shown(label)}; write one such as >=0.5")
                repeated = limit in limits
                limits[limit] = meaning
            else:
                key = _key(label)
                repeated = key in meanings
                meanings[key] = meaning
            if repeated:
                raise InputError(f"{named('label_map')} gives {shown(label)} two meanings")
        return cls(meanings, tuple(sorted(limits.items(), reverse=True)), rest)

    def meaning(self, value: object, is_benign_column: bool = False) -> Meaning | None:
        """What a cell means; None if it is unknown.

        Args:
            value: The cell. Of several labels in it, each is looked up.
            is_benign_column: Whether 1, true and yes mean benign in this column where the map does not say otherwise.
        """
        if is_empty(value):
            return "none"
        stated = self.meanings.get(_key(value))
        if stated is not None:
            return stated
        number = number_in(value)
        if self.limits and number is not None:
            passed = (meaning for limit, meaning in self.limits if number >= limit)
            return next(passed, self.rest)
        parts = parts_of(value)
        if parts:
            return together(self.meaning(part, is_benign_column) for part in parts)
        return self.rest or meaning_of(value, is_benign_column)


def _key(value: object) -> str | float:
    """A label as the map's keys are written; "" for what is neither word nor number."""
    number = number_in(value) if not (isinstance(value, str) and "," in value) else None
    if number is not None:
        return number
    return folded(value) if isinstance(value, str) else ""
