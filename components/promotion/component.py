"""KFP components of the stages promote_challenger and close_run."""

from typing import Any, Dict, NamedTuple  # noqa: UP035 - KFP's type parser

from kfp import dsl

from content_arena.components.shared.images import COMPONENT_IMAGE


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def promote_challenger(
    challenger: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
    champion_version: str,
    pipeline_run: str,
    move_champion: bool,
    require_guard: bool,
    settings: Dict[str, Any],  # noqa: UP006
    models_uri: str,
    first_service: str,
    tracking_uri: str,
) -> NamedTuple("Outputs", [("verdict", dict)]):  # type: ignore[valid-type]  # KFP reads the outputs here
    """Registers the challenger, applies gates and floors, and makes it the champion if it passes all of them.

    Args:
        challenger: The challenger's bundle.
        evaluation: JSON of evaluate_challenger.
        metrics: promoted, and one for each gate that was judged and each floor; 1 passed, 0 did not.
        report: The final page: verdict, reasons, figures, times.
        champion_version: The champion it was compared with.
        pipeline_run: Id under which the stages of a run find their MLflow run.
        move_champion: Whether passing the gates makes it the champion; false where a rollout decides that.
        require_guard: Whether a challenger is refused where there is no guard set.
        settings: Settings by section; [gates] and [floors] are read.
        models_uri: s3://bucket/folder that versions are served from; nothing is published there if empty.
        first_service: NAMESPACE/NAME of the InferenceService that is created where there is none yet; no service is
            created if empty.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if empty.

    Returns:
        verdict: passed, promoted, versions, generation, reasons, gates, margins, floors, guard set, seconds of each
            stage.
    """
    from pathlib import Path
    from typing import NamedTuple

    from content_arena.components.promotion import promote

    verdict = promote.promote_challenger(
        Path(challenger.path),
        Path(evaluation.path),
        Path(report.path),
        champion_version=champion_version,
        pipeline_run=pipeline_run,
        move_champion=move_champion,
        rules=promote.Rules(
            gates=settings.get("gates") or {}, floors=settings.get("floors") or {}, require_guard=require_guard
        ),
        models_uri=models_uri or None,
        first_service=first_service or None,
        tracking_uri=tracking_uri or None,
    )
    metrics.log_metric("promoted", float(verdict.promoted or False))
    for name, passed in verdict.outcomes.items():
        metrics.log_metric(name, passed)
    return NamedTuple("Outputs", [("verdict", dict)])(verdict.as_json())  # type: ignore[operator]  # KFP's form


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def close_run(
    status: dsl.PipelineTaskFinalStatus,
    pipeline_run: str,
    tracking_uri: str,
    rollout_service: str = "",
    rollout_namespace: str = "",
    models_uri: str = "",
    first_service: str = "",
) -> None:
    """Brings registry, object storage and MLflow in line, however the run ended; a pipeline's exit handler.

    Args:
        status: How the run ended; filled in by KFP.
        pipeline_run: Id under which the stages of a run find their MLflow run.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if empty.
        rollout_service: InferenceService whose rollout is ended or reconciled as well; none if empty.
        rollout_namespace: Where it is.
        models_uri: s3://bucket/folder that versions are served from; nothing is published there if empty.
        first_service: NAMESPACE/NAME of the InferenceService that is created where there is none yet; no service is
            created if empty.
    """
    from content_arena.components.promotion import close_run

    close_run.close_run(
        status.state,
        pipeline_run=pipeline_run,
        rollout_service=rollout_service or None,
        rollout_namespace=rollout_namespace or None,
        models_uri=models_uri or None,
        first_service=first_service or None,
        tracking_uri=tracking_uri or None,
    )
