"""The stage roll_out as a pipeline's task: what passed the gates meets users, what did not ends here."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from content_arena.components.canary_rollout.controller.annotations import recorded
from content_arena.components.canary_rollout.kube.client import Cluster
from content_arena.components.canary_rollout.launch import (
    RolloutArtifacts,
    RolloutRequest,
    ServiceRef,
    Stopped,
    roll_out,
)
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Phase
from content_arena.components.canary_rollout.settings import RolloutSettings
from content_arena.components.registry.publish import publish_after
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.sync import RegistrySync
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.settings import Document, make
from content_arena.components.shared.stage import log, stage
from content_arena.components.shared.tracking import Tracking

STAGE = "roll_out"


@stage(STAGE)
def roll_out_challenger(
    verdict: Mapping[str, Any],
    timeline_path: Path,
    history_path: Path,
    *,
    service: str,
    namespace: str,
    pipeline_run: str,
    corpus: Path | None = None,
    lang: str = "en",
    steps: Sequence[int] = Parameters.steps,
    bake_seconds: float = Parameters.bake_seconds,
    min_requests: int = Parameters.min_requests,
    approvals: Sequence[int] = (),
    limits: Mapping[str, float] | None = None,
    settings: Document | None = None,
    prometheus: str | None = None,
    metrics_port: int | None = None,
    models_uri: str | None = None,
    tracking_uri: str | None = None,
) -> dict[str, Any]:
    """Rolls out what passed the gates; a task that was killed and is tried again goes on where it was.

    Args:
        verdict: Of promote_challenger.
        timeline_path: Where to write the page of the rollout.
        history_path: Where its records go.
        service: Name of the InferenceService.
        namespace: Where it is.
        pipeline_run: Id of the pipeline run.
        corpus: Parquet whose test split the probes are drawn from.
        lang: ISO 639-1 code of the corpus.
        steps: Percentages, rising from 0.
        bake_seconds: How long each step is measured.
        min_requests: Answers to users that have to be judged at each step above 0.
        approvals: Steps that wait for a person.
        limits: Bounds other than the usual ones; see ``Limits`` in ``analysis.checks``.
        settings: Further knobs by section; [rollout] is read.
        prometheus: URL of a Prometheus; the pods' own metrics if None.
        metrics_port: Where Prometheus finds the rollout's own figures; nowhere if None.
        models_uri: See :func:`content_arena.components.registry.publish.publish`.
        tracking_uri: MLflow server; the environment's if None.

    Returns:
        version, phase, percent, reason; phase is ``refused`` where the gates did not pass. A rollback is an answer and
        no failure: Kubeflow Pipelines keeps no page of a task that failed.
    """
    version = str(verdict["challenger_version"])
    knobs = make(
        RolloutSettings,
        settings,
        steps=tuple(steps),
        bake_seconds=bake_seconds,
        min_requests=min_requests,
        approvals=tuple(approvals),
        limits=limits or {},
        prometheus=prometheus,
    )
    if not verdict.get("passed"):
        log(STAGE, f"version {version} did not pass the gates, no user meets it")
        timeline_path.parent.mkdir(parents=True, exist_ok=True)
        timeline_path.write_text("<!doctype html><p>The gates did not pass: nothing was rolled out.</p>", "utf-8")
        history_path.parent.mkdir(parents=True, exist_ok=True)
        history_path.write_text("", "utf-8")
        return {"version": version, "phase": "refused", "percent": 0, "reason": "the gates did not pass"}
    tracking, registry = Tracking(tracking_uri, pipeline_run), Registry(tracking_uri)
    service_ref = ServiceRef(service, namespace)
    last = recorded(Cluster(namespace).service(service))
    rollout_request = None
    # One that is over is not begun again: a task that is tried again answers what came of it.
    if last is None or last.challenger != version:
        rollout_request = RolloutRequest(Challenger(version, _bundle_of(registry, version)), knobs.plan)
    overrides = knobs.measuring_overrides | {"corpus": corpus, "lang": lang}
    try:
        state = roll_out(
            service_ref,
            RegistrySync(registry),
            overrides,
            rollout_request,
            say=lambda line: log(STAGE, line),
            artifacts_for=lambda name: RolloutArtifacts(history_path, timeline_path),
            metrics_port=metrics_port,
        )
    except Stopped as stopped:
        log(STAGE, str(stopped))
        sys.exit(130)
    history_path.parent.mkdir(parents=True, exist_ok=True)
    history_path.touch()
    for line in publish_after(registry, models_uri or None):
        log(STAGE, line)
    tracking.log(STAGE, {"promoted": float(state.phase is Phase.PROMOTED), "percent": float(state.percent)})
    return {"version": version, "phase": state.phase.value, "percent": state.percent, "reason": state.reason}


def _bundle_of(registry: Registry, version: str) -> str:
    uri = registry.get(int(version)).tags.get(Registry.STORAGE_URI)
    if not uri:
        raise InputError(
            f"version {version} was not published where a cluster could load it from: give the pipeline a models_uri"
        )
    return uri
