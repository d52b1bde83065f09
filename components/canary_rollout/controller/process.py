"""A process that runs a rollout: from its start or from the recorded state, under the lease, to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from content_arena.components.canary_rollout.controller.beginning import (
    RolloutRequest,
    new_name,
    refuse_old_kserve,
    refuse_unfinished,
)
from content_arena.components.canary_rollout.controller.connection import Connection
from content_arena.components.canary_rollout.controller.options import RolloutArtifacts, RunOptions, ServiceRef
from content_arena.components.canary_rollout.controller.outlook import Scene, outlook
from content_arena.components.canary_rollout.controller.pace import DEFAULT_PACE, Pace
from content_arena.components.canary_rollout.controller.reconcile import Reconciler, Unmeasured
from content_arena.components.canary_rollout.controller.registry import RolloutRegistry
from content_arena.components.canary_rollout.controller.rollout import Rollout
from content_arena.components.canary_rollout.controller.stopping import stopped_by_signals
from content_arena.components.canary_rollout.kube.lease import Lease
from content_arena.components.canary_rollout.log import LOG
from content_arena.components.canary_rollout.measuring.config import MeasuringConfig
from content_arena.components.canary_rollout.measuring.interface import Measurement
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Phase, State
from content_arena.components.canary_rollout.reporting import timeline
from content_arena.components.canary_rollout.reporting.events import Events
from content_arena.components.canary_rollout.reporting.history import History, read
from content_arena.components.canary_rollout.reporting.recorder import EventRecorder


class Stopped(KeyboardInterrupt):
    """Ctrl-C or SIGTERM ended the process. The rollout is as recorded and can be resumed.

    Attributes:
        state: As last recorded; None if the process does not know whether the rollout began.
    """

    def __init__(self, state: State | None) -> None:
        """The message names the command to run next."""
        following = "the rollout stays as it is, `arena rollout resume` goes on with it"
        if state is None:
            # The process was stopped between the request that begins the rollout and its answer.
            following = "`arena rollout status` shows whether the rollout had begun"
        super().__init__(f"stopped; {following}")
        self.state = state


@dataclass(frozen=True)
class _Run:
    """What a process runs: a rollout that begins, or one with a recorded state (``before``)."""

    name: str
    parameters: Parameters
    measuring: MeasuringConfig
    request: RolloutRequest | None = None
    before: State | None = None


def start(service_ref: ServiceRef, registry: RolloutRegistry, request: RolloutRequest, options: RunOptions) -> State:
    """Begins a rollout and runs it to its end.

    Args:
        service_ref: The service.
        registry: Updated as the traffic moves.
        request: What to roll out, and by which plan.
        options: How this process runs.

    Returns:
        The state at the end, or where the rollout was left.

    Raises:
        InputError: There is no such service, it cannot have a canary, KServe is too old for one, the challenger's
            runtime does not exist, or a rollout is under way already.
        HeldError: Another process runs a rollout of the service.
        Stopped: Ctrl-C or SIGTERM ended this process.
    """
    connection = Connection.to(service_ref, options.settle_seconds)
    # Checked before the lease is waited for, so that a rollout under way is reported at once.
    refuse_unfinished(connection.record())
    refuse_old_kserve(connection.cluster, connection.mover.mode, request)
    measuring = MeasuringConfig.of(options.overrides)
    run = _Run(new_name(request.challenger), request.parameters, measuring, request=request)
    return _run_under_lease(connection, registry, run, options)


def resume(service_ref: ServiceRef, registry: RolloutRegistry, options: RunOptions) -> State:
    """Runs a rollout from its recorded state to its end. If it is over, only the timeline page is written again.

    Args:
        service_ref: The service.
        registry: Updated as the traffic moves.
        options: How this process runs.

    Returns:
        The state at the end, or where the rollout was left.

    Raises:
        InputError: There is no such service, or it has had no rollout.
        HeldError: Another process runs the rollout.
        Stopped: Ctrl-C or SIGTERM ended this process.
    """
    connection = Connection.to(service_ref, options.settle_seconds)
    before = connection.record().existing
    if before.phase.is_end:
        _write_timeline(options.artifacts_for(before.rollout), service_ref.service, before)
        return before
    measuring = MeasuringConfig.of(options.overrides, before.measuring)
    run = _Run(before.rollout, before.parameters, measuring, before=before)
    return _run_under_lease(connection, registry, run, options)


def reconcile_service(
    service_ref: ServiceRef,
    registry: RolloutRegistry,
    *,
    adopts: bool = False,
    pace: Pace = DEFAULT_PACE,
    settle_seconds: float = 5.0,
) -> list[str]:
    """See :class:`~content_arena.components.canary_rollout.controller.reconcile.Reconciler`.

    Raises:
        HeldError: A process runs a rollout of the service.
    """
    connection = Connection.to(service_ref, settle_seconds)
    cluster, mover = connection.cluster, connection.mover
    connection.record()
    with stopped_by_signals() as stop, Lease(cluster, service_ref.service, sleep=stop.clock.sleep) as lease:
        recorder = EventRecorder(Events(cluster, lease.holder))
        rollout = Rollout(
            cluster, mover, Unmeasured(), registry, recorder,
            service=service_ref.service, assert_leadership=lease.ensure, pace=pace, clock=stop.clock,
        )  # fmt: skip
        reconciler = Reconciler(connection.records, mover, rollout, registry, lease.ensure, stop.clock, cluster.user)
        done = reconciler.reconcile(adopts=adopts)
        return [*done, *connection.clean_up()]


def _run_under_lease(connection: Connection, registry: RolloutRegistry, run: _Run, options: RunOptions) -> State:
    """Runs a rollout while holding the lease. Writes the timeline page, whether it ends or fails."""
    cluster, service_ref = connection.cluster, connection.service_ref
    artifacts = options.artifacts_for(run.name)
    rollout: Rollout | None = None

    def state() -> State | None:
        return (rollout and rollout.state) or run.before

    try:
        with (
            stopped_by_signals() as stop,
            Lease(cluster, service_ref.service, sleep=stop.clock.sleep) as lease,
            contextlib.ExitStack() as at_exit,
        ):
            if run.before is not None:
                LOG.info("resumes %s", run.before.summary)
            measurer = run.measuring.measurer(
                service_ref.namespace, service_ref.context, cluster, run.parameters.warmup_seconds
            )
            at_exit.callback(lambda: _write_timeline(artifacts, service_ref.service, state()))
            at_exit.callback(measurer.close)
            rollout = Rollout(
                cluster, connection.mover, measurer, registry, _recorder(connection, lease, artifacts, options),
                service=service_ref.service, assert_leadership=lease.ensure, pace=options.pace, clock=stop.clock,
            )  # fmt: skip
            _begin(connection, registry, rollout, run)
            end = rollout.run(lambda now: options.leave_when_held and now.phase is Phase.WAITING)
            for line in connection.clean_up() if end.phase.is_end else ():
                LOG.info("%s", line)
            return end
    except KeyboardInterrupt as error:
        raise Stopped(state()) from error


def _begin(connection: Connection, registry: RolloutRegistry, rollout: Rollout, run: _Run) -> None:
    """Records a rollout that is to begin, and says what is to be expected of it."""
    request = run.request
    if request is None:
        return
    state = rollout.begin(request, run.name, run.measuring.as_record())
    if run.measuring.has_password:
        LOG.warning("Prometheus' address is recorded without its password: a resume needs --prometheus again")
    if not request.undo:
        scene = Scene(connection.service_ref, connection.cluster, connection.mover, state.stable)
        for line in outlook(scene, registry, request, run.measuring).lines:
            LOG.info("%s", line)


def _recorder(connection: Connection, lease: Lease, artifacts: RolloutArtifacts, options: RunOptions) -> EventRecorder:
    events, history = Events(connection.cluster, lease.holder), History(artifacts.history)
    if options.metrics_port is None:
        return EventRecorder(events, history)
    return EventRecorder(events, history, _metrics(connection.service_ref, options.metrics_port))


def _metrics(service_ref: ServiceRef, port: int) -> Callable[[State, Measurement | None], None]:
    from content_arena.components.canary_rollout.reporting.metrics import RolloutMetrics

    metrics = RolloutMetrics(service_ref.service, service_ref.namespace)
    metrics.serve(port)
    return metrics.observe


def _write_timeline(artifacts: RolloutArtifacts, service: str, state: State | None) -> None:
    """Writes the page. An error of the disk is logged and does not change how the rollout ends."""
    if state is None:
        return
    try:
        timeline.write(artifacts.timeline, service, state, read(artifacts.history))
    except OSError as error:
        LOG.warning("the timeline page can not be written: %s", error)
    else:
        LOG.info("timeline: %s", artifacts.timeline)
