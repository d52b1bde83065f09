"""The use cases of a rollout, and the types that they take and return.

The command line, the pipeline's stage and its exit handler use this module and nothing below it.

| use case | what it does |
|---|---|
| ``start``, ``resume`` | run a rollout to its end, from the beginning or from its recorded state |
| ``undo`` | takes the last promotion back |
| ``keep`` | watches the version that a promotion has kept at 0 %, until its time is over |
| ``wait_until_serving`` | waits for a service that was just created |
| ``reconcile`` | bring registry, spec and traffic in line after a process was killed |
| ``dry_run`` | show what ``start`` would do |
| ``status``, ``watch`` | read a rollout once, or until its end |
| ``RolloutWatcher`` | read the record and the Lease alone, with few rights |
| ``approve``, ``abort`` | send a person's request to the process that runs the rollout |
"""

from __future__ import annotations

from content_arena.components.canary_rollout.analysis.limits import Limits
from content_arena.components.canary_rollout.controller.beginning import RolloutRequest, wait_until_serving
from content_arena.components.canary_rollout.controller.keeping import keep
from content_arena.components.canary_rollout.controller.observed import Observed, RolloutWatcher
from content_arena.components.canary_rollout.controller.options import RolloutArtifacts, RunOptions, ServiceRef
from content_arena.components.canary_rollout.controller.pace import Pace
from content_arena.components.canary_rollout.controller.preview import DryRun, dry_run
from content_arena.components.canary_rollout.controller.process import Stopped, resume, start
from content_arena.components.canary_rollout.controller.process import reconcile_service as reconcile
from content_arena.components.canary_rollout.controller.registry import NoRegistry, RolloutRegistry
from content_arena.components.canary_rollout.controller.status import (
    Abort,
    Approval,
    NoRollout,
    Status,
    abort,
    approve,
    status,
    watch,
)
from content_arena.components.canary_rollout.controller.undo import UndoRequest, undo
from content_arena.components.canary_rollout.kube.kubeconfig import is_in_pod
from content_arena.components.canary_rollout.log import lines_to
from content_arena.components.canary_rollout.measuring.config import PodAccess
from content_arena.components.canary_rollout.plan.gate import GateKind
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Phase, State

__all__ = [
    "Abort",
    "Approval",
    "Challenger",
    "DryRun",
    "GateKind",
    "Limits",
    "NoRegistry",
    "NoRollout",
    "Observed",
    "Pace",
    "Parameters",
    "Phase",
    "PodAccess",
    "RolloutArtifacts",
    "RolloutRegistry",
    "RolloutRequest",
    "RolloutWatcher",
    "RunOptions",
    "ServiceRef",
    "State",
    "Status",
    "Stopped",
    "UndoRequest",
    "abort",
    "approve",
    "dry_run",
    "is_in_pod",
    "keep",
    "lines_to",
    "reconcile",
    "resume",
    "start",
    "status",
    "undo",
    "wait_until_serving",
    "watch",
]
