"""The settings of a corpus: how it is drawn from a larger one, and how bad it may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from content_arena.components.shared.errors import InputError

#: Share of the texts drawn that the rarer label gets, if the data has so many of it. A model of a corpus that is 90 %
#: toxic sees so few benign texts that it flags many of them, and its validation split cannot tell.
RARE_SHARE = 0.4


@dataclass(frozen=True, kw_only=True)
class CorpusSettings:
    """How a corpus is drawn, and the shares above which a run stops. 1 never stops a run.

    Attributes:
        rare_share: Of a file with more than max_texts texts, the share of the rarer label among the texts drawn, where
            there are so many of it: from 0 (as in the file) to 0.5.
        max_undecodable: Rows with bytes that are not UTF-8, as a share of the rows read.
        max_empty: Rows without a text, as a share of the rows read.
        max_contradictory: Rows whose text has both labels, as a share of the rows read.
        max_dropped: Rows dropped for any reason but the limit of texts, as a share of the rows read.
        max_leaked: Texts of validation and test that are near-duplicates of a training text, as a share of these texts.
    """

    SECTION: ClassVar[str] = "corpus"
    rare_share: float = RARE_SHARE
    max_undecodable: float = 0.1
    max_empty: float = 0.5
    max_contradictory: float = 0.2
    max_dropped: float = 0.9
    max_leaked: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.rare_share <= 0.5:
            raise InputError(f"rare_share is {self.rare_share}, it has to be from 0 to 0.5")
        for name in ("max_undecodable", "max_empty", "max_contradictory", "max_dropped", "max_leaked"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}, it has to be from 0 to 1")
