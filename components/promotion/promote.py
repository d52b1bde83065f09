"""The stage promote_challenger: register, judge, move the aliases or say why not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from content_arena.components.evaluation import report
from content_arena.components.evaluation.evaluate import headline
from content_arena.components.registry import gates as gating
from content_arena.components.registry.publish import publish
from content_arena.components.registry.registry import Registry
from content_arena.components.shared import bundle as bundles
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.stage import log, stage
from content_arena.components.shared.tracking import Tracking, seconds_since_start

STAGE = "promote_challenger"


@stage(STAGE)
def promote_challenger(
    challenger_path: Path,
    evaluation_path: Path,
    report_path: Path,
    *,
    champion_version: str,
    pipeline_run: str,
    move_champion: bool = True,
    gates: Mapping[str, float] | None = None,
    models_uri: str | None = None,
    tracking_uri: str | None = None,
) -> dict[str, Any]:
    """Registers a challenger, applies the gates, and moves the aliases if all of them pass.

    Args:
        challenger_path: The challenger's bundle.
        evaluation_path: JSON of evaluate_challenger.
        report_path: Where to write the final page.
        champion_version: The champion it was compared with; if another one serves by now, nothing is moved.
        pipeline_run: Id of the pipeline run.
        move_champion: Whether passing the gates makes it the champion; not where a rollout decides that.
        gates: Margins of gates by name of their figure; the defaults if None.
        models_uri: See :func:`content_arena.components.registry.publish.publish`.
        tracking_uri: MLflow server; the environment's if None.

    Returns:
        passed (the gates), promoted (None where a rollout decides), champion_version and challenger_version as they
        were compared, generation, reasons, gates, seconds.
    """
    evaluation = _read(evaluation_path)
    tracking = Tracking(tracking_uri, pipeline_run)
    registry = Registry(tracking_uri)
    champion = registry.get(int(champion_version)).version
    bundle = bundles.load(challenger_path)
    challenger = registry.register(bundle, tracking.run_id)
    log(STAGE, f"registered version {challenger.version}, generation {challenger.generation}")
    registry.record_metrics(champion, headline(evaluation["champion"]))
    trained = {"validation_f1": bundle.spec.metrics.get("validation_f1")}
    registry.record_metrics(challenger.version, trained | headline(evaluation["challenger"]))
    registry.set_alias(Registry.CHALLENGER, challenger.version)
    results = gating.judge(evaluation["champion"], evaluation["challenger"], gating.gates_from(gates))
    passed = gating.is_promoted(results)
    promoted = passed and move_champion
    registry.record_verdict(challenger.version, champion, results)
    if promoted:
        registry.promote(challenger.version, expected_champion=champion)
    for line in publish(registry, models_uri):
        log(STAGE, line)
    seconds = tracking.seconds() | {STAGE: seconds_since_start()}
    verdict = {
        "passed": passed,
        "promoted": None if passed and not move_champion else promoted,
        "champion_version": champion_version,
        "challenger_version": str(challenger.version),
        "generation": challenger.generation,
        "reasons": [result.reason for result in results if passed or not result.passed],
        "gates": [asdict(result) for result in results],
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }
    report_path.parent.mkdir(parents=True, exist_ok=True)
    report_path.write_text(report.render(evaluation, verdict), encoding="utf-8")
    tracking.log(STAGE, {"promoted": float(promoted)})
    outcome = "is the new champion" if promoted else "passed, a rollout decides" if passed else "is not promoted"
    log(STAGE, f"version {challenger.version} {outcome}")
    return verdict


def _read(path: Path) -> dict[str, Any]:
    try:
        evaluation = json.loads(path.read_text(encoding="utf-8"))
        if {"champion", "challenger"} <= set(evaluation):
            return evaluation
    except (OSError, ValueError) as error:
        raise InputError(f"the evaluation at {path} can not be read: {error}") from error
    raise InputError(f"the evaluation at {path} does not hold a champion and a challenger")
