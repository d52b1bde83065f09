"""What a recorded state asks of the traffic, and what the service tells about a recorded state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from content_arena.components.canary_rollout.plan.state import Phase, Stable, State
from content_arena.components.canary_rollout.traffic.mode import Aim, Goal, View
from content_arena.components.canary_rollout.traffic.mover import fingerprint

#: What the moves of a phase aim at. In any other phase nothing is moved.
AIMS = {
    Phase.STAGING: Aim.STAGED, Phase.SHIFTING: Aim.SHIFTED, Phase.PROMOTING: Aim.PROMOTED,
    Phase.ROLLING_BACK: Aim.ROLLED_BACK,
}  # fmt: skip


def goal_of(state: State) -> Goal:
    """The goal of the traffic in a phase that moves it."""
    return goal(AIMS[state.phase], state)


def goal(aim: Aim, state: State) -> Goal:
    """The goal of the traffic with an aim."""
    percent = {Aim.SHIFTED: state.percent, Aim.PROMOTED: 100}.get(aim, 0)
    return Goal(aim, percent, keeps=aim is Aim.PROMOTED and state.parameters.keep_seconds > 0)


def kept_line(state: State) -> str:
    """Until when the version before the last promotion keeps its pods, for people; empty if it keeps none."""
    if not state.kept_until:
        return ""
    until = datetime.fromtimestamp(state.kept_until, UTC).strftime("%H:%M UTC")
    return f"version {state.stable.version} keeps its pods at 0 % until {until}, so that an undo needs no new ones"


def kept_by(state: State | None) -> Stable | None:
    """What the last promotion has kept at 0 %; None if it has kept nothing, or let go of it."""
    return state.stable if state is not None and state.kept_until else None


def settled(state: State, view: View) -> State:
    """The state with the outcome of an announced patch, as far as the service shows it."""
    return state.settled(view.service["metadata"]["resourceVersion"], fingerprint(view.service))


def with_mode_state(state: State, added: Mapping[str, str]) -> State:
    """The state with what the mode of the traffic needs to know later."""
    stable = replace(state.stable, mode_state={**state.stable.mode_state, **added})
    return replace(state, stable=stable) if added else state
