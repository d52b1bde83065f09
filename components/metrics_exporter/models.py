"""The registry's part of a snapshot as metric families: versions, their figures, verdicts. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import Metric

from content_arena.components.metrics_exporter.families import Rows, gauge, is_name, scaled
from content_arena.components.metrics_exporter.figures import BATTLE_EVASION, EVALUATION_EVASION, VICTIM

if TYPE_CHECKING:
    # See refresh.py.
    from content_arena.components.metrics_exporter.snapshot import PipelineRun, Snapshot
    from content_arena.components.registry.registry import RegisteredVersion

_EVASION_BY = re.compile(r"evaluate_challenger\.(champion|challenger)\.evasion_by\.(.+)")


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """Every family of the registry."""
    yield from _models(snapshot)
    yield from _evasion(snapshot)
    yield from _gates(snapshot)


def _models(snapshot: Snapshot) -> Iterator[Metric]:
    aliases = snapshot.aliases
    label = ["alias", "model_version"]

    def by_alias(value: Callable[[RegisteredVersion], float | None]) -> Rows:
        return [((alias, str(version.version)), value(version)) for alias, version in sorted(aliases.items())]

    yield gauge(
        "model_version",
        "Always 1; its labels say which version an alias of the registry points to. A predictor that was not told its "
        "version answers with the label bundle instead.",
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
    yield gauge(
        "perturbed_benign_fpr",
        "Share of benign texts flagged after the attacks, in the last comparison.",
        label,
        by_alias(lambda version: version.metrics.get("perturbed_benign_fpr")),
    )
    yield gauge(
        "model_evaluation_latency_p95_seconds",
        "95th percentile for one text, in the last comparison.",
        label,
        by_alias(lambda version: scaled(version.metrics.get("latency_p95_ms"), 1e-3)),
    )
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
        by_alias(lambda version: _number(version.tags.get("promoted_at"))),
    )
    yield gauge(
        "model_registered_timestamp_seconds",
        "Unix time at which a version was registered.",
        label,
        by_alias(lambda version: snapshot.registered.get(version.version)),
    )
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
    compared = next((run for run in snapshot.runs if any(map(_EVASION_BY.fullmatch, run.metrics))), None)
    found = [(_EVASION_BY.fullmatch(name), value) for name, value in (compared.metrics if compared else {}).items()]
    yield gauge(
        "strategy_evasion_rate",
        "Evasion by strategy in the last comparison; model is the part a filter played in it, not its alias today.",
        ["model", "strategy"],
        [(match.groups(), value) for match, value in found if match and is_name(match[2])],
    )


def _gates(snapshot: Snapshot) -> Iterator[Metric]:
    gates = [gate for gate in snapshot.verdict if is_name(gate.gate)]
    yield gauge(
        "gate_passed",
        "What the gates said about the newest challenger they judged: 1 passed, 0 did not.",
        ["gate"],
        [((gate.gate,), float(gate.passed)) for gate in gates],
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


def _f1(version: RegisteredVersion) -> list[tuple[str, float]]:
    for split, name in (("test", "clean_f1"), ("validation", "validation_f1")):
        if name in version.metrics:
            return [(split, version.metrics[name])]
    return []


def _is_battle_against(run: PipelineRun, version: int) -> bool:
    return run.params.get(VICTIM) == str(version)


def _number(text: str | None) -> float | None:
    """A number somebody wrote into a tag; None if there is none or it is none."""
    try:
        return float(text or "")
    except ValueError:
        return None
