"""Decides from observations whether to train a new challenger, and states the reasons; a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from content_arena.components.shared.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules; one that is met is a sufficient reason.

    Attributes:
        max_evasion: Share of caught texts that a fresh battle may get past the champion, in [0, 1].
        max_age_days: Greatest age of the champion, in days.
    """

    SECTION: ClassVar[str] = "retraining"
    max_evasion: float = 0.1
    max_age_days: float = 7.0

    def __post_init__(self) -> None:
        # Written so that NaN fails.
        if not 0 <= self.max_evasion <= 1:
            raise InputError(f"max_evasion is {self.max_evasion}, it has to be from 0 to 1")
        if not self.max_age_days > 0:
            raise InputError(f"max_age_days is {self.max_age_days}, it has to be above 0")


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What the decision depends on; None for what could not be measured.

    Attributes:
        evasion: Of the fresh battle, in [0, 1].
        champion_age_days: Days since the champion was promoted.
        corpus_changed: Whether the corpus differs from the one the champion was trained on.
    """

    evasion: float | None
    champion_age_days: float | None
    corpus_changed: bool | None


@dataclass(frozen=True)
class Decision:
    """Whether to train, and the reasons."""

    retrain: bool
    reasons: tuple[str, ...]


def decide(seen: Observation, policy: Policy) -> Decision:
    """Applies the policy.

    What could not be measured is a reason to train: a needless training costs minutes, and its challenger has to pass
    every gate.
    """
    reasons = []
    if seen.evasion is None:
        reasons.append("the battle measured no evasion")
    elif not seen.evasion <= policy.max_evasion:
        reasons.append(f"evasion {seen.evasion:.3f} is over {policy.max_evasion:g}")
    if seen.champion_age_days is None:
        reasons.append("the age of the champion is unknown")
    elif not seen.champion_age_days <= policy.max_age_days:
        reasons.append(f"the champion is {seen.champion_age_days:.1f} days old, over {policy.max_age_days:g}")
    if seen.corpus_changed is None:
        reasons.append("the corpus that the champion was trained on is unknown")
    elif seen.corpus_changed:
        reasons.append("the corpus has changed")
    return Decision(bool(reasons), tuple(reasons))
