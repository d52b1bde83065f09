"""The beginning of a rollout: the request, and whether the service is free for it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from content_arena.components.canary_rollout.controller.record import Record
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger
from content_arena.components.shared.errors import InputError


@dataclass(frozen=True)
class RolloutRequest:
    """A rollout that is to begin.

    Attributes:
        challenger: The version to roll out.
        parameters: The plan.
        override: A person's reason to roll it out although it was rejected before; None to respect a rejection.
    """

    challenger: Challenger
    parameters: Parameters
    override: str | None = None


def new_name(challenger: Challenger) -> str:
    """A unique name for a rollout."""
    return f"{challenger.version}-{uuid.uuid4().hex[:8]}"


def refuse_unfinished(record: Record) -> None:
    """Checks that no rollout is under way.

    Raises:
        InputError: A rollout is under way.
    """
    state = record.state
    if state is not None and not state.phase.is_end:
        raise InputError(
            f"a rollout of version {state.challenger} is under way ({state.phase.value} at {state.percent} %): "
            "`arena rollout watch` shows its progress, `resume` runs it if no process does, `abort` rolls it back"
        )
