"""The stage roll_out: rolls out a challenger that passed its gates."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from content_arena.components.canary_rollout import launch
from content_arena.components.canary_rollout.controller.record import RecordStore
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.launch import (
    Challenger,
    Phase,
    RolloutArtifacts,
    RolloutRequest,
    RunOptions,
    ServiceRef,
    State,
    Stopped,
)
from content_arena.components.canary_rollout.settings import RolloutSettings
from content_arena.components.registry.publish import publish_after
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.sync import RegistrySync
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.stage import log, stage

STAGE = "roll_out"
_WITHOUT_SERVICE = (
    "--rollout NAMESPACE/SERVICE of `arena submit` and `arena compile` names another; where none serves the champion, "
    "--registry-only leaves the rollout out"
)
_NOT_PASSED = "the gates did not pass"


@dataclass(frozen=True)
class GateVerdict:
    """The part of promote_challenger's verdict that a rollout needs.

    Attributes:
        version: The challenger's.
        passed: Whether it passed every gate.
    """

    version: str
    passed: bool

    @classmethod
    def from_dict(cls, verdict: Mapping[str, Any]) -> GateVerdict:
        """Validates the document that promote_challenger wrote.

        Raises:
            InputError: Its version or its verdict is missing or of the wrong type.
        """
        version, passed = verdict.get("challenger_version"), verdict.get("passed")
        if not isinstance(version, str | int) or not isinstance(passed, bool):
            raise InputError(
                f"the verdict has challenger_version {version!r} and passed {passed!r}, wanted a version and true or "
                "false: is it the verdict of promote_challenger?"
            )
        return cls(str(version), passed)


@dataclass(frozen=True)
class RolloutJob:
    """Where and how the stage rolls out.

    Attributes:
        service: The InferenceService.
        settings: The plan, the bounds and the probes.
        corpus: Parquet whose test split the probes are drawn from; the embedded corpus if None.
        lang: ISO 639-1 code of the corpus.
        metrics_port: Port on which Prometheus finds the rollout's metrics; no metrics if None.
    """

    service: ServiceRef
    settings: RolloutSettings
    corpus: Path | None
    lang: str
    metrics_port: int | None = None

    def run_options(self, artifacts: RolloutArtifacts) -> RunOptions:
        """How the task's process runs the rollout."""
        overrides = self.settings.measuring_overrides | {"corpus": self.corpus, "lang": self.lang}
        return RunOptions(lambda name: artifacts, overrides, metrics_port=self.metrics_port)


@stage(STAGE)
def roll_out_challenger(
    verdict: Mapping[str, Any],
    artifacts: RolloutArtifacts,
    job: RolloutJob,
    *,
    pipeline_run: str,
    models_uri: str | None = None,
    tracking_uri: str | None = None,
) -> dict[str, Any]:
    """Rolls out a challenger that passed its gates. A task that was killed and is tried again resumes its rollout.

    A rollout of another version that a killed task left under way is run to its end first. It is withdrawn if its
    deadline is over.

    Args:
        verdict: Of promote_challenger.
        artifacts: Where to write the timeline page and the history.
        job: Where and how to roll out.
        pipeline_run: Id of the pipeline run.
        models_uri: See :func:`content_arena.components.registry.publish.publish`.
        tracking_uri: MLflow server; the environment's if None.

    Returns:
        version, phase, percent and reason; phase is ``refused`` if the gates did not pass. A rollback is a result and
        no failure, because Kubeflow Pipelines keeps no artifacts of a task that failed.

    Raises:
        InputError: The verdict cannot be read, or the version was never published for a cluster.
    """
    judged = GateVerdict.from_dict(verdict)
    if not judged.passed:
        return _refused(judged.version, artifacts)
    tracking, registry = Tracking(tracking_uri, pipeline_run), Registry(tracking_uri)
    with launch.lines_to(lambda line: log(STAGE, line)):
        state = _rolled_out(judged.version, registry, job, job.run_options(artifacts))
    artifacts.history.parent.mkdir(parents=True, exist_ok=True)
    artifacts.history.touch()
    for line in publish_after(registry, models_uri or None):
        log(STAGE, line)
    with launch.lines_to(lambda line: log(STAGE, line)):
        launch.keep(job.service, state, job.run_options(artifacts))
    tracking.log(STAGE, {"promoted": float(state.phase is Phase.PROMOTED), "percent": float(state.percent)})
    return {"version": judged.version, "phase": state.phase.value, "percent": state.percent, "reason": state.reason}


def _rolled_out(version: str, registry: Registry, job: RolloutJob, options: RunOptions) -> State:
    cluster, sync = KubernetesClient(job.service.namespace), RegistrySync(registry, str(job.service))
    try:
        service = cluster.service(job.service.service)
    except InputError as error:
        raise InputError(f"{error}: {_WITHOUT_SERVICE}") from error
    last = RecordStore(cluster, job.service.service).read(service).state
    try:
        if last is not None and last.challenger == version and not _is_begun_again(last):
            # If this version's rollout is over already, that returns its end.
            return launch.resume(job.service, sync, options)
        if last is not None and not last.phase.is_end and last.phase is not Phase.WAITING:
            log(STAGE, f"the rollout of version {last.challenger} was left {last.phase.value}: it is run to its end")
            launch.resume(job.service, sync, _apart(options))
        request = RolloutRequest(
            _challenger(registry, version, job.settings.runtime),
            job.settings.plan,
            kserve_version=job.settings.kserve_version,
        )
        if last is None:
            # The same pipeline may have created the service.
            launch.wait_until_serving(job.service, job.settings.start_seconds)
        return launch.start(job.service, sync, request, options)
    except Stopped as stopped:
        log(STAGE, str(stopped))
        sys.exit(130)


def _is_begun_again(last: State) -> bool:
    """Whether a rollout was withdrawn only because its process was killed, and its deadline is not over."""
    return last.phase is Phase.WITHDRAWN and last.is_abandoned and time.time() < last.deadline


def _apart(options: RunOptions) -> RunOptions:
    """The options for another version's rollout: it is judged as it began, and its page replaces no artifact."""

    def artifacts_for(name: str) -> RolloutArtifacts:
        own = options.artifacts_for(name)
        return RolloutArtifacts(own.history.with_name(f"{name}.jsonl"), own.timeline.with_name(f"{name}.html"))

    # Its own corpus was a file of the task that was killed.
    probes = {name: options.overrides[name] for name in ("corpus", "lang")}
    return replace(options, artifacts_for=artifacts_for, overrides=probes, metrics_port=None, leave_when_held=True)


def _refused(version: str, artifacts: RolloutArtifacts) -> dict[str, Any]:
    log(STAGE, f"version {version} did not pass the gates and is not rolled out")
    artifacts.timeline.parent.mkdir(parents=True, exist_ok=True)
    artifacts.timeline.write_text("<!doctype html><p>The gates did not pass: nothing was rolled out.</p>", "utf-8")
    artifacts.history.parent.mkdir(parents=True, exist_ok=True)
    artifacts.history.write_text("", "utf-8")
    return {"version": version, "phase": "refused", "percent": 0, "reason": _NOT_PASSED}


def _challenger(registry: Registry, version: str, runtime: str | None) -> Challenger:
    registered = registry.get(int(version))
    if not registered.storage_uri:
        raise InputError(f"version {version} was not published to object storage: give the pipeline a models_uri")
    return Challenger(version, registered.storage_uri, registered.digest, runtime or "")
