"""A rollout put together from all that it needs, from its beginning or from where it was left."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from content_arena.components.canary_rollout.controller import annotations
from content_arena.components.canary_rollout.controller.reconcile import Unmeasured, reconcile
from content_arena.components.canary_rollout.controller.registry import RolloutRegistry
from content_arena.components.canary_rollout.controller.rollout import Pace, Rollout, new_name, refuse_unfinished
from content_arena.components.canary_rollout.kube.client import RolloutClient
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.kube.lease import Lease
from content_arena.components.canary_rollout.measuring.config import MeasuringConfig
from content_arena.components.canary_rollout.measuring.interface import Measurement, Measurer
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, State
from content_arena.components.canary_rollout.reporting import timeline
from content_arena.components.canary_rollout.reporting.history import History, read
from content_arena.components.canary_rollout.traffic.mover import Mover

USUAL = Pace()


@dataclass(frozen=True)
class ServiceRef:
    """Where a service is.

    Attributes:
        service: Name of the InferenceService.
        namespace: Where it is.
        context: Of the kubeconfig; its current one, or the pod's own account, if None.
    """

    service: str
    namespace: str
    context: str | None = None


@dataclass(frozen=True)
class RolloutRequest:
    """A rollout that is to begin.

    Attributes:
        challenger: What to roll out.
        parameters: The plan.
        insist: Why a person wants it although it was rejected before; None if nobody does.
    """

    challenger: Challenger
    parameters: Parameters
    insist: str | None = None


class Stopped(KeyboardInterrupt):
    """The process was asked to end; the rollout is where it was, and can be resumed.

    Attributes:
        state: As last recorded; None if it was not seen to begin.
    """

    def __init__(self, state: State | None) -> None:
        """Says so."""
        said = "the rollout is left as it is, `arena rollout resume` goes on"
        if state is None:
            # Between the asking and the answer nobody here can tell.
            said = "`arena rollout status` says whether a rollout had begun by then"
        super().__init__(f"stopped; {said}")
        self.state = state


@dataclass(frozen=True)
class RolloutArtifacts:
    """What a rollout leaves behind beside the service.

    Attributes:
        history: Its records, one JSON a line.
        timeline: The page made of them, once it ends or is left.
    """

    history: Path
    timeline: Path


def roll_out(
    service_ref: ServiceRef,
    registry: RolloutRegistry,
    overrides: Mapping[str, Any],
    rollout_request: RolloutRequest | None = None,
    *,
    say: Callable[[str], None],
    artifacts_for: Callable[[str], RolloutArtifacts],
    pace: Pace = USUAL,
    settle_seconds: float = 5.0,
    metrics_port: int | None = None,
    should_leave: Callable[[State], bool] = lambda state: False,
) -> State:
    """Rolls out, from the beginning or from where it was left.

    Args:
        service_ref: Where.
        registry: Follows the traffic.
        overrides: With what both variants are measured, where it is not as usual, or as the rollout began:
            :meth:`~content_arena.components.canary_rollout.measuring.config.MeasuringConfig.of`.
        rollout_request: What to begin; None to go on with what is under way.
        say: Where it is told for whoever watches this process.
        artifacts_for: Where the records and the page of a rollout of that name go.
        pace: How often to look, how patient to be.
        settle_seconds: How long a gateway may take from what its route says to what it does.
        metrics_port: Where Prometheus finds the rollout's own figures while this runs; nowhere if None.
        should_leave: Whether to leave it as it is.

    Returns:
        The state at the end, or where it was left.

    Raises:
        InputError: No such service, or none that can have a canary; one is under way already, or none is.
        HeldError: Another process rolls out.
        Stopped: This process was asked to end.
    """
    cluster = KubernetesClient(service_ref.namespace, service_ref.context)
    mover = Mover(cluster, service_ref.service, settle_seconds)
    # Said at once, and not only when another rollout's lease has been waited for.
    view = mover.read()
    before: State | None = None
    if rollout_request is None:
        before = annotations.record_of(view.service)
        if before.phase.is_end:
            _show(artifacts_for(before.rollout), service_ref.service, before, say)
            return before
        name, parameters = before.rollout, before.parameters
        measuring_config = MeasuringConfig.of(overrides, before.measuring)
    else:
        refuse_unfinished(view)
        name, parameters = new_name(rollout_request.challenger), rollout_request.parameters
        measuring_config = MeasuringConfig.of(overrides)
    kept, rollout = artifacts_for(name), None

    def state() -> State | None:
        return (rollout and rollout.state) or before

    try:
        with _ends_on_sigterm(), Lease(cluster, service_ref.service) as lease, contextlib.ExitStack() as last:
            if before is not None:
                say(f"goes on {before.summary}")
            measurer = measuring_config.measurer(
                service_ref.namespace, service_ref.context, cluster, parameters.warmup_seconds
            )
            last.callback(lambda: _show(kept, service_ref.service, state(), say))
            last.callback(measurer.close)
            turned, history = _figures(service_ref, metrics_port), History(kept.history)
            rollout = _rollout(service_ref, cluster, mover, lease, registry, measurer, say, history, pace, turned)
            if rollout_request is not None:
                rollout.begin(
                    rollout_request.challenger,
                    parameters,
                    rollout_request.insist,
                    name,
                    measuring_config.as_record(),
                )
                if measuring_config.has_password:
                    say("the address of Prometheus is recorded without its password: a resume has to be told again")
            return rollout.run(should_leave)
    except KeyboardInterrupt as error:
        raise Stopped(state()) from error


def _show(kept: RolloutArtifacts, service: str, state: State | None, say: Callable[[str], None]) -> None:
    """Makes the page; a full disk is not to change how a rollout ends."""
    if state is None:
        return
    try:
        timeline.write(kept.timeline, service, state, read(kept.history))
    except OSError as error:
        say(f"no page of the timeline: {error}")
    else:
        say(f"timeline: {kept.timeline}")


def put_in_order(
    service_ref: ServiceRef,
    registry: RolloutRegistry,
    *,
    say: Callable[[str], None],
    pace: Pace = USUAL,
    settle_seconds: float = 5.0,
) -> list[str]:
    """See :func:`~content_arena.components.canary_rollout.controller.reconcile.reconcile`.

    Raises:
        HeldError: A rollout is under way, and its process lives.
    """
    cluster = KubernetesClient(service_ref.namespace, service_ref.context)
    mover = Mover(cluster, service_ref.service, settle_seconds)
    mover.read()
    with _ends_on_sigterm(), Lease(cluster, service_ref.service) as lease:
        rollout = _rollout(service_ref, cluster, mover, lease, registry, Unmeasured(), say, None, pace)
        return reconcile(cluster, service_ref.service, mover, rollout, registry, lease.ensure)


def _nothing(state: State, measured: Measurement | None) -> None:
    """Keeps no figures."""


def _figures(service_ref: ServiceRef, port: int | None) -> Callable[[State, Measurement | None], None]:
    if port is None:
        return _nothing
    from content_arena.components.canary_rollout.reporting.metrics import RolloutMetrics

    metrics = RolloutMetrics(service_ref.service, service_ref.namespace)
    metrics.serve(port)
    return metrics.observe


def _rollout(
    service_ref: ServiceRef,
    cluster: RolloutClient,
    mover: Mover,
    lease: Lease,
    registry: RolloutRegistry,
    measurer: Measurer,
    say: Callable[[str], None],
    history: History | None,
    pace: Pace,
    turned: Callable[[State, Measurement | None], None] = _nothing,
) -> Rollout:
    return Rollout(
        cluster,
        mover,
        measurer,
        registry,
        service=service_ref.service,
        instance=lease.holder,
        assert_leadership=lease.ensure,
        history=history,
        say=say,
        turned=turned,
        pace=pace,
    )


@contextlib.contextmanager
def _ends_on_sigterm() -> Iterator[None]:
    """What ends a pod ends the loop as Ctrl-C does, so that the lease is let go of."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        # Some send it twice, to the process and to its group; the second is not to break off the tidying up.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
