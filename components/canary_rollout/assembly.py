"""A rollout put together from all that it needs, from its beginning or from where it was left."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from content_arena.components.canary_rollout import annotations
from content_arena.components.canary_rollout.analysis import Limits
from content_arena.components.canary_rollout.cluster import Cluster
from content_arena.components.canary_rollout.history import History
from content_arena.components.canary_rollout.lease import Lease
from content_arena.components.canary_rollout.measurement import Measurement, Measurer
from content_arena.components.canary_rollout.move import Mover
from content_arena.components.canary_rollout.observing import Follower
from content_arena.components.canary_rollout.parameters import Parameters
from content_arena.components.canary_rollout.reconcile import Unmeasured, reconcile
from content_arena.components.canary_rollout.rollout import Pace, Rollout, new_name, refuse_unfinished
from content_arena.components.canary_rollout.state import State
from content_arena.components.canary_rollout.traffic import Challenger

if TYPE_CHECKING:
    from content_arena.components.canary_rollout.measure import LiveMeasurer

USUAL = Pace()


class Reach(StrEnum):
    """How the pods of a variant are reached, past gateway and Services."""

    PODS = "pods"
    API_SERVER = "api-server"


@dataclass(frozen=True)
class Site:
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
class Measuring:
    """With what both variants are measured.

    Attributes:
        limits: The bounds.
        prometheus: URL of a Prometheus; the pods' own metrics if None.
        reach: How pods are reached.
        corpus: Parquet whose test split the probes are drawn from; the embedded corpus if None.
        lang: Of the texts.
        texts_per_label: Texts of each label to attack.
        rounds: Attempts allowed on a toxic text.
        seed: Of the attempts and the resampling.
    """

    limits: Limits = field(default_factory=Limits)
    prometheus: str | None = None
    reach: Reach = Reach.PODS
    corpus: Path | None = None
    lang: str = "en"
    texts_per_label: int = 60
    rounds: int = 3
    seed: int = 0


@dataclass(frozen=True)
class Beginning:
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
    """The process was asked to end; the rollout is where it was, and can be resumed."""


def roll_out(
    site: Site,
    registry: Follower,
    measuring: Measuring,
    beginning: Beginning | None = None,
    *,
    say: Callable[[str], None],
    history: Callable[[str], Path] | None = None,
    pace: Pace = USUAL,
    settle_seconds: float = 5.0,
    metrics_port: int | None = None,
    should_leave: Callable[[State], bool] = lambda state: False,
) -> State:
    """Rolls out, from the beginning or from where it was left.

    Args:
        site: Where.
        registry: Follows the traffic.
        measuring: With what both variants are measured.
        beginning: What to begin; None to go on with what is under way.
        say: Where it is told for whoever watches this process.
        history: Where the records of a rollout of that name go; nowhere if None.
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
    cluster = Cluster(site.namespace, site.context)
    mover = Mover(cluster, site.service, settle_seconds)
    # Said at once, and not only when another rollout's lease has been waited for.
    view = mover.look()
    if beginning is None:
        state = annotations.record_of(view.service)
        if state.phase.is_end:
            return state
        name, parameters = state.rollout, state.parameters
    else:
        refuse_unfinished(view)
        name, parameters = new_name(beginning.challenger), beginning.parameters
    with _ends_on_sigterm(), Lease(cluster, site.service) as lease:
        measurer = _measurer(site, cluster, measuring, parameters)
        where = History(history(name)) if history else None
        turned = _figures(site, metrics_port)
        rollout = _rollout(site, cluster, mover, lease, registry, measurer, say, where, pace, turned)
        try:
            if beginning is not None:
                rollout.begin(beginning.challenger, parameters, beginning.insist, name)
            return rollout.run(should_leave)
        except KeyboardInterrupt as error:
            raise Stopped("stopped; the rollout is left as it is, `arena rollout resume` goes on") from error
        finally:
            measurer.close()


def put_in_order(
    site: Site, registry: Follower, *, say: Callable[[str], None], pace: Pace = USUAL, settle_seconds: float = 5.0
) -> list[str]:
    """See :func:`~content_arena.components.canary_rollout.reconcile.reconcile`.

    Raises:
        HeldError: A rollout is under way, and its process lives.
    """
    cluster = Cluster(site.namespace, site.context)
    mover = Mover(cluster, site.service, settle_seconds)
    mover.look()
    with _ends_on_sigterm(), Lease(cluster, site.service) as lease:
        rollout = _rollout(site, cluster, mover, lease, registry, Unmeasured(), say, None, pace)
        return reconcile(cluster, site.service, mover, rollout, registry)


def _nothing(state: State, measured: Measurement | None) -> None:
    """Keeps no figures."""


def _figures(site: Site, port: int | None) -> Callable[[State, Measurement | None], None]:
    if port is None:
        return _nothing
    from content_arena.components.canary_rollout.rollout_metrics import RolloutMetrics

    metrics = RolloutMetrics(site.service)
    metrics.serve(port)
    return metrics.observe


def _rollout(
    site: Site, cluster: Cluster, mover: Mover, lease: Lease, registry: Follower, measurer: Measurer,
    say: Callable[[str], None], history: History | None, pace: Pace,
    turned: Callable[[State, Measurement | None], None] = _nothing,
) -> Rollout:  # fmt: skip
    return Rollout(
        cluster, mover, measurer, registry, service=site.service, instance=lease.holder, still_mine=lease.ensure,
        history=history, say=say, turned=turned, pace=pace,
    )  # fmt: skip


def _measurer(site: Site, cluster: Cluster, measuring: Measuring, parameters: Parameters) -> LiveMeasurer:
    from content_arena.components.canary_rollout.measure import LiveMeasurer
    from content_arena.components.canary_rollout.prober import Prober
    from content_arena.components.canary_rollout.probes import Battery, battery
    from content_arena.components.canary_rollout.prometheus import Prometheus
    from content_arena.components.canary_rollout.scrape import PodMetrics
    from content_arena.components.canary_rollout.variants import ApiServerProxy, PodAddresses

    doors = PodAddresses() if measuring.reach is Reach.PODS else ApiServerProxy(site.context)
    source = (
        Prometheus(measuring.prometheus, site.namespace) if measuring.prometheus else PodMetrics(cluster.pods, doors)
    )

    def made() -> Battery:
        return battery(
            measuring.corpus, measuring.lang, texts_per_label=measuring.texts_per_label, rounds=measuring.rounds,
            seed=measuring.seed,
        )  # fmt: skip

    prober = Prober(made, cluster.pods, doors)
    return LiveMeasurer(source, prober, measuring.limits, warmup_seconds=parameters.warmup_seconds, seed=measuring.seed)


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
