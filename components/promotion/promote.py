"""The stage promote_challenger: register, judge, move the aliases or report why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from content_arena.components.evaluation import report
from content_arena.components.promotion.first_service import serve_first
from content_arena.components.registry import gates as gating
from content_arena.components.registry.floors import floors_from, judge_floors
from content_arena.components.registry.gates import GuardUse
from content_arena.components.registry.publish import publish
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.verdict import PromotionVerdict, RecordedVerdict
from content_arena.components.registry.version import RegisteredVersion
from content_arena.components.shared.evaluations import evaluation_record
from content_arena.components.shared.evaluations.evaluation_record import Evaluation
from content_arena.components.shared.mlflow_tracking.tracking import Tracking, seconds_since_start
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.stage import log, note, stage

STAGE = "promote_challenger"


@dataclass(frozen=True)
class Rules:
    """What a challenger has to pass.

    Attributes:
        gates: Margins of gates by name of their figure, see
            :func:`content_arena.components.registry.gates.gates_from`; a gate that is not named keeps its default.
        floors: Least values by name of their figure, see
            :func:`content_arena.components.registry.floors.floors_from`; a floor that is not named keeps its default.
        require_guard: Whether a challenger is refused where there is no guard set.
    """

    gates: Mapping[str, float] = field(default_factory=dict)
    floors: Mapping[str, float] = field(default_factory=dict)
    require_guard: bool = False


@stage(STAGE)
def promote_challenger(
    challenger_path: Path,
    evaluation_path: Path,
    report_path: Path,
    *,
    champion_version: str,
    pipeline_run: str,
    move_champion: bool = True,
    rules: Rules = Rules(),
    models_uri: str | None = None,
    first_service: str | None = None,
    tracking_uri: str | None = None,
) -> PromotionVerdict:
    """Registers a challenger, applies gates and floors, and moves the aliases if all of them pass.

    Args:
        challenger_path: The challenger's bundle.
        evaluation_path: JSON of evaluate_challenger.
        report_path: Where to write the final page.
        champion_version: The champion it was compared with; if another one serves by now, nothing is moved.
        pipeline_run: Id of the pipeline run.
        move_champion: Whether passing the gates makes it the champion; not where a rollout decides that.
        rules: What it has to pass.
        models_uri: See :func:`content_arena.components.registry.publish.publish`.
        first_service: See :func:`content_arena.components.promotion.first_service.serve_first`.
        tracking_uri: MLflow server; the environment's if None.

    Returns:
        What was decided; its :meth:`~content_arena.components.registry.verdict.PromotionVerdict.as_json` is what the
        component hands on.

    Raises:
        InputError: The evaluation cannot be read, or a rule cannot be used; nothing was registered.
    """
    gates, floors = gating.gates_from(rules.gates), floors_from(rules.floors)
    evaluation = evaluation_record.read(evaluation_path)
    tracking = Tracking(tracking_uri, pipeline_run)
    registry = Registry(tracking_uri)
    champion = registry.get(int(champion_version)).version
    challenger = _register(registry, bundles.load(challenger_path), tracking.run_id, evaluation, champion)
    guard = GuardUse(there=evaluation.guard is not None, required=rules.require_guard)
    figures = evaluation.challenger.figures
    recorded = RecordedVerdict(
        champion=champion,
        gates=tuple(gating.judge(evaluation.champion.figures, figures, gates, guard)),
        margins={gate.metric: gate.margin for gate in gates},
        floors=judge_floors(figures, floors),
        guard=evaluation.guard,
    )
    registry.record_verdict(challenger.version, recorded)
    verdict = _verdict(challenger, champion_version, recorded, move_champion)
    if verdict.promoted:
        registry.promote(challenger.version, expected_champion=champion)
    for line in publish(registry, models_uri):
        log(STAGE, line)
    for line in serve_first(registry.aliases().get(Registry.CHAMPION), first_service):
        note(STAGE, line)
    verdict = replace(verdict, seconds=_seconds(tracking))
    report_path.parent.mkdir(parents=True, exist_ok=True)
    report_path.write_text(report.render(evaluation, verdict), encoding="utf-8")
    tracking.log(STAGE, {"promoted": float(verdict.promoted or False)})
    log(STAGE, f"version {challenger.version} {_outcome(verdict)}")
    return verdict


def _verdict(
    challenger: RegisteredVersion, champion_version: str, recorded: RecordedVerdict, move_champion: bool
) -> PromotionVerdict:
    """The verdict that follows from the results of gates and floors; pure."""
    passed = gating.is_promoted(recorded.gates) and all(floor.passed for floor in recorded.floors)
    every = [*(gate.reason for gate in recorded.gates), *(floor.reason for floor in recorded.floors)]
    return PromotionVerdict(
        passed=passed,
        promoted=None if passed and not move_champion else passed,
        champion_version=champion_version,
        challenger_version=str(challenger.version),
        generation=challenger.generation,
        reasons=tuple(every if passed else recorded.failures),
        gates=recorded.gates,
        margins=recorded.margins,
        floors=recorded.floors,
        guard=recorded.guard,
    )


def _seconds(tracking: Tracking) -> dict[str, float]:
    """How long every stage of this run took, this one included."""
    seconds = tracking.seconds() | {STAGE: seconds_since_start()}
    return {name: round(value, 1) for name, value in seconds.items()}


def _outcome(verdict: PromotionVerdict) -> str:
    if verdict.promoted is None:
        return "passed, a rollout decides"
    return "is the new champion" if verdict.promoted else "is not promoted"


def _register(
    registry: Registry, bundle: bundles.Bundle, run_id: str, evaluation: Evaluation, champion: int
) -> RegisteredVersion:
    """The challenger as a registered version; both models' figures are kept with their versions."""
    challenger = registry.register(bundle, run_id)
    log(STAGE, f"registered version {challenger.version}, generation {challenger.generation}")
    registry.record_metrics(champion, evaluation.champion.headline())
    trained = {"validation_f1": bundle.spec.metrics.get("validation_f1")}
    registry.record_metrics(challenger.version, trained | evaluation.challenger.headline())
    registry.set_alias(Registry.CHALLENGER, challenger.version)
    return challenger
