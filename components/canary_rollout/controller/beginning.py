"""The beginning of a rollout: the request, and whether the service is free for it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace

from content_arena.components.canary_rollout.controller.options import ServiceRef
from content_arena.components.canary_rollout.controller.pace import SYSTEM_CLOCK, Clock
from content_arena.components.canary_rollout.controller.record import Record
from content_arena.components.canary_rollout.kube import kserve_version
from content_arena.components.canary_rollout.kube.client import AwayError, ClusterError, Json, RolloutClient
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.log import LOG
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Stable, State, start
from content_arena.components.canary_rollout.traffic.mode import MODE_ANNOTATION, Mode, StableSpec, TrafficError
from content_arena.components.canary_rollout.traffic.model import chosen_runtime
from content_arena.components.canary_rollout.traffic.mover import Mover
from content_arena.components.canary_rollout.traffic.standard import Standard
from content_arena.components.shared.errors import InputError

#: Seconds between two looks at a service that was just created.
_SERVING_INTERVAL = 5.0


@dataclass(frozen=True)
class RolloutRequest:
    """A rollout that is to begin.

    Attributes:
        challenger: The version to roll out.
        parameters: The plan.
        override: A person's reason to roll it out although it was rejected before; None to respect a rejection.
        kserve_version: KServe's version, such as ``0.21``; as its configuration in the cluster tells if None.
        undo: Why the version that serves is taken back, if the challenger is the one before it; empty otherwise.
    """

    challenger: Challenger
    parameters: Parameters
    override: str | None = None
    kserve_version: str | None = None
    undo: str = ""


def new_name(challenger: Challenger) -> str:
    """A unique name for a rollout."""
    return f"{challenger.version}-{uuid.uuid4().hex[:8]}"


def first_state(request: RolloutRequest, name: str, stable: Stable, now: float) -> State:
    """The state that a rollout begins in.

    Args:
        request: What to roll out, and by which plan.
        name: Of the rollout.
        stable: What serves.
        now: Seconds since the epoch.

    Raises:
        InputError: The challenger already serves.
    """
    challenger, reason = request.challenger, f"began beside version {stable.version}"
    if request.undo:
        reason = f"takes version {stable.version} back: {request.undo}"
    state = start(name, challenger, stable, request.parameters, now)
    return replace(state, reason=reason, undo=request.undo)


def with_runtime_if_another(request: RolloutRequest, stable: Stable, service: Json) -> RolloutRequest:
    """The request, whose challenger names a runtime only if that is another one than what serves runs by.

    Args:
        request: What to roll out.
        stable: What serves.
        service: Its InferenceService. Where its spec names no runtime, KServe has chosen one.

    Raises:
        InputError: What serves names no runtime, so nothing could bring its own back.
    """
    challenger, named = request.challenger, StableSpec.of(stable).runtime
    running = named or chosen_runtime(service)
    if challenger.runtime in ("", running):
        return replace(request, challenger=replace(challenger, runtime=""))
    if not named:
        patch = {"spec": {"predictor": {"model": {"runtime": running or "NAME"}}}}
        name, namespace = service["metadata"]["name"], service["metadata"].get("namespace", "NAMESPACE")
        otherwise = "" if request.undo else ", or leave --runtime (rollout.runtime) out"
        raise InputError(
            f"version {challenger.version} is to run by the runtime {challenger.runtime}, and the service names none "
            f"that a rollback could return to: name the one that it runs by, `kubectl -n {namespace} patch "
            f"inferenceservice {name} --type=merge --patch '{json.dumps(patch)}'`, and try again{otherwise}"
        )
    return request


def refuse_missing_runtime(client: RolloutClient, challenger: Challenger) -> None:
    """Checks that the runtime that a challenger names exists. Goes on where this account may not see that.

    Raises:
        InputError: There is no such runtime.
        AwayError: The API server does not answer.
    """
    there: list[str] = []
    if not challenger.runtime:
        return
    try:
        for of_cluster in (False, True):
            there += client.serving_runtimes(of_cluster=of_cluster)
            if challenger.runtime in there:
                return
    except AwayError:
        raise
    except ClusterError as error:
        LOG.warning("whether there is a runtime %s can not be told: %s", challenger.runtime, error)
        return
    raise InputError(
        f"version {challenger.version} is to run by the runtime {challenger.runtime}, and there is no ServingRuntime "
        f"or ClusterServingRuntime of that name: there is {', '.join(sorted(set(there))) or 'none at all'}"
    )


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


def refuse_old_kserve(client: RolloutClient, mode: Mode, request: RolloutRequest) -> None:
    """Checks that KServe gives a canary its share in this mode.

    Raises:
        InputError: It does not, or its version is not known.
    """
    if mode.name != Standard.name:
        return
    version = kserve_version.parsed(request.kserve_version) if request.kserve_version else None
    version = version or kserve_version.installed(client)
    if version.has_route_weights:
        return
    telling = "" if version.number else ", name its version with --kserve-version (rollout.kserve_version)"
    raise InputError(
        f"KServe {version}: before 0.21 a canary in Standard mode has pods and never gets a share of the HTTPRoute. "
        f"Upgrade KServe{telling}, or serve in Knative mode (annotation {MODE_ANNOTATION}: Knative)"
    )


def wait_until_serving(service_ref: ServiceRef, seconds: float, clock: Clock = SYSTEM_CLOCK) -> None:
    """Waits until a service that was just created serves, so that a rollout can begin.

    Args:
        service_ref: The service. It has had no rollout yet.
        seconds: How long to wait at most.
        clock: The time.

    Raises:
        InputError: There is no such service by then, or its mode is not known.
        ClusterError: The API server refuses, or does not answer by then.
        TrafficError: One version does not serve alone by then.
    """
    client, end, is_said = KubernetesClient(service_ref.namespace, service_ref.context), clock.now() + seconds, False
    while True:
        try:
            mover = Mover(client, service_ref.service)
            mover.mode.stable(mover.read())
        except (AwayError, TrafficError, InputError) as error:
            # Its status does not name its mode yet, its route does not exist, or the API server is away for a moment.
            if clock.now() >= end:
                raise
            if not is_said:
                LOG.info("waits until the service can have a canary: %s", error)
            is_said = True
            clock.sleep(_SERVING_INTERVAL)
        else:
            return
