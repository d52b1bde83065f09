"""Takes a promotion back: the version that served before gets all of the traffic as soon as its pods are ready.

It is a rollout of that version without analysis: its pods start at 0 %, then it gets 100 %. So it is recorded, resumed,
watched and aborted like any other, and no request is lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from content_arena.components.canary_rollout.controller import process
from content_arena.components.canary_rollout.controller.beginning import RolloutRequest
from content_arena.components.canary_rollout.controller.options import RunOptions, ServiceRef
from content_arena.components.canary_rollout.controller.record import RecordStore
from content_arena.components.canary_rollout.controller.registry import RolloutRegistry
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.log import LOG
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Phase, State
from content_arena.components.canary_rollout.traffic.kept import former
from content_arena.components.canary_rollout.traffic.model import chosen_runtime, runtime_of, version_of
from content_arena.components.shared.errors import InputError

_PLAN = Parameters(steps=(0, 100), bake_seconds=0.0, warmup_seconds=0.0, min_requests=0, inconclusive_limit=0)


@dataclass(frozen=True)
class UndoRequest:
    """A promotion that is to be taken back.

    Attributes:
        reason: Why, and who asks.
        previous: The version to bring back; the one that served before by the record of the last rollout if None. It
            comes back with the runtime that this record has of it, and otherwise runs by that of what serves.
        kserve_version: KServe's version, such as ``0.21``; as its configuration in the cluster tells if None.

    Raises:
        InputError: There is no reason.
    """

    reason: str
    previous: Challenger | None = None
    kserve_version: str | None = None

    def __post_init__(self) -> None:
        """Checks the reason."""
        if not self.reason.strip():
            raise InputError("an undo needs a reason, for the record of the version that is taken back")


def undo(service_ref: ServiceRef, registry: RolloutRegistry, request: UndoRequest, options: RunOptions) -> State:
    """Brings the previous version back and runs that to its end. The one that serves is tagged as rejected.

    Args:
        service_ref: The service.
        registry: Updated once the previous version has all traffic.
        request: What to take back, and why.
        options: How this process runs.

    Returns:
        The state at the end, or where the rollout was left.

    Raises:
        InputError: There is no such service, what served before is not known, or a rollout is under way.
        HeldError: Another process runs a rollout of the service.
        Stopped: Ctrl-C or SIGTERM ended this process.
    """
    client = KubernetesClient(service_ref.namespace, service_ref.context)
    service = client.service(service_ref.service)
    last = RecordStore(client, service_ref.service).read(service).state
    if request.previous is None:
        previous = _previous(last, version_of(service["spec"]["predictor"]))
    else:
        previous = with_own_runtime(request.previous, last)
    if not previous.runtime:
        runtime = runtime_of(service["spec"]["predictor"]) or chosen_runtime(service) or "the one that KServe chooses"
        LOG.info(
            "version %s will run by the runtime of what serves, %s: none is recorded for it", previous.version, runtime
        )
    wanted = RolloutRequest(previous, _PLAN, kserve_version=request.kserve_version, undo=request.reason)
    return process.start(service_ref, registry, wanted, options)


def with_own_runtime(previous: Challenger, last: State | None) -> Challenger:
    """A version with the runtime that it had when it last served, as far as the record of the last rollout tells."""
    if last is None or previous.runtime:
        return previous
    before = former(last.stable)
    if last.stable.storage_uri == previous.storage_uri:
        return replace(previous, runtime=before.runtime)
    if last.storage_uri == previous.storage_uri:
        # Where the record names none for the challenger, it had that of the version beside it.
        return replace(previous, runtime=last.runtime or before.runtime)
    return previous


def _previous(last: State | None, serving: str) -> Challenger:
    """What served before the last promotion.

    Args:
        last: State of the last rollout.
        serving: The version that serves.

    Raises:
        InputError: That is not recorded.
    """
    if last is not None and not last.phase.is_end:
        raise InputError(
            f"a rollout of version {last.challenger} is under way ({last.phase.value}): `arena rollout abort` takes it "
            "back"
        )
    if last is None or last.phase is not Phase.PROMOTED or last.challenger != serving or last.undo:
        raise InputError(
            f"the last rollout did not promote version {serving}, which serves, so what served before it is not known: "
            "name the version to bring back, `arena rollout undo VERSION`"
        )
    return former(last.stable)
