"""The settings of a battle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from content_arena.components.attack_generation.selection import FAMILIES, Selection
from content_arena.components.shared.errors import InputError


@dataclass(frozen=True, kw_only=True)
class AttackSettings:
    """How to attack.

    Attributes:
        budget: Queries an attack may spend on each text and strategy.
        texts_per_label: Texts of each label to attack.
        validation_share: Validation texts of each label to attack, as a share of ``texts_per_label``.
        held_out_strategies: Strategies that are judged and never trained on. Empty: those that the champion was never
            trained on, or, if it was trained on no attacks, some that the seed chooses.
        strategies: Strategies to attack with. Empty, with no families either: those that attack by default.
        families: Families of strategies to attack with, beside the named strategies.
    """

    SECTION: ClassVar[str] = "attack"
    budget: int = 3
    texts_per_label: int = 200
    validation_share: float = 0.25
    held_out_strategies: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    families: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("budget", "texts_per_label"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, it has to be at least 1")
        # Written so that NaN fails.
        if not 0 < self.validation_share <= 1:
            raise InputError(f"validation_share is {self.validation_share}, it has to be above 0 and at most 1")
        unknown = sorted(set(self.families) - set(FAMILIES))
        if unknown:
            raise InputError(f"there is no family {', '.join(unknown)}; there is: {', '.join(FAMILIES)}")

    @property
    def selection(self) -> Selection:
        """What to attack with."""
        return Selection(self.strategies, self.families)
