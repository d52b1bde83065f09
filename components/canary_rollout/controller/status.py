"""The use cases that do not run a rollout: read its status, watch it, and send it an approval or an abort."""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from content_arena.components.canary_rollout.controller import operator_requests
from content_arena.components.canary_rollout.controller.goals import kept_line
from content_arena.components.canary_rollout.controller.operator_requests import OperatorRequests
from content_arena.components.canary_rollout.controller.options import ServiceRef
from content_arena.components.canary_rollout.controller.record import Record, RecordStore, no_rollout
from content_arena.components.canary_rollout.kube.client import AwayError, ClusterError, RolloutClient
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.kube.lease import lease_name
from content_arena.components.canary_rollout.plan.gate import Gate, gate_before
from content_arena.components.canary_rollout.plan.observation import AbortKind
from content_arena.components.canary_rollout.plan.state import Phase, Stable, State
from content_arena.components.canary_rollout.traffic.mode import TrafficError
from content_arena.components.canary_rollout.traffic.mover import Mover
from content_arena.components.shared.errors import InputError


@dataclass(frozen=True)
class Status:
    """A rollout at one moment.

    Attributes:
        state: As recorded.
        share: Percentage of the traffic that the gateway gives to the challenger; None if unknown.
        holder: The process that runs the rollout; empty if none does, or if its lease may not be read.
        now: Seconds since the epoch.
        service_ref: The service.
        operator_requests: People's requests that the rollout has not carried out yet.
        caveats: What people have to know about the traffic now: that the route stands still, for example.
    """

    state: State
    share: int | None
    holder: str
    now: float
    service_ref: ServiceRef
    operator_requests: OperatorRequests
    caveats: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        state: dict[str, Any] = json.loads(self.state.dump())
        return state | {"share": self.share, "holder": self.holder or None, "caveats": list(self.caveats)}


@dataclass(frozen=True)
class NoRollout:
    """A service that has had no rollout.

    Attributes:
        stable: What serves.
        mode: Name of the way in which it would split traffic.
        service_ref: The service.
    """

    stable: Stable
    mode: str
    service_ref: ServiceRef

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        serving = {"version": self.stable.version, "storage_uri": self.stable.storage_uri}
        return {"rollout": None, "mode": self.mode, "serving": serving}


@dataclass(frozen=True)
class Approval:
    """An approval that was sent.

    Attributes:
        version: The challenger's.
        gate: What was approved.
        who: Who approved it.
        replaced: The requests before it. An approval replaces the one before.
        holder: The process that will use it; empty if none runs the rollout.
    """

    version: str
    gate: Gate
    who: str
    replaced: OperatorRequests
    holder: str


@dataclass(frozen=True)
class Abort:
    """An abort that was sent.

    Attributes:
        version: The challenger's.
        who: Who asks.
        holder: The process that will carry it out; empty if none runs the rollout.
    """

    version: str
    who: str
    holder: str


def status(service_ref: ServiceRef) -> Status | NoRollout:
    """Reads the rollout of a service; changes nothing.

    Raises:
        InputError: There is no such service, or it has had no rollout and cannot have one.
    """
    cluster = KubernetesClient(service_ref.namespace, service_ref.context)
    mover = Mover(cluster, service_ref.service)
    view = mover.read()
    record = RecordStore(cluster, service_ref.service).read(view.service)
    state = record.state
    if state is None:
        return NoRollout(mover.mode.stable(view), mover.mode.name, service_ref)
    try:
        share = mover.mode.shares(view, state.stable, state.candidate).challenger
    except TrafficError:
        share = None
    requests, caveats = OperatorRequests(), tuple[str, ...]()
    if not state.phase.is_end:
        requests, caveats = record.requests(), mover.mode.caveats(view, state.stable)
    else:
        caveats = tuple(filter(None, (kept_line(state),)))
    return Status(state, share, _holder(cluster, service_ref.service), time.time(), service_ref, requests, caveats)


def watch(service_ref: ServiceRef, interval: float) -> Iterator[Status]:
    """Yields the status of a rollout periodically; the last one is its end.

    Args:
        service_ref: The service.
        interval: Seconds between two readings.

    Raises:
        InputError: There is no such service, or it has had no rollout.
    """
    current = _status_of_rollout(service_ref)
    while True:
        yield current
        if current.state.phase.is_end:
            return
        time.sleep(interval)
        try:
            current = _status_of_rollout(service_ref)
        except AwayError:
            # The rollout itself waits for the API server too, so its status has not changed.
            continue


def approve(service_ref: ServiceRef, gate: str | None, who: str | None) -> Approval:
    """Approves a gate of the rollout that is under way.

    Args:
        service_ref: The service.
        gate: As people write it, such as ``step-25``; the gate that the rollout waits at if None.
        who: Who approves; the name that the API server knows this user by if None. A policy may refuse any other.

    Raises:
        InputError: No rollout is under way, or it has no such gate.
    """
    cluster, record, state = _under_way(service_ref)
    approved = _gate(state, gate)
    replaced = record.requests()
    who = who or _user(cluster)
    request = operator_requests.approval(state.challenger, approved, who)
    RecordStore(cluster, service_ref.service).request(request)
    return Approval(state.challenger, approved, who, replaced, _holder(cluster, service_ref.service))


def abort(service_ref: ServiceRef, who: str | None, reason: str, *, rejects: bool = False) -> Abort:
    """Asks for the end of the rollout that is under way: the challenger is withdrawn.

    Args:
        service_ref: The service.
        who: Who aborts; the name that the API server knows this user by if None.
        reason: Why, for the record.
        rejects: Whether the version is bad, so that it is not rolled out again without a reason.

    Raises:
        InputError: No rollout is under way.
    """
    cluster, _, state = _under_way(service_ref)
    kind, who = AbortKind.REJECT if rejects else AbortKind.WITHDRAW, who or _user(cluster)
    request = operator_requests.abort_request(state.challenger, who, reason, kind)
    RecordStore(cluster, service_ref.service).request(request)
    return Abort(state.challenger, who, _holder(cluster, service_ref.service))


def _gate(state: State, text: str | None) -> Gate:
    """The gate to approve: the present one, or one of a step that is still ahead."""
    if text is None and state.gate is not None:
        return state.gate
    if text is None:
        raise InputError(
            f"the rollout of version {state.challenger} does not wait for an approval ({state.phase.value})"
        )
    is_on_its_way_up = state.phase not in (Phase.PROMOTING, Phase.ROLLING_BACK)
    ahead = [
        gate_before(step)
        for step in state.parameters.path[state.step :]
        if is_on_its_way_up and state.parameters.needs_approval(step)
    ]
    # Compared as texts, because what a person typed need not be a gate at all.
    known = {str(gate): gate for gate in (state.gate, *ahead) if gate is not None}
    if text not in known:
        there = ", ".join(known) or "none"
        raise InputError(f"the rollout of version {state.challenger} has no gate {text}, only: {there}")
    return known[text]


def _status_of_rollout(service_ref: ServiceRef) -> Status:
    current = status(service_ref)
    if isinstance(current, NoRollout):
        raise no_rollout(service_ref.service, service_ref.namespace)
    return current


def _under_way(service_ref: ServiceRef) -> tuple[RolloutClient, Record, State]:
    """The cluster, the record, and the state of the rollout that is under way.

    Raises:
        InputError: No rollout is under way.
    """
    cluster = KubernetesClient(service_ref.namespace, service_ref.context)
    record = RecordStore(cluster, service_ref.service).read(cluster.service(service_ref.service))
    state = record.existing
    if state.phase.is_end:
        raise InputError(
            f"the last rollout of {service_ref.service} is over: version {state.challenger} is {state.phase.value}"
        )
    return cluster, record, state


def _user(cluster: RolloutClient) -> str:
    """The name that the API server knows this user by, or else the user of this machine."""
    return cluster.user() or getpass.getuser()


def _holder(cluster: RolloutClient, service: str) -> str:
    try:
        found = cluster.lease(lease_name(service))
    except ClusterError:
        # A person who may only watch need not have the right to read the lease.
        return ""
    return ((found or {}).get("spec") or {}).get("holderIdentity") or ""
