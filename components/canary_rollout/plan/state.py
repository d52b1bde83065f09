"""What a rollout remembers: one small JSON, kept on the service itself, from which any later process goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.shared.errors import ArenaError, InputError

SCHEMA = 1
#: Both in characters: an annotation has to stay small.
_MAX_REASON = 600
_MAX_APPROVAL = 200
#: Fields that came later: a state that lacks them is read, and one that does not need them is written without.
_LATER = {"judged", "measuring"}


class StateError(InputError):
    """The state kept on a service can not be read."""


class Phase(StrEnum):
    """Where a rollout is."""

    STAGING = "staging"
    SHIFTING = "shifting"
    BAKING = "baking"
    WAITING = "waiting"
    PROMOTING = "promoting"
    ROLLING_BACK = "rolling_back"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"

    @property
    def is_end(self) -> bool:
        """Whether nothing follows."""
        return self in (Phase.PROMOTED, Phase.ROLLED_BACK)


@dataclass(frozen=True)
class Stable:
    """What served when the rollout began, and is to serve again if it is rolled back.

    Attributes:
        version: Version of its model.
        storage_uri: Where its bundle is.
        mode_state: What the mode of the traffic needs to restore it. The plan keeps it and does not read it.
    """

    version: str
    storage_uri: str
    mode_state: Mapping[str, str | int | None] = field(default_factory=dict, hash=False)

    def as_dict(self) -> dict[str, str | int | None]:
        """For JSON: one flat object, as earlier versions wrote it."""
        return {"version": self.version, "storage_uri": self.storage_uri, **self.mode_state}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Stable:
        """Reads :meth:`as_dict` back.

        Raises:
            KeyError: The version or the bundle's address is missing.
        """
        values = dict(given)
        return cls(values.pop("version"), values.pop("storage_uri"), values)


@dataclass(frozen=True)
class Challenger:
    """What is rolled out.

    Attributes:
        version: Of its model.
        storage_uri: Where its bundle is.
    """

    version: str
    storage_uri: str

    @property
    def name(self) -> str:
        """Of its pods' variant, while it is a canary and afterwards."""
        return f"v{self.version}"


@dataclass(frozen=True)
class State:
    """A rollout as recorded.

    Attributes:
        rollout: Names this rollout.
        challenger: Version that is rolled out.
        storage_uri: Where its bundle is.
        stable: What served before.
        parameters: The plan; recorded, so that whoever resumes follows the plan it began with.
        started_at: Seconds since the epoch.
        since: When the phase began, seconds since the epoch.
        window: Since when this step is measured, seconds since the epoch; a new one begins with each new look at it.
        judged: When the window was judged, and went on because answers were too few; 0 if it was not.
        phase: Where it is.
        step: Index into ``parameters.path``: the last step that was decided on.
        waited: Seconds spent waiting for people so far.
        failures: Failed judgements at this step.
        inconclusives: Inconclusive judgements in a row at this step.
        holds: How often a person was asked; makes the names of gates unique.
        gate: What a person has to name in an approval; empty unless waiting.
        then: The phase that an approval leads to; None unless waiting.
        then_step: The step that an approval leads to.
        reason: Why it is in this phase, for people.
        approvals: Gates that people opened, ``<gate> by <who>``.
        fingerprint: Of the service's spec as the rollout left it; another one is a person's edit.
        measuring: With what it is measured, where that is not as usual; recorded as the plan is.
    """

    rollout: str
    challenger: str
    storage_uri: str
    stable: Stable
    parameters: Parameters
    started_at: float
    since: float
    window: float
    phase: Phase = Phase.STAGING
    step: int = 0
    waited: float = 0.0
    failures: int = 0
    inconclusives: int = 0
    holds: int = 0
    gate: str = ""
    then: Phase | None = None
    then_step: int = 0
    reason: str = ""
    approvals: tuple[str, ...] = ()
    fingerprint: str = ""
    measuring: Mapping[str, Any] = field(default_factory=dict, hash=False)
    judged: float = 0.0

    def __post_init__(self) -> None:
        """Cuts what others wrote, whichever way it got here."""
        object.__setattr__(self, "reason", self.reason[:_MAX_REASON])
        object.__setattr__(self, "approvals", tuple(one[:_MAX_APPROVAL] for one in self.approvals))

    @property
    def percent(self) -> int:
        """The share that the challenger was last allowed."""
        return self.parameters.path[self.step]

    @property
    def candidate(self) -> Challenger:
        """What is rolled out, as the traffic knows it."""
        return Challenger(self.challenger, self.storage_uri)

    @property
    def summary(self) -> str:
        """Where it is, why, and what it waits for."""
        held = f", waits for {self.gate}" if self.gate else ""
        return f"{self.phase.value} at {self.percent} %: {self.reason}{held}"

    def enter(self, phase: Phase, now: float, reason: str, **changes: Any) -> State:  # noqa: ANN401
        """The state after moving to another phase."""
        changes = {"gate": "", "then": None, "then_step": 0, "judged": 0.0} | changes
        return replace(self, phase=phase, since=now, window=now, reason=reason, **changes)

    def dump(self) -> str:
        """As JSON, with the number of its schema."""
        values = asdict(self) | {
            "stable": self.stable.as_dict(),
            "parameters": self.parameters.as_dict(),
            "schema": SCHEMA,
        }
        # As it was written before there were such things, where there is nothing to tell.
        for name in _LATER:
            if not values[name]:
                del values[name]
        return json.dumps(values, separators=(",", ":"), sort_keys=True, allow_nan=False)


def start(rollout: str, challenger: str, storage_uri: str, stable: Stable, parameters: Parameters, now: float) -> State:
    """The state a rollout begins in.

    Raises:
        InputError: The challenger is what serves already.
    """
    if challenger == stable.version or storage_uri == stable.storage_uri:
        raise InputError(f"version {challenger} ({storage_uri}) is what serves already")
    return State(rollout, challenger, storage_uri, stable, parameters, now, now, now)


def load(text: str) -> State:
    """Reads :meth:`State.dump` back.

    Raises:
        StateError: It is no state, or one of another schema.
    """
    try:
        values = json.loads(text)
        schema = values.pop("schema")
        if schema != SCHEMA:
            raise StateError(f"the rollout's state has schema {schema}, this version of the arena reads {SCHEMA}")
        if set(values) | _LATER != {one.name for one in fields(State)}:
            raise StateError("the rollout's state has other fields than this version of the arena writes")
        values["stable"] = Stable.from_dict(values["stable"])
        values["parameters"] = Parameters.from_dict(values["parameters"])
        values["phase"] = Phase(values["phase"])
        values["then"] = None if values["then"] is None else Phase(values["then"])
        values["approvals"] = tuple(values["approvals"])
        values["measuring"] = dict(values.get("measuring", {}))
        state = State(**values)
        state.parameters.path[state.step]
    except StateError:
        raise
    except (ArenaError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise StateError(f"the rollout's state can not be read ({error!r})") from error
    return state
