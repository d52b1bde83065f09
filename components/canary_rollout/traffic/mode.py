"""What moves traffic, whichever way KServe does it.

A move is no list of calls but a goal: :meth:`Mode.next_step` looks at the service as it is and says what is missing, a
patch or patience. So a move that was killed anywhere, or met somebody else's write, goes on where it stands. Both
modes keep one order: capacity before traffic, traffic before teardown, and nothing is torn down before the gateway has
shown a share of 0 for a while.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.plan.state import Challenger, Stable
from content_arena.components.shared.errors import ArenaError, InputError

MODE_ANNOTATION = "serving.kserve.io/deploymentMode"
#: Variable by which the predictor knows the version to answer with.
VERSION_VARIABLE = "CONTENT_ARENA_MODEL_VERSION"


class TrafficError(ArenaError):
    """The service is in a state that this rollout did not make and does not touch."""


class Aim(StrEnum):
    """Where a move leads."""

    STAGED = "staged"
    SHIFTED = "shifted"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"


@dataclass(frozen=True)
class Goal:
    """What a move is to reach.

    Attributes:
        aim: Where it leads.
        percent: The challenger's share; 0 but for a shift and a promotion.
    """

    aim: Aim
    percent: int = 0


@dataclass(frozen=True)
class Patch:
    """What the service lacks, as a JSON merge patch.

    Attributes:
        body: The patch.
        why: For people.
    """

    body: Json
    why: str


@dataclass(frozen=True)
class Wait:
    """The cluster has to follow first.

    Attributes:
        why: What is waited for.
    """

    why: str


@dataclass(frozen=True)
class Done:
    """The goal is reached."""


Step = Patch | Wait | Done


@dataclass(frozen=True)
class View:
    """The service at one moment, as read.

    Attributes:
        service: The InferenceService.
        route: Its HTTPRoute (Standard mode); None if there is none.
        ready_pods: Ready pods of each Deployment by its name (Standard mode).
        gateway_converged: Whether the gateway has been told the same for long enough to have let go of everything else.
        autoscaler_stabilized: Whether for long enough that an autoscaler has seen the load there is now, too.
    """

    service: Json
    route: Json | None = None
    ready_pods: Mapping[str, int] = field(default_factory=dict)
    gateway_converged: bool = False
    autoscaler_stabilized: bool = False

    @property
    def name(self) -> str:
        """Of the service."""
        return self.service["metadata"]["name"]

    @property
    def predictor(self) -> Json:
        """Stable's spec."""
        return self.service["spec"]["predictor"]


@dataclass(frozen=True)
class Shares:
    """What users meet.

    Attributes:
        challenger: Percentage that the gateway gives to the challenger; None if it can not be told.
        ready: Whether the challenger's pods are all ready.
    """

    challenger: int | None
    ready: bool


class Mode(Protocol):
    """One way in which KServe splits traffic. Pure: reads what was read, says what to write."""

    name: str

    def stable(self, view: View) -> Stable:
        """What serves now.

        Raises:
            TrafficError: The service is in the middle of something else.
        """
        ...

    def shares(self, view: View, stable: Stable, challenger: Challenger) -> Shares:
        """What users meet, by what the gateway was told and not by what was asked for."""
        ...

    def next_step(self, view: View, goal: Goal, stable: Stable, challenger: Challenger) -> Step:
        """What is missing to reach a goal.

        Raises:
            TrafficError: The goal can not be reached from here without a loss.
        """
        ...

    def route_key(self, view: View) -> str:
        """Equal for two views if the gateway was told the same."""
        ...

    def pod_labels(self, view: View, stable: Stable, challenger: Challenger) -> str:
        """Label selector of the challenger's pods; empty while none can be told apart."""
        ...


def mode_of(service: Json) -> str:
    """``Standard`` or ``Knative``, as KServe reports it or else as the service asks for it.

    Raises:
        InputError: Neither; the message says what was found.
    """
    asked = service["metadata"].get("annotations", {}).get(MODE_ANNOTATION)
    found = service.get("status", {}).get("deploymentMode") or asked
    # The names up to KServe 0.15 and those since.
    names = {"Standard": "Standard", "RawDeployment": "Standard", "Knative": "Knative", "Serverless": "Knative"}
    if found not in names:
        raise InputError(
            f"{service['metadata']['name']} has deployment mode {found or 'unknown'}: a canary needs Standard (with "
            f"the Gateway API) or Knative; KServe says which in status.deploymentMode, {MODE_ANNOTATION} asks for one"
        )
    return names[found]


def storage_uri(predictor: Json) -> str:
    """Where a predictor's bundle is; empty if its spec does not say."""
    return predictor.get("model", {}).get("storageUri") or ""


def told_version(predictor: Json) -> str | None:
    """The version that a predictor is told to answer with; None if it is told none."""
    for variable in predictor.get("model", {}).get("env") or []:
        if variable["name"] == VERSION_VARIABLE:
            return variable.get("value")
    return None


def version_of(predictor: Json) -> str:
    """The version that a predictor serves: the one it is told, or else the last part of its address."""
    return told_version(predictor) or storage_uri(predictor).rstrip("/").rpartition("/")[2]


def model_of(predictor: Json, uri: str, version: str | None) -> Json:
    """``storageUri`` and ``env`` of a predictor's model with another bundle; all other variables are kept.

    Args:
        predictor: Whose variables to keep.
        uri: Where the bundle is.
        version: What to answer with; None to leave that to the predictor.
    """
    env = copy.deepcopy(predictor.get("model", {}).get("env") or [])
    env = [variable for variable in env if variable["name"] != VERSION_VARIABLE]
    if version is not None:
        env.append({"name": VERSION_VARIABLE, "value": version})
    return {"storageUri": uri, "env": env or None}
