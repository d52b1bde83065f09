"""The version before a promotion, kept at 0 % for a while: watched, and let go of when its time is over."""

from __future__ import annotations

from dataclasses import replace

from content_arena.components.canary_rollout.controller.connection import Connection
from content_arena.components.canary_rollout.controller.goals import goal, kept_line, settled
from content_arena.components.canary_rollout.controller.moves import RecordedMoves
from content_arena.components.canary_rollout.controller.options import RunOptions, ServiceRef
from content_arena.components.canary_rollout.controller.pace import Clock
from content_arena.components.canary_rollout.controller.stopping import stopped_by_signals
from content_arena.components.canary_rollout.kube.client import ClusterError, ConflictError
from content_arena.components.canary_rollout.kube.lease import Lease
from content_arena.components.canary_rollout.kube.pod_failures import without_node
from content_arena.components.canary_rollout.log import LOG
from content_arena.components.canary_rollout.plan.state import State
from content_arena.components.canary_rollout.traffic.mode import Aim, Done, Patch, TrafficError
from content_arena.components.shared.errors import ArenaError

#: Seconds between two looks at a version that is kept.
_INTERVAL = 10.0


def keep(service_ref: ServiceRef, state: State, options: RunOptions) -> None:
    """Watches the version that a promotion has kept at 0 %, and lets go of it once its time is over.

    A new rollout, or a pod of the version that serves without a node, ends that time early. Ctrl-C, SIGTERM or an error
    ends the watching: ``reconcile`` lets go of it later. An error is only logged, because the promotion is over.

    Args:
        service_ref: The service.
        state: The end of the rollout that promoted; nothing is done if it has kept nothing.
        options: How this process runs.
    """
    if not state.kept_until:
        return
    LOG.info("%s; Ctrl-C stops watching, and `arena rollout reconcile` lets go of it then", kept_line(state))
    try:
        connection = Connection.to(service_ref, options.settle_seconds)
        with stopped_by_signals() as stop:
            while (why := why_over(connection, state, stop.clock.now())) == "":
                stop.clock.sleep(_INTERVAL)
            if why is None:
                return
            with Lease(connection.cluster, service_ref.service, sleep=stop.clock.sleep) as lease:
                let_go(RecordedMoves(connection.mover, connection.records, lease.ensure), why, stop.clock)
                for line in connection.clean_up():
                    LOG.info("%s", line)
    except KeyboardInterrupt:
        LOG.info("version %s stays as it is", state.stable.version)
    except ArenaError as error:
        staying = "version %s stays as it is, until `arena rollout reconcile` or the next rollout lets go of it: %s"
        LOG.warning(staying, state.stable.version, error)


def why_over(connection: Connection, kept: State, now: float) -> str | None:
    """Why the time of a kept version is over; empty if it is not, None if it is no longer kept at all.

    Args:
        connection: To the service.
        kept: The rollout that has kept it.
        now: Seconds since the epoch.
    """
    mover = connection.mover
    try:
        view = mover.read()
        state = connection.records.read(view.service).state
        if state is None or state.rollout != kept.rollout or not state.kept_until:
            # A new rollout or an undo has begun, or somebody else let go of it.
            return None
        if now >= state.kept_until:
            return "its time is over"
        labels = mover.mode.pod_labels(view, state.stable, state.candidate)
        lacking = "; ".join(filter(None, map(without_node, connection.cluster.pods(labels))))
    except ClusterError as error:
        LOG.debug("the kept version is looked at later: %s", error)
        return ""
    return f"its room is needed: {lacking}" if lacking else ""


def let_go(moves: RecordedMoves, why: str, clock: Clock) -> None:
    """Removes the version that the last promotion has kept at 0 %. It may be repeated.

    Args:
        moves: Of the service, under the lease.
        why: Why now, for people.
        clock: The time.

    Raises:
        ClusterError: The API server refuses.
        TrafficError: The service is in a state that no rollout produces, and is not changed; or the gateway does not
            follow within the time that the plan gives to a move.
    """
    began = clock.now()
    while True:
        view = moves.mover.read()
        record = moves.records.read(view.service)
        state = settled(record.existing, view)
        if not state.kept_until:
            return
        try:
            step = moves.step(view, record, state, goal(Aim.ALONE, state))
            if isinstance(step, Done):
                moves.record(record, replace(state, kept_until=0.0))
                LOG.info("version %s is no longer kept: %s", state.stable.version, why)
                return
            if isinstance(step, Patch):
                LOG.info("%s", step.why)
            elif clock.now() - began > state.parameters.shift_seconds:
                raise TrafficError(f"version {state.stable.version} is still kept at 0 %: {step.why}")
        except ConflictError:
            # Service or record was written meanwhile: both are read again.
            pass
        clock.sleep(1.0)
