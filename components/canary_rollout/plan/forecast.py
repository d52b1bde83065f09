"""How long a rollout takes at the rate of answers that users get now, and which steps never gather enough. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.shared.pages import display


@dataclass(frozen=True)
class LiveRate:
    """How many answers users get.

    Attributes:
        per_second: Of the whole service.
        basis: What it was taken from, for people.
    """

    per_second: float
    basis: str


@dataclass(frozen=True)
class Forecast:
    """How long a rollout is going to be measured.

    Attributes:
        parameters: The plan.
        rate: Answers to users.
        least: Answers with which the analysis can pass, whatever ``min_requests`` is.
    """

    parameters: Parameters
    rate: LiveRate
    least: float

    @property
    def needed(self) -> float:
        """Answers of the challenger that each step above 0 needs."""
        return max(self.parameters.min_requests, self.least)

    def gathering(self, percent: int) -> float:
        """How long a step takes to gather its answers, in seconds; infinity if it never does."""
        if percent == 0 or self.needed == 0:
            return 0.0
        share = self.rate.per_second * percent / 100
        return self.needed / share if share > 0 else math.inf

    def measured(self, percent: int) -> float:
        """How long a step is measured, in seconds: it is judged after each bake."""
        bake, gathering = self.parameters.bake_seconds, self.gathering(percent)
        if math.isinf(gathering):
            return gathering
        whole = max(1, math.ceil(gathering / bake)) * bake if bake > 0 else gathering
        return self.parameters.warmup_seconds + whole

    @property
    def starving(self) -> list[int]:
        """The steps that do not gather their answers before their window has to end."""
        longest = self.parameters.longest_window - self.parameters.warmup_seconds
        return [percent for percent in self.parameters.path if self.gathering(percent) > longest]

    @property
    def seconds(self) -> float:
        """How long all steps are measured; a window that can not gather its answers ends with its time limit."""
        return sum(min(self.measured(percent), self.parameters.longest_window) for percent in self.parameters.path)

    def lines(self) -> list[str]:
        """What people have to know before the rollout begins."""
        rate, starving = self.rate, self.starving
        lines = [
            f"users get about {rate.per_second:.3g} answers a second ({rate.basis}): the steps are measured for about "
            f"{display.duration(self.seconds)} in all, plus the time of pods, probes and approvals"
        ]
        if starving:
            lines.append(self._starvation(starving))
        if self.seconds > self.parameters.deadline_seconds:
            lines.append(
                f"the deadline of {display.duration(self.parameters.deadline_seconds)} is over before that (--deadline)"
            )
        return lines

    def _starvation(self, starving: list[int]) -> str:
        longest = self.parameters.longest_window - self.parameters.warmup_seconds
        names, needed = ", ".join(f"{percent} %" for percent in starving), self.needed
        if math.isinf(needed):
            return f"no number of answers is enough for a margin of 0: {names} never pass"
        why = ""
        if self.parameters.min_requests < self.least:
            why = f", since the p99 needs {self.least:.0f} whatever --min-requests says"
        lack = f"{names} will not gather the {needed:.0f} answers of a judgement within {display.duration(longest)}"
        if self.rate.per_second <= 0:
            return f"{lack}{why}, and a person is asked then: nobody calls the service now"
        enough = math.ceil(100 * needed / (self.rate.per_second * longest))
        advice = f"begin with {enough} % or more (--plan)" if enough <= 100 else "no share is enough"
        return f"{lack}{why}, and a person is asked then: {advice}, or give a window more time (--window)"
