"""The interface between the control loop and what measures the challenger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from content_arena.components.canary_rollout.analysis.check import Check
from content_arena.components.canary_rollout.analysis.verdict import Lack, Verdict
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
        bounds: By subject, those that the challenger passed with because the champion is no better than them.
        lacks: What it lacks where nothing else is in the way of a verdict; None if time does not bring one.
    """

    verdict: Verdict
    cause: str
    requests: int
    checks: tuple[Check, ...]
    disturbed: bool = False
    bounds: Mapping[str, float] = field(default_factory=dict)
    lacks: Lack | None = None


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
        bounds: Those that the challenger last passed with beside the champion, where they are looser than the limits.
        draw: Which draw of texts the probes are; another one has other texts.
    """

    window: float
    probed: float
    now: float
    percent: int
    stable: Stable
    challenger: Challenger
    view: View
    mode: Mode
    bounds: Mapping[str, float] = field(default_factory=dict)
    draw: int = 0


class Measurer(Protocol):
    """Measures both variants."""

    def measure(self, moment: Moment) -> Measurement:
        """Judges the window so far. Called once in every iteration of the loop; correct after a restart too."""
        ...
