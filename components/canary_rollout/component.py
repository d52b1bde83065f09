"""KFP component of the stage roll_out."""

from typing import Dict, List, NamedTuple  # noqa: UP035 - KFP's type parser

from kfp import dsl

from content_arena.components.shared.images import COMPONENT_IMAGE


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def roll_out(
    corpus: dsl.Input[dsl.Dataset],
    timeline: dsl.Output[dsl.HTML],
    history: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    verdict: dict,
    service: str,
    namespace: str,
    pipeline_run: str,
    lang: str = "en",
    steps: List[int] = [0, 1, 5, 25, 50, 100],  # noqa: B006, UP006
    bake_seconds: float = 300.0,
    min_requests: int = 400,
    approvals: List[int] = [],  # noqa: B006, UP006
    limits: Dict[str, float] = {},  # noqa: B006, UP006
    settings: dict = {},  # noqa: B006
    prometheus: str = "",
    metrics_port: int = 9102,
    models_uri: str = "",
    tracking_uri: str = "",
) -> NamedTuple("Outputs", [("rollout", dict)]):
    """Rolls a challenger that passed the gates out on KServe: promoted at 100 %, or taken back with the reason.

    Args:
        corpus: Its test texts are the probes.
        timeline: Page of the rollout: shares, figures against their bounds, verdicts, who approved.
        history: The same as one JSON a line.
        metrics: promoted (1 or 0) and the last share.
        verdict: Of promote_challenger.
        service: Name of the InferenceService.
        namespace: Where it is.
        pipeline_run: Id under which the stages of a run find their MLflow run.
        lang: ISO 639-1 code of the corpus.
        steps: Percentages of the users, rising from 0: the rehearsal that none of them meets.
        bake_seconds: How long each step is measured.
        min_requests: Answers to users that have to be judged at each step above 0.
        approvals: Steps that wait for a person.
        limits: Bounds other than the usual ones, such as {"p95_seconds": 0.8}.
        settings: Further knobs by section; [rollout] is read.
        prometheus: URL of a Prometheus that scrapes the pods; their own metrics if empty.
        metrics_port: Where Prometheus finds the rollout's own figures while it runs; nowhere if 0.
        models_uri: s3://bucket/folder that versions are served from; nothing is published there if empty.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if empty.

    Returns:
        rollout: version, phase, percent, reason.
    """
    from pathlib import Path
    from typing import NamedTuple

    from content_arena.components.canary_rollout import task

    done = task.roll_out_challenger(
        verdict,
        Path(timeline.path),
        Path(history.path),
        service=service,
        namespace=namespace,
        pipeline_run=pipeline_run,
        corpus=Path(corpus.path),
        lang=lang,
        steps=steps,
        bake_seconds=bake_seconds,
        min_requests=min_requests,
        approvals=approvals,
        limits=limits,
        settings=settings,
        prometheus=prometheus or None,
        metrics_port=metrics_port or None,
        models_uri=models_uri or None,
        tracking_uri=tracking_uri or None,
    )
    metrics.log_metric("promoted", float(done["phase"] == "promoted"))
    metrics.log_metric("percent", float(done["percent"]))
    return NamedTuple("Outputs", [("rollout", dict)])(done)
