"""The settings of a rollout: its plan, the bounds, and the probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from content_arena.components.canary_rollout.analysis.limits import Limits
from content_arena.components.canary_rollout.measuring.config import MeasuringConfig
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.shared import settings
from content_arena.components.shared.errors import InputError


@dataclass(frozen=True)
class RolloutSettings(Parameters):
    """The plan of a rollout, and what both variants are measured with.

    Attributes:
        limits: Bounds that differ from their defaults, by name.
        absolute_bounds: Whether the limits hold whatever the champion's figures are. Otherwise a figure may be as bad
            as the champion's and its margin.
        prometheus: URL of a Prometheus that scrapes the pods; their own metrics if None.
        probe_texts: Texts of each label that each variant is attacked with.
        probe_budget: Queries an attack may spend on each text.
        kserve_version: KServe's version, such as 0.21, where its configuration can not be read; as that tells if None.
        runtime: ServingRuntime that a challenger runs by, and all of the service after its promotion; that of what
            serves if None.
    """

    SECTION: ClassVar[str] = "rollout"
    limits: Mapping[str, float] = field(default_factory=dict)
    prometheus: str | None = None
    probe_texts: int = MeasuringConfig.texts_per_label
    probe_budget: int = MeasuringConfig.budget
    kserve_version: str | None = None
    runtime: str | None = None
    absolute_bounds: bool = False

    def __post_init__(self) -> None:
        """Checks all values."""
        super().__post_init__()
        for name, value in settings.check(Limits, "rollout.limits", self.limits).items():
            if value < 0:
                raise InputError(f"limit {name} is {value}, it has to be 0 or more")
        for name in ("probe_texts", "probe_budget"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, it has to be at least 1")

    @property
    def plan(self) -> Parameters:
        """The plan alone."""
        return Parameters(**{setting.name: getattr(self, setting.name) for setting in fields(Parameters)})

    @property
    def measuring_overrides(self) -> dict[str, Any]:
        """What differs from the defaults of :class:`MeasuringConfig`, by its names."""
        found: dict[str, Any] = {"limits": dict(self.limits)}
        for name, value in (
            ("prometheus", self.prometheus),
            ("texts_per_label", self.probe_texts),
            ("budget", self.probe_budget),
            ("absolute_bounds", self.absolute_bounds),
        ):
            if value != getattr(MeasuringConfig, name):
                found[name] = value
        return found
