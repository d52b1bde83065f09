"""What the cluster holds about a service and its rollouts, for a process that watches and never runs one.

Three objects are read, each by its name: the InferenceService, the record and the Lease. That is less than
:func:`~content_arena.components.canary_rollout.controller.status.status` reads, so the right to watch can be given to a
process that may not see routes, pods or Deployments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from content_arena.components.canary_rollout.controller.options import ServiceRef
from content_arena.components.canary_rollout.controller.record import RecordStore
from content_arena.components.canary_rollout.kube.client import Json, RolloutClient
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.kube.lease import lease_name
from content_arena.components.canary_rollout.plan.state import State
from content_arena.components.shared.errors import InputError


@dataclass(frozen=True)
class Observed:
    """A service and its last rollout at one moment.

    Attributes:
        service: Name of the InferenceService.
        exists: Whether there is such a service.
        conditions: ``status`` of each condition that KServe reports (True, False or Unknown), by type.
        state: The last rollout as recorded; None if there has been none.
        renewed_at: When the process that runs the rollout last renewed the Lease, by its own clock, in seconds since
            the epoch; None if no process holds it.
    """

    service: str
    exists: bool = False
    conditions: Mapping[str, str] = field(default_factory=dict)
    state: State | None = None
    renewed_at: float | None = None


class RolloutWatcher:
    """Reads one service again and again."""

    def __init__(self, service_ref: ServiceRef, client: RolloutClient | None = None) -> None:
        """Loads the configuration; sends no request.

        Args:
            service_ref: The service.
            client: Of its namespace; one for the API server that is configured, if None.

        Raises:
            InputError: No cluster is configured.
        """
        self._service = service_ref.service
        self._client = client or KubernetesClient(service_ref.namespace, service_ref.context)

    def read(self) -> Observed:
        """What is there now.

        Raises:
            StateError: The record cannot be read.
            ClusterError: The API server does not answer or refuses.
        """
        try:
            service = self._client.service(self._service)
        except InputError:
            # Before the first champion there is no service.
            return Observed(self._service)
        state = RecordStore(self._client, self._service).read(service).state
        lease = self._client.lease(lease_name(self._service))
        return Observed(self._service, True, _conditions(service), state, _renewed_at(lease))


def _conditions(service: Json) -> dict[str, str]:
    found = (service.get("status") or {}).get("conditions") or []
    return {str(one["type"]): str(one.get("status", "Unknown")) for one in found}


def _renewed_at(lease: Json | None) -> float | None:
    spec = (lease or {}).get("spec") or {}
    if not spec.get("holderIdentity") or not spec.get("renewTime"):
        return None
    return datetime.fromisoformat(spec["renewTime"]).timestamp()
