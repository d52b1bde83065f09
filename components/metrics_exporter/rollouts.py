"""A service and its rollout, as the cluster holds them, as metric families. Pure.

The process that rolls out serves figures of its own, which end with it. These do not: they tell whether it is alive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from content_arena.components.metrics_exporter.families import Rows, gauge
from content_arena.components.metrics_exporter.refresh import Reading

if TYPE_CHECKING:
    # See refresh.py.
    from content_arena.components.canary_rollout.launch import Observed, State

#: Phases of a rollout; repeated here because importing them would take seconds. A test compares them.
PHASES = (
    "staging", "shifting", "baking", "waiting", "promoting", "rolling_back", "promoted", "rolled_back", "withdrawn",
)  # fmt: skip
#: KServe's conditions that say whether users are served. Other types are left out, so the label stays a closed set.
CONDITIONS = ("Ready", "PredictorReady", "IngressReady", "CanaryPredictorReady", "Stopped")
_RECORD = "rollout_record_"


class RolloutCollector(Collector):
    """Answers Prometheus from the last reading of the cluster."""

    def __init__(self, current: Callable[[], Reading[Observed]]) -> None:
        """Collects nothing yet; ``current`` gives the last reading."""
        self._current = current

    def collect(self) -> Iterator[Metric]:
        """Whether the cluster could be read lately, and the service and its rollout if so."""
        reading = self._current()
        yield gauge(
            "exporter_cluster_up",
            "1 if the API server was read lately, 0 if the figures of service and rollout record are missing.",
            (),
            [((), float(reading.snapshot is not None))],
        )
        if reading.snapshot is not None:
            yield from families(reading.snapshot)


def families(observed: Observed) -> Iterator[Metric]:
    """Every family about a service and its rollout; those of a rollout have no sample if there has been none."""
    yield from _service(observed)
    yield from _record(observed.service, observed.state)
    yield gauge(
        "rollout_lease_renewed_timestamp_seconds",
        "When the process that rolls out last renewed its Lease; missing if no process holds the Lease.",
        ["service"],
        [((observed.service,), observed.renewed_at)],
    )


def _service(observed: Observed) -> Iterator[Metric]:
    yield gauge(
        "service_exists", "1 if there is an InferenceService.", ["service"], [((observed.service,), observed.exists)]
    )
    yield gauge(
        "service_condition",
        "Conditions of the InferenceService: 1 for True, 0 for False or Unknown.",
        ["service", "condition"],
        [
            ((observed.service, condition), float(observed.conditions[condition] == "True"))
            for condition in CONDITIONS
            if condition in observed.conditions
        ],
    )


def _record(service: str, state: State | None) -> Iterator[Metric]:
    def of_state(value: Callable[[State], float]) -> Rows:
        return [] if state is None else [((service,), float(value(state)))]

    yield gauge(
        f"{_RECORD}info",
        "Always 1; its labels are the versions of the last rollout as recorded.",
        ["service", "challenger", "champion"],
        [] if state is None else [((service, state.challenger, state.stable.version), 1.0)],
    )
    yield gauge(
        f"{_RECORD}phase",
        "1 for the recorded phase of the last rollout, 0 for the others.",
        ["service", "phase"],
        [] if state is None else [((service, phase), float(state.phase == phase)) for phase in PHASES],
    )
    for name, help_text, value in (
        ("step", "Index of the recorded step; 0 is staging.", lambda state: state.step),
        ("steps", "Steps of the recorded plan after staging.", lambda state: len(state.parameters.path) - 1),
        ("share", "Share of the traffic that the challenger was last allowed, 0 to 1.", _share),
        ("under_way", "1 while a process has to work on the rollout, 0 at its end and while it waits.", _under_way),
        ("waiting_for_approval", "1 while the rollout waits for a person.", lambda state: state.phase == "waiting"),
        ("going_back", "1 while the challenger is to lose its share.", lambda state: state.is_going_back),
        ("started_timestamp_seconds", "When the rollout began.", lambda state: state.started_at),
        ("phase_timestamp_seconds", "When its phase began.", lambda state: state.since),
    ):
        yield gauge(f"{_RECORD}{name}", help_text, ["service"], of_state(value))


def _share(state: State) -> float:
    return state.allowed_share


def _under_way(state: State) -> float:
    return not state.phase.is_end and state.phase != "waiting"
