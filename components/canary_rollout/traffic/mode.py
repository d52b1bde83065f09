"""How traffic is moved: the interface of KServe's two deployment modes, and the types that it uses.

A move is described by a goal and not by a list of calls. :meth:`Mode.next_step` reads the service as it is and returns
what is missing: a patch, or something to wait for. So a move that was interrupted, by a crash or by another process's
write, continues from there. Both modes keep the same order: capacity before traffic, traffic before teardown. Nothing
is torn down before the gateway has shown a share of 0 for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Protocol, Self

from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.plan.state import Challenger, Stable, StateError
from content_arena.components.shared.errors import ArenaError, InputError

MODE_ANNOTATION = "serving.kserve.io/deploymentMode"
#: Fields of the recorded spec that were added later. They are written only if they are set.
_LATER = ("strategy", "left", "kept", "sha256", "runtime")


class TrafficError(ArenaError):
    """The service is in a state that no rollout produces, so it is not changed."""


class Aim(StrEnum):
    """What a move aims at."""

    STAGED = "staged"
    SHIFTED = "shifted"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    #: The version before the promotion is gone too.
    ALONE = "alone"


@dataclass(frozen=True)
class Goal:
    """What a move has to reach.

    Attributes:
        aim: What it aims at.
        percent: The challenger's share; 0 unless the aim is a shift or a promotion.
        keeps: Whether a promotion keeps the pods of the version before, without traffic.
    """

    aim: Aim
    percent: int = 0
    keeps: bool = False


@dataclass(frozen=True)
class Patch:
    """A JSON merge patch that the service needs.

    Attributes:
        body: The patch.
        why: What it is for, for people.
        mode_state: What the mode needs to know later. It is added to
            :attr:`~content_arena.components.canary_rollout.plan.state.Stable.mode_state` before the patch is written.
    """

    body: Json
    why: str
    mode_state: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """The cluster has to apply an earlier change first.

    Attributes:
        why: What is waited for, for people.
        unfollowed: How long the spec has requested shares that the route does not show, though nothing is missing, in
            seconds; 0 if something else is waited for.
        pods: Label selector of pods that are waited for and belong to neither variant; empty if there are none.
    """

    why: str
    unfollowed: float = 0.0
    pods: str = ""


@dataclass(frozen=True)
class Done:
    """The goal is reached."""


Step = Patch | Wait | Done


class Part(StrEnum):
    """What has to be read beside the InferenceService."""

    ROUTE = "route"
    READY_PODS = "ready pods"


@dataclass(frozen=True)
class View:
    """The service as read at one moment.

    Attributes:
        service: The InferenceService.
        route: Its HTTPRoute; None if there is none or the mode does not read it.
        ready_pods: Ready pods of each Deployment by its name; empty if the mode does not read them.
        gateway_converged: Whether the gateway's configuration has been the same for long enough that no traffic follows
            an older one.
        autoscaler_stabilized: Whether it has been the same for long enough that autoscalers have seen the present load.
        requested_seconds: How long this process has seen the spec request the present shares.
    """

    service: Json
    route: Json | None = None
    ready_pods: Mapping[str, int] = field(default_factory=dict)
    gateway_converged: bool = False
    autoscaler_stabilized: bool = False
    requested_seconds: float = 0.0

    @property
    def name(self) -> str:
        """Name of the service."""
        name: str = self.service["metadata"]["name"]
        return name

    @property
    def predictor(self) -> Json:
        """Spec of the predictor that serves by default."""
        predictor: Json = self.service["spec"]["predictor"]
        return predictor


@dataclass(frozen=True)
class Shares:
    """What users get.

    Attributes:
        challenger: Percentage that the gateway sends to the challenger; None if it is not known.
        ready: Whether all of the challenger's pods are ready.
    """

    challenger: int | None
    ready: bool


@dataclass(frozen=True)
class StableSpec:
    """The service's spec when the rollout began, as far as a rollback has to restore it.

    The plan keeps it in :attr:`~content_arena.components.canary_rollout.plan.state.Stable.mode_state` and does not read
    it. Both modes write all fields, so that a record has the same keys in either mode.

    Attributes:
        name: ``predictor.name``; empty if it was not set.
        min_replicas: ``predictor.minReplicas``; None if it was not set.
        max_replicas: ``predictor.maxReplicas``; None if it was not set.
        configured_version: Value of CONTENT_ARENA_MODEL_VERSION; None if it was not set.
        revision: Knative's name of the revision; empty in Standard mode.
        pods: Ready pods, which an autoscaler may have raised above ``min_replicas``; None in Knative mode.
        strategy: ``predictor.deploymentStrategy`` as JSON where a rollout changes it; empty where it does not.
        left: Knative's name of the revision that is being withdrawn while a new revision of stable's model starts;
            empty before that, and in Standard mode.
        kept: Name of the variant that the last promotion has kept at 0 %; empty if there was none when the rollout
            began, and in Knative mode.
        sha256: Value of CONTENT_ARENA_EXPECTED_SHA256; empty if it was not set.
        runtime: Name of its ServingRuntime; empty if KServe chose one.
    """

    name: str
    min_replicas: int | None = None
    max_replicas: int | None = None
    configured_version: str | None = None
    revision: str = ""
    pods: int | None = None
    strategy: str = ""
    left: str = ""
    kept: str = ""
    sha256: str = ""
    runtime: str = ""

    @classmethod
    def of(cls, stable: Stable) -> Self:
        """Reads it from a rollout's record.

        Raises:
            StateError: The record has other fields than this version writes.
        """
        values: dict[str, Any] = dict(stable.mode_state)
        if "told_version" in values:
            values["configured_version"] = values.pop("told_version")
        try:
            return cls(**values)
        except TypeError as error:
            raise StateError(f"what the rollout recorded of the service can not be read ({error})") from error

    def as_state(self) -> dict[str, str | int | None]:
        """For a rollout's record, with the keys that records have always had."""
        state = asdict(self)
        state["told_version"] = state.pop("configured_version")
        return {name: value for name, value in state.items() if value or name not in _LATER}


class Mode(Protocol):
    """One way in which KServe splits traffic. Pure: gets what was read, returns what to write."""

    name: str

    def reads(self) -> frozenset[Part]:
        """What has to be read for a view, beside the service."""
        ...

    def stable(self, view: View, before: Stable | None = None) -> Stable:
        """What serves now.

        Args:
            view: The service as just read.
            before: The version that the last promotion has kept at 0 %; None if it kept none.

        Raises:
            TrafficError: The service is in the middle of another change.
        """
        ...

    def shares(self, view: View, stable: Stable, challenger: Challenger) -> Shares:
        """What users get, according to the gateway's configuration and not to the service's spec."""
        ...

    def next_step(self, view: View, goal: Goal, stable: Stable, challenger: Challenger) -> Step:
        """What is missing to reach a goal.

        Raises:
            TrafficError: The goal can not be reached from this state without losing requests.
        """
        ...

    def is_kept(self, view: View, stable: Stable) -> bool:
        """Whether what served before the rollout has its pods still, though the challenger has taken over."""
        ...

    def route_key(self, view: View) -> str:
        """A text that is equal for two views if the gateway has the same configuration in both."""
        ...

    def stable_labels(self, view: View, stable: Stable) -> str:
        """Label selector of stable's pods; empty if it is not known."""
        ...

    def pod_labels(self, view: View, stable: Stable, challenger: Challenger) -> str:
        """Label selector of the challenger's pods; empty while it is not known."""
        ...

    def deployment_of(self, labels: str) -> str:
        """Name of the Deployment whose pods a label selector of this mode matches."""
        ...

    def caveats(self, view: View, stable: Stable) -> tuple[str, ...]:
        """What people have to know about the traffic now, a line each: that the route stands still, for example."""
        ...

    def converged(self, service: Json, stable: Stable, challenger: Challenger) -> View:
        """The view of a cluster that has applied the service's spec completely."""
        ...


def mode_of(service: Json) -> str:
    """The mode, ``Standard`` or ``Knative``: as KServe reports it, or else as the service requests it.

    Raises:
        InputError: It is another mode, which the message names.
    """
    requested = service["metadata"].get("annotations", {}).get(MODE_ANNOTATION)
    found = service.get("status", {}).get("deploymentMode") or requested
    # The names up to KServe 0.15 and those since.
    names = {"Standard": "Standard", "RawDeployment": "Standard", "Knative": "Knative", "Serverless": "Knative"}
    if found not in names:
        raise InputError(
            f"{service['metadata']['name']} has deployment mode {found or 'unknown'}: a canary needs Standard (with "
            f"the Gateway API) or Knative; set the annotation {MODE_ANNOTATION}, status.deploymentMode shows the mode"
        )
    return names[found]
