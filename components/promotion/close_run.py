"""The stage close_run, a pipeline's exit handler: makes registry, rollout and MLflow agree, however the run ended."""

from __future__ import annotations

from content_arena.components.promotion.first_service import serve_first
from content_arena.components.registry.publish import publish_after
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.sync import RegistrySync
from content_arena.components.shared.errors import ArenaError
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.stage import log, note, stage

STAGE = "close_run"
#: MLflow's status for each state of a KFP run. A run that a person terminated is still RUNNING when its exit handler
#: starts.
_MLFLOW_STATUS = {
    "SUCCEEDED": "FINISHED",
    "COMPLETE": "FINISHED",
    "FAILED": "FAILED",
    "RUNNING": "KILLED",
    # Documented by KFP, though no backend that was tested sends it.
    "CANCELLED": "KILLED",
}


@stage(STAGE)
def close_run(
    state: str,
    *,
    pipeline_run: str,
    rollout_service: str | None = None,
    rollout_namespace: str | None = None,
    models_uri: str | None = None,
    first_service: str | None = None,
    tracking_uri: str | None = None,
) -> list[str]:
    """Finishes what a killed stage may have left unfinished, and closes the run in MLflow.

    Only the run's status in MLflow depends on how the run ended: the registry is reconciled after a success too.

    Args:
        state: How the run ended: ``PipelineTaskFinalStatus.state``.
        pipeline_run: Id of the pipeline run.
        rollout_service: InferenceService whose rollout is reconciled as well; none if None.
        rollout_namespace: Where it is.
        models_uri: See :func:`content_arena.components.registry.publish.publish`.
        first_service: See :func:`content_arena.components.promotion.first_service.serve_first`.
        tracking_uri: MLflow server; the environment's if None.

    Returns:
        A line for each thing that was done; none when called again.
    """
    tracking = Tracking(tracking_uri, pipeline_run)
    registry = Registry(tracking_uri)
    done = registry.reconcile()
    if rollout_service and rollout_namespace:
        done += _reconcile_rollout(rollout_service, rollout_namespace, registry)
    done += publish_after(registry, models_uri)
    for line in done:
        log(STAGE, line)
    status = _MLFLOW_STATUS.get(state, "FAILED")
    tracking.finish(status)
    # After the run is closed: whatever the cluster answers cannot keep it open.
    created = serve_first(registry.aliases().get(Registry.CHAMPION), first_service)
    for line in created:
        note(STAGE, line)
    champion = registry.version_of(Registry.CHAMPION)
    log(STAGE, f"run {status.lower()}, champion is {'version ' + str(champion) if champion else 'none'}")
    return done + created


def _reconcile_rollout(service: str, namespace: str, registry: Registry) -> list[str]:
    """Ends a rollout that no process runs. An error is logged, and the run is closed all the same."""
    from content_arena.components.canary_rollout import launch

    try:
        with during("bringing the rollout in line"), launch.lines_to(lambda line: log(STAGE, line)):
            where = launch.ServiceRef(service, namespace)
            return launch.reconcile(where, RegistrySync(registry, str(where)))
    except ArenaError as error:
        log(STAGE, f"the rollout of {service} stays as it is: {error}")
        return []
