"""The dry run of a start: its plan, every patch, and whether the API server would accept them. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from content_arena.components.canary_rollout.controller.beginning import (
    RolloutRequest,
    refuse_missing_runtime,
    refuse_old_kserve,
    refuse_unfinished,
    with_runtime_if_another,
)
from content_arena.components.canary_rollout.controller.goals import kept_by
from content_arena.components.canary_rollout.controller.options import ServiceRef
from content_arena.components.canary_rollout.controller.outlook import Outlook, Scene, outlook
from content_arena.components.canary_rollout.controller.record import RecordStore
from content_arena.components.canary_rollout.controller.registry import RolloutRegistry
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.measuring.config import MeasuringConfig
from content_arena.components.canary_rollout.plan.state import Stable, start
from content_arena.components.canary_rollout.traffic.dry_run import PlannedPatch, planned_patches, validated
from content_arena.components.canary_rollout.traffic.mover import Mover


@dataclass(frozen=True)
class DryRun:
    """What a rollout would do.

    Attributes:
        request: What would be rolled out.
        stable: What serves now.
        mode: Name of the way in which the service splits traffic.
        patches: Every patch, in order, with the API server's objection if it has one.
        outlook: How long it takes, and whether bounds and gates agree.
    """

    request: RolloutRequest
    stable: Stable
    mode: str
    patches: tuple[PlannedPatch, ...]
    outlook: Outlook

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "mode": self.mode,
            "version": self.request.challenger.version,
            "storage_uri": self.request.challenger.storage_uri,
            "runtime": self.request.challenger.runtime or None,
            "stable_version": self.stable.version,
            "parameters": self.request.parameters.as_dict(),
            "outlook": list(self.outlook.lines),
            "patches": [
                {"aim": one.goal.aim.value, "percent": one.goal.percent, "why": one.patch.why, "body": one.patch.body,
                 "objection": one.objection or None}
                for one in self.patches
            ],
        }  # fmt: skip


def dry_run(
    service_ref: ServiceRef, registry: RolloutRegistry, request: RolloutRequest, overrides: Mapping[str, Any]
) -> DryRun:
    """Checks everything that ``start`` checks, and has the API server validate every patch.

    Args:
        service_ref: The service.
        registry: Checks whether the version may be rolled out.
        request: What would be rolled out.
        overrides: Measuring settings.

    Raises:
        InputError: ``start`` would refuse.
        ClusterError: The API server would not accept a patch.
    """
    config = MeasuringConfig.of(overrides)
    cluster = KubernetesClient(service_ref.namespace, service_ref.context)
    mover = Mover(cluster, service_ref.service)
    view = mover.read()
    record = RecordStore(cluster, service_ref.service).read(view.service)
    refuse_unfinished(record)
    refuse_old_kserve(cluster, mover.mode, request)
    stable = mover.mode.stable(view, kept_by(record.state))
    request = with_runtime_if_another(request, stable, view.service)
    refuse_missing_runtime(cluster, request.challenger)
    challenger = request.challenger
    start("dry-run", challenger, stable, request.parameters, 0.0)
    registry.check(challenger.version, stable.version, request.override, dry_run=True)
    patches = planned_patches(mover.mode, view, stable, challenger, request.parameters)
    checked = tuple(validated(mover, view, patch) for patch in patches)
    found = outlook(Scene(service_ref, cluster, mover, stable), registry, request, config)
    return DryRun(request, stable, mover.mode.name, checked, found)
