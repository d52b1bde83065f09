"""What people should know as a rollout begins: how long it takes, whether bounds and gates agree, what is not set."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from content_arena.components.canary_rollout.analysis import gates
from content_arena.components.canary_rollout.analysis.bounds import Bounds
from content_arena.components.canary_rollout.analysis.checks import least_answers
from content_arena.components.canary_rollout.controller.beginning import RolloutRequest
from content_arena.components.canary_rollout.controller.options import ServiceRef
from content_arena.components.canary_rollout.controller.registry import RolloutRegistry
from content_arena.components.canary_rollout.kube.client import RolloutClient
from content_arena.components.canary_rollout.measuring.config import PROBE_TOKEN_VARIABLE, MeasuringConfig
from content_arena.components.canary_rollout.measuring.endpoints import variants
from content_arena.components.canary_rollout.plan.forecast import Forecast
from content_arena.components.canary_rollout.plan.state import Stable
from content_arena.components.canary_rollout.traffic.mover import Mover
from content_arena.components.shared.errors import ArenaError, RegistryError


@dataclass(frozen=True)
class Outlook:
    """What is known about a rollout before it begins.

    Attributes:
        forecast: How long it is measured; None if the rate of answers can not be told.
        lines: The same and more, for people.
    """

    forecast: Forecast | None
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """Where a rollout is to begin: the service in its cluster, and what serves there."""

    service_ref: ServiceRef
    client: RolloutClient
    mover: Mover
    stable: Stable


def outlook(scene: Scene, registry: RolloutRegistry, request: RolloutRequest, config: MeasuringConfig) -> Outlook:
    """Estimates the time from the live rate, and compares the bounds with the gates. Changes nothing.

    It takes some seconds. What can not be told is said in a line, and no error.

    Args:
        scene: Where.
        registry: Has the gates of the version.
        request: What is to be rolled out, and by which plan.
        config: How it is to be measured.
    """
    bounds, version = Bounds(config.limits, config.absolute_bounds), request.challenger.version
    forecast, lines = None, list[str]()
    try:
        forecast = _forecast(scene, request, config)
        lines += forecast.lines()
    except (ArenaError, OSError) as error:
        lines.append(f"how long it takes is not known: {error}")
    try:
        lines += gates.compared(bounds, version, registry.gate_figures(version))
    except RegistryError as error:
        lines.append(f"the bounds are not compared with the gates of version {version}: {error}")
    if not os.environ.get(PROBE_TOKEN_VARIABLE):
        lines.append(f"{PROBE_TOKEN_VARIABLE} is not set: only predictors of version 0.1.0 can be measured without it")
    return Outlook(forecast, tuple(lines))


def _forecast(scene: Scene, request: RolloutRequest, config: MeasuringConfig) -> Forecast:
    champion = variants(scene.mover.read(), scene.mover.mode, scene.stable, request.challenger).champion
    source = config.source(scene.service_ref.namespace, scene.service_ref.context, scene.client)
    return Forecast(request.parameters, source.rate(champion, time.time()), least_answers(config.limits))
