"""KFP component of the stage roll_out."""

from typing import Any, Dict, List, NamedTuple  # noqa: UP035 - KFP's type parser

from kfp import dsl

from content_arena.components.shared.images import COMPONENT_IMAGE


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def roll_out(
    corpus: dsl.Input[dsl.Dataset],
    timeline: dsl.Output[dsl.HTML],
    history: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    verdict: Dict[str, Any],  # noqa: UP006
    service: str,
    namespace: str,
    pipeline_run: str,
    lang: str,
    steps: List[int],  # noqa: UP006
    bake_seconds: float,
    min_requests: int,
    approvals: List[int],  # noqa: UP006
    limits: Dict[str, float],  # noqa: UP006
    prometheus: str,
    runtime: str,
    settings: Dict[str, Any],  # noqa: UP006
    models_uri: str,
    tracking_uri: str,
    metrics_port: int = 9102,
) -> NamedTuple("Outputs", [("rollout", dict)]):  # type: ignore[valid-type]  # KFP reads the outputs here
    """Rolls a challenger that passed the gates out on KServe; it ends promoted, or rolled back with the reason.

    Args:
        corpus: Its test texts are the probes.
        timeline: Page of the rollout: shares, figures against their bounds, verdicts, who approved.
        history: The records of the rollout as JSON Lines.
        metrics: promoted (1 or 0) and the last share.
        verdict: Of promote_challenger.
        service: Name of the InferenceService.
        namespace: Where it is.
        pipeline_run: Id under which the stages of a run find their MLflow run.
        lang: ISO 639-1 code of the corpus.
        steps: Percentages of the users, rising from 0: the staging step without users.
        bake_seconds: How long each step is measured.
        min_requests: Answers to users that have to be judged at each step above 0.
        approvals: Steps that wait for a person.
        limits: Bounds that differ from their defaults, such as {"p95_seconds": 0.8}.
        prometheus: URL of a Prometheus that scrapes the pods; their own metrics if empty.
        runtime: ServingRuntime that the challenger runs by; that of what serves if empty.
        settings: Further settings by section; [rollout] is read.
        models_uri: s3://bucket/folder that versions are served from; nothing is published there if empty.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if empty.
        metrics_port: Port on which Prometheus finds the rollout's metrics while it runs; no metrics if 0.

    Returns:
        rollout: version, phase, percent, reason.
    """
    from pathlib import Path
    from typing import NamedTuple

    from content_arena.components.canary_rollout import launch, task
    from content_arena.components.canary_rollout.settings import RolloutSettings
    from content_arena.components.shared.settings import read

    done = task.roll_out_challenger(
        verdict,
        launch.RolloutArtifacts(Path(history.path), Path(timeline.path)),
        task.RolloutJob(
            launch.ServiceRef(service, namespace),
            read(
                "roll_out",
                RolloutSettings,
                settings,
                steps=tuple(steps),
                bake_seconds=float(bake_seconds),
                min_requests=int(min_requests),
                approvals=tuple(approvals),
                limits=limits,
                prometheus=prometheus or None,
                runtime=runtime or None,
            ),
            Path(corpus.path),
            lang,
            metrics_port or None,
        ),
        pipeline_run=pipeline_run,
        models_uri=models_uri or None,
        tracking_uri=tracking_uri or None,
    )
    metrics.log_metric("promoted", float(done["phase"] == "promoted"))
    metrics.log_metric("percent", float(done["percent"]))
    return NamedTuple("Outputs", [("rollout", dict)])(done)  # type: ignore[operator]  # KFP's form
