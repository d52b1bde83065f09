"""Rollouts with their histories."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from content_arena.components.canary_rollout.analysis.bounds import Bounds
from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject, worst
from content_arena.components.canary_rollout.analysis.checks import (
    Window,
    judge_traffic,
    judge_versions,
)
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.plan.gate import Gate
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Phase, Stable, start
from content_arena.components.canary_rollout.reporting.history import Record

START = 1_790_000_000.0
PARAMETERS = Parameters(steps=(0, 1, 5, 25, 50, 100), approvals=(25,))
STABLE = Stable("6", "s3://models/content-filter/6", {"name": "v6", "min_replicas": 2, "max_replicas": 6})
EDGES = (0.01, 0.05, 0.1, 0.5, 1.0, math.inf)
BAKE = 330


def window(requests: int, errors: int = 0, slow: int = 0) -> Window:
    rest = requests - slow
    latencies = (rest // 2, rest - rest // 2, 0, 0, slow, 0)
    scores = (requests // 2, requests // 4, requests // 4)
    return Window(requests, errors, 0, EDGES, latencies, requests, requests // 10, scores, frozenset({"7"}))


def checks(requests: int, errors: int = 0, slow: int = 0) -> tuple[Check, ...]:
    found = judge_traffic(window(9 * requests), window(requests, errors, slow), Bounds())
    return (Check(Kind.READY, Subject.CHALLENGER, Verdict.PASS, "the challenger's pods are ready"),
            judge_versions(Kind.VERSION, Subject.CHALLENGER, frozenset({"7"}), "7"), *found)  # fmt: skip


class Story:
    """Writes records as the control loop does."""

    def __init__(self, parameters: Parameters = PARAMETERS) -> None:
        self.state = start("r7-x2", Challenger("7", "s3://models/content-filter/7"), STABLE, parameters, START)
        self.records: list[Record] = []
        self.now = START
        self._random = random.Random(0)

    def enter(self, phase: Phase, reason: str, seconds: float, share: int | None = None, **changes) -> Story:
        self.state = self.state.enter(phase, self.now, reason, **changes)
        self.record(share, event=reason if phase is not Phase.BAKING else "")
        self.now += seconds
        return self

    def record(self, share: int | None = None, made: tuple[Check, ...] = (), event: str = "") -> Story:
        state = self.state
        share = state.percent if share is None else share
        verdict = worst(made) if made else None
        self.records.append(
            Record(at=self.now, phase=state.phase.value, step=state.step, percent=state.percent, share=share,
                   action="measure", reason=state.reason, verdict=verdict, checks=made, approvals=state.approvals,
                   event=event)
        )  # fmt: skip
        return self

    def bake(self, per_iteration: int, iterations: int = 11, errors: float = 0.0, slow: float = 0.0) -> Story:
        self.enter(Phase.BAKING, f"the challenger has {self.state.percent} %", 30)
        for turn in range(1, iterations + 1):
            n = int(per_iteration * turn * self._random.uniform(0.95, 1.05))
            self.record(made=checks(n, round(errors * n), round(slow * n)))
            self.now += 30
        return self

    def step_up(self, **changes) -> Story:
        step = self.state.step + 1
        percent = PARAMETERS.path[step]
        return self.enter(
            Phase.SHIFTING, f"{percent} % for v7", 8, share=PARAMETERS.path[step - 1], step=step, **changes
        )


def begun() -> Story:
    story = Story().enter(Phase.STAGING, "v7 starts at 0 %", 45)
    story.enter(Phase.BAKING, "the challenger's pods are ready, it has no traffic", 60)
    ready = Check(Kind.READY, Subject.CHALLENGER, Verdict.PASS, "the challenger's pods are ready")
    story.record(
        made=(ready, Check(Kind.PROBES, Subject.CHALLENGER, Verdict.INCONCLUSIVE, "under way, 40 requests so far"))
    )
    story.now += 120
    story.record(made=(ready,))
    story.now += 150
    return story


def promoted() -> Story:
    story = begun().step_up().bake(60).step_up().bake(300)
    story.enter(
        Phase.WAITING,
        "5 % passed, 25 % needs a person's approval",
        400,
        gate=Gate.parse("step-25"),
        then=Phase.SHIFTING,
    )
    story.step_up(approvals=("step-25 by mina@example.org",), waited=400.0)
    story.bake(900).step_up().bake(900).step_up().bake(1_500)
    story.enter(Phase.PROMOTING, "passed every step", 20)
    return story.enter(Phase.PROMOTED, "version 7 serves alone and is the champion", 0)


def rolled_back() -> Story:
    story = begun().step_up().bake(60).step_up().bake(300, iterations=6, errors=0.001)
    failed = checks(1_900, errors=95, slow=210)
    story.record(made=failed)
    reason = "failed at 5 %: " + "; ".join(check.reason for check in failed if check.verdict is Verdict.FAIL)
    story.now += 5
    story.enter(Phase.ROLLING_BACK, reason, 6)
    story.record(share=0, event="0 % for v7")
    story.now += 9
    return story.enter(Phase.ROLLED_BACK, reason, 0, share=0)


def hostile() -> Story:
    story = begun()
    words = '<script>alert(1)</script> \u202e " onload="x'
    story.enter(Phase.ROLLING_BACK, f"the challenger does not start: {words}", 5, share=None)
    story.state = replace(story.state, approvals=(f"step-1 by {words}",))
    return story.enter(Phase.ROLLED_BACK, words, 0, share=0)
