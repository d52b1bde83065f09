"""When a new challenger is worth its training. Pure: what was observed in, a decision with its reasons out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from content_arena.components.shared.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules; any one that is met is reason enough.

    Attributes:
        max_evasion: Share of caught texts that a fresh battle may turn, in [0, 1].
        max_age_days: Age of the champion, in days.
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
    """What is known when the question comes up; None stands for what could not be measured.

    Attributes:
        evasion: Of the fresh battle, in [0, 1].
        champion_age_days: Since it was promoted.
        corpus_changed: Whether the corpus is another than the champion was trained on.
    """

    evasion: float | None
    champion_age_days: float | None
    corpus_changed: bool | None


@dataclass(frozen=True)
class Decision:
    """Whether to train, and why."""

    retrain: bool
    reasons: tuple[str, ...]


def decide(seen: Observation, policy: Policy) -> Decision:
    """Applies the policy.

    What could not be measured is a reason to train: a training too many costs minutes, and its challenger still has to
    pass every gate.
    """
    reasons = []
    if seen.evasion is None:
        reasons.append("the battle measured no evasion")
    elif not seen.evasion <= policy.max_evasion:
        reasons.append(f"evasion {seen.evasion:.3f} is over {policy.max_evasion:g}")
    if seen.champion_age_days is None:
        reasons.append("nobody knows how old the champion is")
    elif not seen.champion_age_days <= policy.max_age_days:
        reasons.append(f"the champion is {seen.champion_age_days:.1f} days old, over {policy.max_age_days:g}")
    if seen.corpus_changed is None:
        reasons.append("nobody knows which corpus the champion was trained on")
    elif seen.corpus_changed:
        reasons.append("the corpus has changed")
    return Decision(bool(reasons), tuple(reasons))
