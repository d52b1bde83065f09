"""The interface of the Kubernetes API for a rollout, in one namespace, and its errors.

:class:`~content_arena.components.canary_rollout.kube.kubernetes_client.KubernetesClient` implements it for a real API
server, and the tests for a simulated one.
"""

from __future__ import annotations

from typing import Any, Protocol

from content_arena.components.shared.errors import ArenaError

#: An object as the API server sends it.
Json = dict[str, Any]
#: Name under which the API server's ``managedFields`` list the rollout's writes; the writes of others are edits.
FIELD_MANAGER = "content-arena-rollout"


class ClusterError(ArenaError):
    """The API server refused a request. The message is the server's own."""


class ConflictError(ClusterError):
    """The object changed since it was read. Read it again before the next write."""


class AwayError(ClusterError):
    """The API server is unavailable or overloaded. The same request may succeed later."""


class RolloutClient(Protocol):
    """All that a rollout needs of the API server, in one namespace.

    Every method raises :class:`AwayError` if the server does not answer, and :class:`ClusterError` if it refuses.
    """

    def service(self, name: str) -> Json:
        """Reads an InferenceService.

        Raises:
            InputError: There is no such service.
        """
        ...

    def patch_service(self, name: str, body: Json, resource_version: str, *, dry_run: bool = False) -> Json:
        """Applies a JSON merge patch to an InferenceService that was not written since it was read.

        Args:
            name: Name of the service.
            body: The patch.
            resource_version: ``metadata.resourceVersion`` of the service as it was read.
            dry_run: Validate the patch without storing the result.

        Returns:
            The service after the patch.

        Raises:
            ConflictError: The service was written in between.
            ClusterError: The API server or an admission webhook refuses the patch.
        """
        ...

    def config_map(self, name: str, namespace: str | None = None) -> Json | None:
        """Reads a ConfigMap; None if it does not exist.

        Args:
            name: Its name.
            namespace: Where it is; the client's own namespace if None.
        """
        ...

    def create_config_map(self, body: Json) -> Json:
        """Creates a ConfigMap.

        Raises:
            ConflictError: It exists.
        """
        ...

    def patch_config_map(self, name: str, body: Json, resource_version: str) -> Json:
        """Applies a merge patch to a ConfigMap that was not written since it was read; returns it after the patch.

        Raises:
            ConflictError: It was written in between.
        """
        ...

    def route(self, name: str) -> Json | None:
        """Reads an HTTPRoute; None if it does not exist or the cluster has no HTTPRoutes at all."""
        ...

    def ready_pods(self, service: str) -> dict[str, int]:
        """Number of ready pods of each Deployment of an InferenceService, by the Deployment's name."""
        ...

    def serving_runtimes(self, *, of_cluster: bool = False) -> list[str]:
        """Names of the ServingRuntimes here; empty if there are none.

        Args:
            of_cluster: List the ClusterServingRuntimes instead, which every namespace may use.
        """
        ...

    def autoscalers(self, service: str) -> dict[str, str]:
        """Name of the Deployment that each HorizontalPodAutoscaler of an InferenceService scales, by its own name."""
        ...

    def delete_autoscaler(self, name: str) -> None:
        """Deletes a HorizontalPodAutoscaler; does nothing if it does not exist."""
        ...

    def pods(self, labels: str) -> list[Json]:
        """Lists the pods that match a label selector."""
        ...

    def previous_logs(self, pod: str, container: str) -> str:
        """Last lines of a container's log: of its previous run, or of the current one if it never restarted.

        Empty if there is no log.
        """
        ...

    def lease(self, name: str) -> Json | None:
        """Reads a Lease; None if it does not exist."""
        ...

    def write_lease(self, body: Json) -> Json:
        """Creates a Lease, or replaces it if ``body`` has a resourceVersion.

        Raises:
            ConflictError: Another process created or wrote it first.
        """
        ...

    def create_event(self, body: Json) -> None:
        """Creates an Event."""
        ...

    def user(self) -> str:
        """Name of the user that the API server takes this process for; empty if it does not tell."""
        ...
