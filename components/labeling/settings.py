"""The settings of labelling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from content_arena.components.shared.errors import InputError


@dataclass(frozen=True, kw_only=True)
class LabelingSettings:
    """How sure a label has to be.

    Attributes:
        min_confidence: Attacks labelled with less confidence than this, in [0, 1], are queued for a person. At
            0.7 this happens to a readable attack if the victim gave the original's label a probability of only 0.1.
        doubtful_labels: Texts of the corpus whose labels are probably wrong: how many are named, at most; 0 looks for
            none.
        judged_texts: Texts that wait for a person about which an LLM is asked, too, at most (section "llm"); 0 asks
            none.
    """

    SECTION: ClassVar[str] = "labeling"
    min_confidence: float = 0.7
    doubtful_labels: int = 100
    judged_texts: int = 0

    def __post_init__(self) -> None:
        # Written so that NaN fails.
        if not 0 <= self.min_confidence <= 1:
            raise InputError(f"min_confidence is {self.min_confidence}, it has to be from 0 to 1")
        for name in ("doubtful_labels", "judged_texts"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}, it has to be 0 or more")
