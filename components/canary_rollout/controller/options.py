"""Arguments of the use cases: the service, how a process runs a rollout, and the files that it writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from content_arena.components.canary_rollout.controller.pace import Pace


@dataclass(frozen=True)
class ServiceRef:
    """A reference to an InferenceService.

    Attributes:
        service: Name of the InferenceService.
        namespace: Its namespace.
        context: Context of the kubeconfig; its current one, or the pod's own account, if None.
    """

    service: str
    namespace: str
    context: str | None = None

    def __str__(self) -> str:
        """``NAMESPACE/SERVICE``, by which the registry knows it."""
        return f"{self.namespace}/{self.service}"


@dataclass(frozen=True)
class RolloutArtifacts:
    """The files of a rollout.

    Attributes:
        history: Its records as JSON Lines.
        timeline: The HTML page made of them, written whenever a process stops running the rollout.
    """

    history: Path
    timeline: Path


@dataclass(frozen=True)
class RunOptions:
    """How a process runs a rollout.

    Attributes:
        artifacts_for: The files of a rollout by its name.
        overrides: Measuring settings that differ from the recorded config or the defaults; see
            :meth:`~content_arena.components.canary_rollout.measuring.config.MeasuringConfig.of`.
        pace: How often the loop runs, and how long it waits for the API server.
        settle_seconds: How long a gateway may take to apply a new route.
        metrics_port: Port on which Prometheus finds the rollout's metrics while the process runs; None for no metrics.
        leave_when_held: Whether to return as soon as the rollout waits for a person.
    """

    artifacts_for: Callable[[str], RolloutArtifacts]
    overrides: Mapping[str, Any] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)
    settle_seconds: float = 5.0
    metrics_port: int | None = None
    leave_when_held: bool = False
