"""What the loop asks of whoever measures the challenger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from content_arena.components.canary_rollout.analysis.check import Check
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.plan.state import Challenger, Stable
from content_arena.components.canary_rollout.traffic.mode import Mode, View


@dataclass(frozen=True)
class Measurement:
    """How the challenger did in a window.

    Attributes:
        verdict: The worst of the checks.
        cause: The first failing or else inconclusive check's reason, or a summary of a pass.
        requests: The challenger's judged answers to users.
        checks: Every check, with its verdict and its reason.
        disturbed: Whether not all of the window could be counted, which no further answers mend.
    """

    verdict: Verdict
    cause: str
    requests: int
    checks: tuple[Check, ...]
    disturbed: bool = False


@dataclass(frozen=True)
class Moment:
    """What is to be judged: which window, at which share, and who is compared with whom.

    Attributes:
        window: When the window began, seconds since the epoch.
        probed: Since when probes count, seconds since the epoch.
        now: Seconds since the epoch.
        percent: The challenger's share.
        stable: What served before.
        challenger: What is rolled out.
        view: The service as just read.
        mode: How it splits traffic.
    """

    window: float
    probed: float
    now: float
    percent: int
    stable: Stable
    challenger: Challenger
    view: View
    mode: Mode


class Measurer(Protocol):
    """Measures both variants."""

    def measure(self, moment: Moment) -> Measurement:
        """Judges the window so far; called once every turn of the loop, and correct after a restart."""
        ...
