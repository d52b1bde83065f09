"""Autoscalers that KServe leaves behind in Standard mode.

KServe deletes the Deployment of a withdrawn canary or of a replaced stable, and not its HorizontalPodAutoscaler, which
then reports an error for ever.
"""

from __future__ import annotations

from content_arena.components.canary_rollout.kube.client import ClusterError, RolloutClient
from content_arena.components.canary_rollout.log import LOG


def remove_autoscalers(client: RolloutClient, service: str) -> list[str]:
    """Deletes the autoscalers of a service whose Deployments do not exist any more.

    It may be repeated. What the API server refuses is logged: it does no harm to the service.

    Args:
        client: Of the service's namespace.
        service: Name of the InferenceService.

    Returns:
        Names of the autoscalers that were deleted.
    """
    removed = []
    try:
        # In this order: KServe makes the Deployment first, so a new autoscaler has one.
        scaled = client.autoscalers(service)
        deployments = client.ready_pods(service) if scaled else {}
        for name, deployment in scaled.items():
            if deployment not in deployments:
                client.delete_autoscaler(name)
                removed.append(name)
    except ClusterError as error:
        LOG.warning("autoscalers that KServe left behind stay: %s", error)
    return removed
