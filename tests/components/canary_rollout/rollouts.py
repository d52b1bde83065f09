"""States and observations for tests of the plan."""

from __future__ import annotations

from content_arena.components.canary_rollout.plan.decide import Observation, Verdict
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Phase, Stable, State, start

STABLE = Stable("1", "s3://models/content-filter/1", {"name": "v1", "min_replicas": 2, "max_replicas": 6})
PARAMETERS = Parameters(
    steps=(0, 25, 50, 100), bake_seconds=10, warmup_seconds=2, min_requests=5, failure_limit=0, inconclusive_limit=1,
    start_seconds=60, move_seconds=30, deadline_seconds=1000, approvals=(100,), window_seconds=50,
)  # fmt: skip
START = 1_000_000.0
#: Long enough for warm-up and bake.
WINDOW = PARAMETERS.warmup_seconds + PARAMETERS.bake_seconds


def begun(parameters: Parameters = PARAMETERS) -> State:
    return start("r1", Challenger("2", "s3://models/content-filter/2"), STABLE, parameters, START)


def at(phase: Phase, step: int = 0, parameters: Parameters = PARAMETERS, **changes) -> State:
    return begun(parameters).enter(phase, START, "a test", step=step, **changes)


def good(state: State, **changes) -> Observation:
    """The observation of a good challenger at the end of a step's bake."""
    usual = {
        "now": state.window + state.parameters.warmup_seconds + state.parameters.bake_seconds,
        "share": state.percent,
        "ready": True,
        "verdict": Verdict.PASS,
        "cause": "as good as the champion",
        "requests": state.parameters.min_requests,
    }
    return Observation(**(usual | changes))
