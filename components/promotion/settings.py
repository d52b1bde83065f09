"""The settings of a promotion, gates and floors apart: these have sections of their own, by name of a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class PromotionSettings:
    """What a challenger is judged on beside the corpus.

    Attributes:
        guard: Labelled texts from elsewhere than the corpus, for the guard set; embedded for the one of the language.
        require_guard: Whether a challenger is refused where there is no guard set.
    """

    SECTION: ClassVar[str] = "promotion"
    guard: str = "embedded"
    require_guard: bool = False
