"""From a snapshot to metric families. Pure: no clock, no network, no state.

Every label value comes from a closed set or passes :func:`is_name`, so nothing that is logged into MLflow can grow the
number of time series without bound. A figure that was not logged is left out: a 0 would be taken for a measurement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from content_arena.components.metrics_exporter import models
from content_arena.components.metrics_exporter.families import counter, gauge, is_name, scaled
from content_arena.components.metrics_exporter.refresh import Reading
from content_arena.components.metrics_exporter.sources import (
    ATTACKS,
    BATTLE,
    CURVES,
    LAST_RUN,
    QUERIES,
    ROUNDS,
    SYSTEM,
    TRAINED,
)
from content_arena.components.shared.mlflow_tracking.metric_names import of_stage, stage_timed_by

if TYPE_CHECKING:
    # See refresh.py.
    from content_arena.components.metrics_exporter.snapshot import PipelineRun, Snapshot, Training

_STATUSES = ("running", "scheduled", "finished", "failed", "killed")
_BROKEN = ("failed", "killed")
_STAGES = ("train_qlora", "bootstrap_champion")
_GPU = re.compile(r"system/gpu_(\d{1,3})_(memory_usage_megabytes|utilization_percentage)")


class ArenaCollector(Collector):
    """Answers Prometheus from the last reading."""

    def __init__(self, current: Callable[[], Reading[Snapshot]]) -> None:
        """Collects nothing yet; ``current`` gives the last reading."""
        self._current = current

    def collect(self) -> Iterator[Metric]:
        """The exporter's own state, and the arena's if MLflow could be read lately."""
        reading = self._current()
        up = float(reading.snapshot is not None)
        yield gauge("exporter_up", "1 if MLflow was read lately, 0 if all other figures are missing.", (), [((), up)])
        yield gauge(
            "exporter_last_read_timestamp_seconds",
            "Unix time of the last read of MLflow that worked.",
            (),
            [((), reading.taken)],
        )
        yield gauge("exporter_read_duration_seconds", "What that read took.", (), [((), reading.seconds)])
        if reading.snapshot is not None:
            yield from families(reading.snapshot)


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """Every metric family of a snapshot; families without a sample are there too, with their help."""
    yield from _runs(snapshot.runs)
    yield from _battles(snapshot.runs)
    yield from models.families(snapshot)
    yield from _trained(snapshot.runs)
    yield from _curves(snapshot.training)


def _runs(runs: Sequence[PipelineRun]) -> Iterator[Metric]:
    yield gauge(
        "pipeline_runs",
        "Pipeline runs in MLflow, by MLflow's status.",
        ["status"],
        [((status,), _count(run.status == status for run in runs)) for status in _STATUSES],
    )
    seconds: dict[str, float] = {}
    for run in reversed(runs):
        seconds |= {stage: value for name, value in run.metrics.items() if (stage := stage_timed_by(name)) is not None}
    yield gauge(
        "stage_duration_seconds",
        "Seconds a stage took the last time it ran.",
        ["stage"],
        [((stage,), value) for stage, value in sorted(seconds.items()) if is_name(stage)],
    )
    for name, help_text, label, source in (
        ("promotions", "Challengers judged, by whether they were promoted.", "promoted", "promote_challenger.promoted"),
        ("retraining_decisions", "Decisions of the retraining policy.", "retrain", "decide_retraining.retrain"),
    ):
        decided = [run.metrics[source] > 0 for run in runs if source in run.metrics]
        yes = _count(decided)
        yield counter(name, help_text, [label], [(("true",), yes), (("false",), len(decided) - yes)])


def _battles(runs: Sequence[PipelineRun]) -> Iterator[Metric]:
    fought = [run for run in runs if BATTLE in run.metrics]
    unfought = [run for run in runs if run.status in _BROKEN and BATTLE not in run.metrics]
    yield counter(
        "battles",
        "Battles (a pipeline run has one): finished if its figures are in MLflow, failed if the run broke off before.",
        ["status"],
        [(("finished",), len(fought)), (("failed",), len(unfought))],
    )
    yield counter(
        "attacks",
        "Attacks (one text, one strategy) of all battles: success turned the verdict, failed did not, skipped had "
        "nothing to change or a verdict that was wrong before.",
        ["status"],
        [((status,), _sum(runs, source)) for status, source in ATTACKS.items()],
    )
    yield counter(
        "rounds",
        "Attacks on toxic texts that the filter had caught: detected if it caught them through the whole query budget.",
        ["detected"],
        [((detected,), _sum(runs, source)) for detected, source in ROUNDS.items()],
    )
    yield counter(
        "attack_queries",
        "Different texts that filters were asked about in all battles.",
        (),
        [((), _sum(runs, QUERIES))],
    )
    yield gauge(
        "last_battle_timestamp_seconds",
        "Unix time at which the run of the last finished battle began.",
        (),
        [((), run.started) for run in fought[:1]],
    )
    for source in LAST_RUN:
        yield gauge(source.name, source.help, (), [((), _last(runs, source.source))])


def _trained(runs: Sequence[PipelineRun]) -> Iterator[Metric]:
    for source in TRAINED:
        rows = [((stage,), _last(runs, of_stage(stage, source.source))) for stage in _STAGES]
        yield gauge(source.name, source.help, ["stage"], rows)


def _curves(training: Training | None) -> Iterator[Metric]:
    stage = training.stage if training is not None and training.stage in _STAGES else None
    metrics = training.metrics if training is not None and stage else {}
    running = training is not None and training.is_running
    yield gauge(
        "training_running",
        "1 while the newest training goes on, 0 after.",
        ["stage"],
        [((stage,), float(running))] if stage else [],
    )
    for source in CURVES:
        yield gauge(source.name, source.help, ["stage"], [((stage,), metrics.get(source.source))] if stage else [])
    # What a machine used while it trained is stale as soon as it no longer does.
    metrics = metrics if running else {}
    for source in SYSTEM:
        yield gauge(source.name, source.help, (), [((), scaled(metrics.get(source.source), source.scale))])
    gpus = [(match[1], match[2], value) for name, value in metrics.items() if (match := _GPU.fullmatch(name))]
    yield gauge(
        "gpu_memory_used_bytes",
        "GPU memory in use on the node that trains, while it trains.",
        ["gpu"],
        [((gpu,), value * 1e6) for gpu, kind, value in gpus if kind == "memory_usage_megabytes"],
    )
    yield gauge(
        "gpu_utilisation_ratio",
        "GPU utilisation on the node that trains, 0 to 1, while it trains.",
        ["gpu"],
        [((gpu,), value / 100) for gpu, kind, value in gpus if kind == "utilization_percentage"],
    )


def _last(runs: Sequence[PipelineRun], name: str) -> float | None:
    """The value in the newest run that logged it."""
    return next((run.metrics[name] for run in runs if name in run.metrics), None)


def _sum(runs: Sequence[PipelineRun], name: str) -> float | None:
    """The sum over all runs that logged it; None if none did."""
    values = [run.metrics[name] for run in runs if name in run.metrics]
    return sum(values) if values else None


def _count(flags: Iterable[bool]) -> float:
    return float(sum(flags))
