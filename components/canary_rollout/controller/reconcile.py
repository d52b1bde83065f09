"""Finds and heals what a killed rollout may have left: spec, traffic and registry say the same afterwards."""

from __future__ import annotations

from collections.abc import Callable

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.controller import annotations
from content_arena.components.canary_rollout.controller.registry import RolloutRegistry
from content_arena.components.canary_rollout.controller.rollout import Rollout
from content_arena.components.canary_rollout.measuring.interface import Measurement, Moment
from content_arena.components.canary_rollout.plan.state import Phase, State
from content_arena.components.canary_rollout.traffic.mode import Json
from content_arena.components.canary_rollout.traffic.mover import Mover, Services

_WHO = "reconcile"
#: Gates behind which only patience ran out.
_ENDING = ("promote", "withdraw", "refused")


def reconcile(
    cluster: Services,
    service: str,
    mover: Mover,
    rollout: Rollout,
    registry: RolloutRegistry,
    assert_leadership: Callable[[], None] = lambda: None,
) -> list[str]:
    """Heals every disagreement between the registry's aliases, the service's spec and its traffic.

    A rollout that nobody carries on any more is ended: what was being promoted or withdrawn is, and whatever was on its
    way up goes back. One that waits for a person's judgement goes back if a person aborts it, and else goes on waiting.
    Who calls this holds the lease.

    Args:
        cluster: Where the service is.
        service: Name of the InferenceService.
        mover: Of that service.
        rollout: Carries on what has to be ended.
        registry: Has to agree.
        assert_leadership: Raises if another process rolls out by now; asked before every write.

    Returns:
        What was done, a line each, or what is waited for; nothing when called again after the end.

    Raises:
        TrafficError: The service is in a state that no rollout made; it is left as it is.
    """
    done = []
    found = cluster.service(service)
    state = annotations.recorded(found)
    if state is not None and not state.phase.is_end:
        is_to_be_ended = _is_to_be_ended(state)
        if not is_to_be_ended and annotations.operator_requests(found, state.challenger).abort is None:
            return [_waits(state)]
        wish = _wish(state) if is_to_be_ended else None
        if wish is not None:
            assert_leadership()
            annotations.annotate(cluster, service, wish)
        # An abort that comes too late opens no gate.
        end = rollout.run(lambda now: now.phase is Phase.WAITING and not (is_to_be_ended and now.gate == state.gate))
        if end.gate and end.gate == state.gate:
            return [_waits(end)]
        was = f"the rollout of version {state.challenger} was left {state.phase.value} at {state.percent} %"
        done.append(f"{was}, it is {end.phase.value}: {end.reason}")
        if not end.phase.is_end:
            return done
        state = end
    serving = mover.mode.stable(mover.look())
    assert_leadership()
    done += registry.reconcile(serving.version)
    if state is not None and _is_unsaid(state, serving.version, registry):
        assert_leadership()
        registry.reject(state.challenger, serving.version, state.rollout, state.reason)
        done.append(f"version {state.challenger} is tagged rejected: {state.reason}")
    return done


class Unmeasured:
    """A measurer for who only takes back or finishes."""

    def measure(self, moment: Moment) -> Measurement:
        """Nothing is known."""
        return Measurement(Verdict.INCONCLUSIVE, "nothing was measured", 0, ())


def _is_unsaid(state: State, serving: str, registry: RolloutRegistry) -> bool:
    """Whether the registry does not know that the last rollout was taken back."""
    is_back = state.phase is Phase.ROLLED_BACK and serving != state.challenger
    return is_back and not registry.is_rejected(state.challenger, state.rollout)


def _waits(state: State) -> str:
    who = f"the rollout of version {state.challenger}"
    return f"{who} goes on waiting for {state.gate} at {state.percent} %: {state.reason}"


def _is_to_be_ended(state: State) -> bool:
    """Whether no person's judgement is needed to end it."""
    if state.phase is not Phase.WAITING:
        return True
    return state.then in (Phase.PROMOTING, Phase.ROLLING_BACK) and state.gate.startswith(_ENDING)


def _wish(state: State) -> Json | None:
    if state.phase is Phase.WAITING:
        return annotations.approval(state.challenger, state.gate, _WHO)
    if state.phase in (Phase.PROMOTING, Phase.ROLLING_BACK):
        return None
    return annotations.abort_patch(state.challenger, _WHO, "nobody carried it on")
