"""The registry's part of a snapshot as metric families: versions, their figures, verdicts. Pure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import Metric

from content_arena.components.metrics_exporter.families import Rows, gauge, is_name, scaled
from content_arena.components.metrics_exporter.sources import BATTLE_EVASION, EVALUATION_EVASION, VICTIM
from content_arena.components.shared import figures
from content_arena.components.shared.mlflow_tracking.metric_names import EvasionBy

if TYPE_CHECKING:
    # See refresh.py.
    from content_arena.components.metrics_exporter.snapshot import PipelineRun, Snapshot
    from content_arena.components.registry.version import RegisteredVersion


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """Every family of the registry."""
    yield from _models(snapshot)
    yield from _registered(snapshot)
    yield from _evasion(snapshot)
    yield from _gates(snapshot)


def _models(snapshot: Snapshot) -> Iterator[Metric]:
    aliases = snapshot.aliases
    label = ["alias", "model_version"]

    def by_alias(value: Callable[[RegisteredVersion], float | None]) -> Rows:
        return [((alias, str(version.version)), value(version)) for alias, version in sorted(aliases.items())]

    yield gauge(
        "model_version",
        "Always 1; its labels say which version an alias of the registry points to. A predictor that does not know its "
        "version shows the label bundle instead.",
        [*label, "source", "bundle"],
        [
            ((alias, str(version.version), "registry", f"sha-{version.digest[:12]}"), 1.0)
            for alias, version in sorted(aliases.items())
        ],
    )
    yield gauge(
        "model_f1_score",
        "F1 on unperturbed texts: of the test split, or of the validation split until the version is compared.",
        [*label, "split"],
        [
            ((alias, str(version.version), split), value)
            for alias, version in sorted(aliases.items())
            for split, value in _f1(version)
        ],
    )
    for name, exported in ((figure.name, figure.exported) for figure in figures.FIGURES if figure.exported):
        rows = by_alias(functools.partial(_exported, name, exported.scale))
        yield gauge(exported.name, exported.help, label, rows)
    yield gauge(
        "model_generation",
        "Rounds of the arena behind a version; 0 for the first champion.",
        label,
        by_alias(lambda version: float(version.generation)),
    )
    yield gauge(
        "model_promoted_timestamp_seconds",
        "Unix time at which a version became champion.",
        label,
        by_alias(lambda version: version.promoted_at),
    )
    yield gauge(
        "model_registered_timestamp_seconds",
        "Unix time at which a version was registered.",
        label,
        by_alias(lambda version: snapshot.registered.get(version.version)),
    )


def _registered(snapshot: Snapshot) -> Iterator[Metric]:
    """Figures over all versions, with or without an alias."""
    yield gauge(
        "last_registered_timestamp_seconds",
        "Unix time at which the newest version, a challenger or the first champion, was registered.",
        (),
        [((), max(snapshot.registered.values(), default=None))],
    )
    yield gauge("registered_versions", "Versions in the registry.", (), [((), len(snapshot.registered))])
    yield gauge("rejected_versions", "Versions rejected or taken back.", (), [((), snapshot.n_rejected)])
    yield gauge(
        "last_rejected_timestamp_seconds",
        "Unix time at which the last version was rejected or taken back.",
        (),
        [((), snapshot.last_rejected)],
    )


def _evasion(snapshot: Snapshot) -> Iterator[Metric]:
    """Evasion and detection rates of the versions behind the aliases, and by strategy."""
    rows: dict[tuple[str, str, str, str], float] = {}
    for alias, version in sorted(snapshot.aliases.items()):
        for strategies, name in EVALUATION_EVASION.items():
            if name in version.metrics:
                rows[alias, str(version.version), strategies, "evaluation"] = version.metrics[name]
        battle = next((run for run in snapshot.runs if _is_battle_against(run, version.version)), None)
        for strategies, name in BATTLE_EVASION.items():
            if battle is not None and name in battle.metrics:
                rows[alias, str(version.version), strategies, "battle"] = battle.metrics[name]
    labels = ["alias", "model_version", "strategies", "source"]
    yield gauge(
        "evasion_rate",
        "Successes / attacks on toxic texts that the filter had caught; strategies seen or unseen in training; source "
        "evaluation (last comparison, test texts) or battle (last battle, validation texts).",
        labels,
        rows.items(),
    )
    yield gauge("detection_rate", "1 - evasion rate.", labels, [(key, 1.0 - value) for key, value in rows.items()])
    found = next(filter(None, map(_evasion_by_strategy, snapshot.runs)), {})
    yield gauge(
        "strategy_evasion_rate",
        "Evasion by strategy in the last comparison; model is the filter's role in it, not its alias now.",
        ["model", "strategy"],
        [((by.model, by.strategy), value) for by, value in found.items() if is_name(by.strategy)],
    )


def _gates(snapshot: Snapshot) -> Iterator[Metric]:
    gates = [gate for gate in snapshot.verdict if is_name(gate.gate)]
    yield gauge(
        "gate_passed",
        "Gates of the newest challenger that was judged: 1 passed, 0 did not pass; none where there is no guard set.",
        ["gate"],
        [((gate.gate,), float(gate.passed)) for gate in gates if gate.passed is not None],
    )
    yield gauge(
        "gate_figure",
        "The figure a gate judged.",
        ["gate", "model"],
        [
            ((gate.gate, model), value)
            for gate in gates
            for model, value in (("champion", gate.champion), ("challenger", gate.challenger))
        ],
    )
    yield gauge("gate_limit", "The limit a gate set.", ["gate"], [((gate.gate,), gate.limit) for gate in gates])


def _exported(name: str, scale: float, version: RegisteredVersion) -> float | None:
    return scaled(version.metrics.get(name), scale)


def _evasion_by_strategy(run: PipelineRun) -> dict[EvasionBy, float]:
    """Evasion of each strategy in the evaluation of a run; empty if the run evaluated no challenger."""
    return {by: value for name, value in run.metrics.items() if (by := EvasionBy.read(name)) is not None}


def _f1(version: RegisteredVersion) -> list[tuple[str, float]]:
    for split, name in (("test", "clean_f1"), ("validation", "validation_f1")):
        if name in version.metrics:
            return [(split, version.metrics[name])]
    return []


def _is_battle_against(run: PipelineRun, version: int) -> bool:
    return run.params.get(VICTIM) == str(version)
