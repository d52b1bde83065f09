"""The interface between the control loop and what measures the challenger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from content_arena.components.canary_rollout.analysis.check import Check
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.plan.state import Challenger, Stable
from content_arena.components.canary_rollout.traffic.mode import Mode, View


@dataclass(frozen=True)
class Measurement:
    """The result of measuring a window.

    Attributes:
        verdict: The worst of the checks.
        cause: Reasons of the first few checks with that verdict; for a pass, the amount of evidence.
        requests: The challenger's judged answers to users.
        checks: Every check.
        disturbed: Whether a part of the window was not counted. More answers do not make up for that.
    """

    verdict: Verdict
    cause: str
    requests: int
    checks: tuple[Check, ...]
    disturbed: bool = False


@dataclass(frozen=True)
class Moment:
    """The input of a measurement: a window, a share and two variants.

    Attributes:
        window: When the window began, seconds since the epoch.
        probed: Probes that ended before this time do not count, seconds since the epoch.
        now: Seconds since the epoch.
        percent: The challenger's share.
        stable: What served before.
        challenger: What is rolled out.
        view: The service as just read.
        mode: How the service splits traffic.
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
        """Judges the window so far. Called once in every iteration of the loop; correct after a restart too."""
        ...
