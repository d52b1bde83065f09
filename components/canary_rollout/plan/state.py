"""The recorded state of a rollout.

It is one small JSON in a ConfigMap beside the service, so any later process can resume the rollout from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, TypedDict, Unpack

from content_arena.components.canary_rollout.plan.gate import Gate
from content_arena.components.canary_rollout.plan.intent import Intent, announced
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.shared.errors import ArenaError, InputError

SCHEMA = 1
#: Both in characters: a record has to stay small.
MAX_REASON = 600
_MAX_APPROVAL = 200
#: Fields that were added later. A state may lack them, and they are written only if they are set.
_LATER = {
    "judged",
    "measuring",
    "cause",
    "stopped",
    "intent",
    "without_fault",
    "is_abandoned",
    "undo",
    "bounds",
    "kept_until",
    "sha256",
    "runtime",
}
#: Before ``cause`` was a field, the reason ended with these words and the cause.
_CAUSE_IN_REASON = "; it goes back because: "


class StateError(InputError):
    """The state recorded on a service cannot be read."""


class Phase(StrEnum):
    """The phase of a rollout."""

    STAGING = "staging"
    SHIFTING = "shifting"
    BAKING = "baking"
    WAITING = "waiting"
    PROMOTING = "promoting"
    ROLLING_BACK = "rolling_back"
    PROMOTED = "promoted"
    #: The challenger was bad.
    ROLLED_BACK = "rolled_back"
    #: The challenger was taken back, and nothing was found wrong with it.
    WITHDRAWN = "withdrawn"

    @property
    def is_end(self) -> bool:
        """Whether the rollout is over."""
        return self in (Phase.PROMOTED, Phase.ROLLED_BACK, Phase.WITHDRAWN)


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
    """The version that is rolled out.

    Attributes:
        version: Of its model.
        storage_uri: Where its bundle is.
        sha256: SHA-256 (hex) that the bundle has to have; empty if it is not known.
        runtime: Name of the ServingRuntime that its pods run by; empty for that of what serves.
    """

    version: str
    storage_uri: str
    sha256: str = ""
    runtime: str = ""

    @property
    def name(self) -> str:
        """Name of its variant: the canary during the rollout, ``predictor.name`` after the promotion."""
        return f"v{self.version}"


class Changes(TypedDict, total=False):
    """What may change with the phase; see the attributes of :class:`State`."""

    gate: Gate | None
    then: Phase | None
    then_step: int
    judged: float
    stopped: bool
    step: int
    waited: float
    failures: int
    inconclusives: int
    holds: int
    cause: str
    without_fault: bool
    is_abandoned: bool
    bounds: Mapping[str, float]
    kept_until: float
    approvals: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """A rollout as recorded on its service.

    Attributes:
        rollout: Unique name of this rollout.
        challenger: Version that is rolled out.
        storage_uri: Where its bundle is.
        sha256: SHA-256 (hex) that the bundle has to have; empty if it is not known.
        runtime: Name of the ServingRuntime that its pods run by; empty for that of what serves.
        stable: What served before.
        parameters: The plan. It is recorded, so a resumed rollout follows the plan it was started with.
        started_at: Seconds since the epoch.
        since: When the phase began, seconds since the epoch.
        window: When the current measuring window of this step began, seconds since the epoch.
        judged: When the window was judged and continued because it had too few answers, seconds since the epoch; 0 if
            that did not happen.
        phase: Current phase.
        step: Index into ``parameters.path``: the last step that was decided on.
        waited: Seconds spent waiting for people so far.
        failures: Failed judgements at this step.
        inconclusives: Inconclusive judgements in a row at this step.
        holds: How many gates were closed so far; the number of the next one is one more.
        gate: The gate that an approval has to name; None unless waiting.
        then: The phase that an approval leads to; None unless waiting.
        then_step: The step that an approval leads to.
        reason: Why it is in this phase, as text for people. No decision reads it.
        cause: Why the challenger is rolled back. The registry keeps it. Empty if it is not rolled back.
        stopped: Whether the reason already names the failure of the challenger's pods during a wait for an edit.
        approvals: Gates that people approved, as ``<gate> by <who>``.
        fingerprint: Of the service's spec as the rollout wrote it. A different one shows an edit.
        measuring: The recorded measuring config: settings that differ from the defaults.
        without_fault: Whether the challenger is taken back though nothing was found wrong with it. The rollout ends
            withdrawn then, and the registry does not record a rejection.
        is_abandoned: Whether it is taken back only because no process ran the rollout any more.
        undo: Why the version that serves is taken back, if this rollout brings the one before it back; empty otherwise.
            Such a rollout is not analysed.
        bounds: By subject, those that the challenger last passed with beside the champion, where they are looser than
            the limits. They hold at 100 %, where there is no champion to compare with.
        kept_until: Until when the version before keeps its pods after the promotion, seconds since the epoch; 0 if it
            has none any more.
        intent: The patch that was announced; None once its outcome is recorded.
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
    gate: Gate | None = None
    then: Phase | None = None
    then_step: int = 0
    reason: str = ""
    approvals: tuple[str, ...] = ()
    fingerprint: str = ""
    measuring: Mapping[str, Any] = field(default_factory=dict, hash=False)
    judged: float = 0.0
    cause: str = ""
    stopped: bool = False
    without_fault: bool = False
    is_abandoned: bool = False
    undo: str = ""
    bounds: Mapping[str, float] = field(default_factory=dict, hash=False)
    kept_until: float = 0.0
    intent: Intent | None = None
    sha256: str = ""
    runtime: str = ""

    def __post_init__(self) -> None:
        """Cuts texts that others wrote, so that the record stays small."""
        object.__setattr__(self, "reason", self.reason[:MAX_REASON])
        object.__setattr__(self, "cause", self.cause[:MAX_REASON])
        object.__setattr__(self, "undo", self.undo[:MAX_REASON])
        object.__setattr__(self, "approvals", tuple(one[:_MAX_APPROVAL] for one in self.approvals))

    @property
    def percent(self) -> int:
        """The share of the traffic that was last decided for the challenger."""
        return self.parameters.path[self.step]

    @property
    def allowed_share(self) -> float:
        """The share of the traffic that the challenger was last allowed, 0 to 1."""
        return 0.0 if self.phase in (Phase.ROLLED_BACK, Phase.WITHDRAWN) else self.percent / 100

    @property
    def is_going_back(self) -> bool:
        """Whether the challenger is to lose its share, and has not lost it yet for sure."""
        return Phase.ROLLING_BACK in (self.phase, self.then)

    @property
    def deadline(self) -> float:
        """When the rollout has to be done, seconds since the epoch."""
        return self.started_at + self.waited + self.parameters.deadline_seconds

    @property
    def candidate(self) -> Challenger:
        """The challenger's version, bundle and runtime."""
        return Challenger(self.challenger, self.storage_uri, self.sha256, self.runtime)

    @property
    def summary(self) -> str:
        """Phase, share, reason and gate in one line."""
        held = f", waits for {self.gate}" if self.gate else ""
        return f"{self.phase.value} at {self.percent} %: {self.reason}{held}"

    def announcing(self, version: str, fingerprint: str, why: str) -> State:
        """The state that announces a patch; see :func:`.intent.announced`."""
        return replace(self, intent=announced(self.intent, version, fingerprint, why))

    def settled(self, version: str, fingerprint: str) -> State:
        """The state with the outcome of an announced patch, as far as the service shows it.

        Args:
            version: ``resourceVersion`` of the service as it is now.
            fingerprint: Of its spec as it is now.
        """
        if self.intent is None or not self.intent.is_settled(version, fingerprint, self.fingerprint):
            return self
        return replace(self, fingerprint=fingerprint, intent=None)

    def enter(self, phase: Phase, now: float, reason: str, **changes: Unpack[Changes]) -> State:
        """The state after moving to another phase."""
        left = replace(self, gate=None, then=None, then_step=0, judged=0.0, stopped=False)
        return replace(left, phase=phase, since=now, window=now, reason=reason, **changes)

    def dump(self) -> str:
        """As JSON, with the number of its schema."""
        values = asdict(self) | {
            "stable": self.stable.as_dict(),
            "parameters": self.parameters.as_dict(),
            "gate": str(self.gate) if self.gate else "",
            "schema": SCHEMA,
        }
        # Unset fields are left out, so that an older version of the arena can read the state.
        for name in _LATER:
            if not values[name]:
                del values[name]
        return json.dumps(values, separators=(",", ":"), sort_keys=True, allow_nan=False)


def start(rollout: str, challenger: Challenger, stable: Stable, parameters: Parameters, now: float) -> State:
    """The state that a rollout begins in.

    Raises:
        InputError: The challenger already serves.
    """
    version, storage_uri = challenger.version, challenger.storage_uri
    if version == stable.version or storage_uri == stable.storage_uri:
        raise InputError(f"version {version} ({storage_uri}) serves already")
    return State(
        rollout, version, storage_uri, stable, parameters, now, now, now,
        sha256=challenger.sha256, runtime=challenger.runtime,
    )  # fmt: skip


def load(text: str) -> State:
    """Reads :meth:`State.dump` back.

    Raises:
        StateError: It is not a state, or it has another schema.
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
        values["gate"] = Gate.parse(values["gate"]) if values["gate"] else None
        values["then"] = None if values["then"] is None else Phase(values["then"])
        values["approvals"] = tuple(values["approvals"])
        values["intent"] = Intent.from_dict(values["intent"]) if values.get("intent") else None
        values["measuring"] = dict(values.get("measuring", {}))
        values["bounds"] = {name: float(value) for name, value in values.get("bounds", {}).items()}
        values.setdefault("cause", _cause_of(values))
        state = State(**values)
        state.parameters.path[state.step]
    except StateError:
        raise
    except (ArenaError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise StateError(f"the rollout's state can not be read ({error!r})") from error
    return state


def _cause_of(values: Mapping[str, Any]) -> str:
    """The cause of a rollback in a state that was recorded when the cause was a part of the reason."""
    is_going_back = Phase.ROLLING_BACK in (values["phase"], values["then"]) or values["phase"] is Phase.ROLLED_BACK
    return values["reason"].rpartition(_CAUSE_IN_REASON)[2] if is_going_back else ""
