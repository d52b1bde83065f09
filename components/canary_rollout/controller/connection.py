"""A service in its cluster, as the use cases of a rollout reach it."""

from __future__ import annotations

from dataclasses import dataclass

from content_arena.components.canary_rollout.controller.options import ServiceRef
from content_arena.components.canary_rollout.controller.record import Record, RecordStore
from content_arena.components.canary_rollout.kube.client import RolloutClient
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.traffic.leftovers import remove_autoscalers
from content_arena.components.canary_rollout.traffic.mover import Mover
from content_arena.components.canary_rollout.traffic.standard import Standard


@dataclass(frozen=True)
class Connection:
    """A service in its cluster.

    Attributes:
        service_ref: The service.
        cluster: Where it is.
        mover: Moves its traffic.
    """

    service_ref: ServiceRef
    cluster: RolloutClient
    mover: Mover

    @classmethod
    def to(cls, service_ref: ServiceRef, settle_seconds: float) -> Connection:
        """Connects to a service.

        Raises:
            InputError: There is no such service, or its mode has no canaries.
        """
        cluster = KubernetesClient(service_ref.namespace, service_ref.context)
        return cls(service_ref, cluster, Mover(cluster, service_ref.service, settle_seconds))

    @property
    def records(self) -> RecordStore:
        """The records of the service's rollouts."""
        return RecordStore(self.cluster, self.service_ref.service)

    def record(self) -> Record:
        """The record as it is now."""
        return self.records.read(self.mover.read().service)

    def clean_up(self) -> list[str]:
        """Removes what KServe leaves behind after a rollout; returns a line for each thing that was removed."""
        if self.mover.mode.name != Standard.name:
            return []
        removed = remove_autoscalers(self.cluster, self.service_ref.service)
        return [f"the autoscaler {name}, which KServe left behind, is removed" for name in removed]
