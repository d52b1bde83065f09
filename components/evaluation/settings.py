"""The settings of an evaluation. Its attacks are set in the section of the attacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from content_arena.components.shared.errors import InputError


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How to measure both models.

    Attributes:
        latency_texts: Texts that the latency of each model is measured on, one at a time.
        examples: Attacks that still get through to show in the report, at most.
    """

    SECTION: ClassVar[str] = "evaluation"
    latency_texts: int = 100
    examples: int = 40

    def __post_init__(self) -> None:
        if self.latency_texts < 1:
            raise InputError(f"latency_texts is {self.latency_texts}, it has to be at least 1")
        if self.examples < 0:
            raise InputError(f"examples is {self.examples}, it has to be 0 or more")
