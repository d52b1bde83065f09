"""What a recorded state asks of the traffic, and what the service tells about a recorded state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from content_arena.components.canary_rollout.plan.state import Phase, State
from content_arena.components.canary_rollout.traffic.mode import Aim, Goal, View
from content_arena.components.canary_rollout.traffic.mover import fingerprint

#: What the moves of a phase aim at. In any other phase nothing is moved.
AIMS = {
    Phase.STAGING: Aim.STAGED, Phase.SHIFTING: Aim.SHIFTED, Phase.PROMOTING: Aim.PROMOTED,
    Phase.ROLLING_BACK: Aim.ROLLED_BACK,
}  # fmt: skip


def goal_of(state: State) -> Goal:
    """The goal of the traffic in a phase that moves it."""
    aim = AIMS[state.phase]
    return Goal(aim, {Aim.SHIFTED: state.percent, Aim.PROMOTED: 100}.get(aim, 0))


def settled(state: State, view: View) -> State:
    """The state with the outcome of an announced patch, as far as the service shows it."""
    return state.settled(view.service["metadata"]["resourceVersion"], fingerprint(view.service))


def with_mode_state(state: State, added: Mapping[str, str]) -> State:
    """The state with what the mode of the traffic needs to know later."""
    stable = replace(state.stable, mode_state={**state.stable.mode_state, **added})
    return replace(state, stable=stable) if added else state
