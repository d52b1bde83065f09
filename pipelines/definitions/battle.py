"""Red team only: prepares a corpus and attacks a filter; trains nothing."""

from __future__ import annotations

from collections.abc import Mapping

from kfp import dsl
from kfp.dsl.base_component import BaseComponent

from content_arena.pipelines.definitions import parameters, pipeline
from content_arena.pipelines.definitions.pipeline import Value
from content_arena.pipelines.definitions.placement import Placement
from content_arena.pipelines.definitions.stages import Stages


def _wire(placement: Placement, given: Mapping[str, Value]) -> None:
    stages = Stages.of(placement, given)
    with dsl.ExitHandler(stages.close(), name="One battle"):
        stages.battle(stages.prepare(), given["victim"], for_training=False)


BATTLE = pipeline.Definition(
    name="battle",
    title="Content Arena: battle",
    description="Attacks a content filter with every evasion strategy and reports what gets through; trains nothing.",
    parameters=parameters.BATTLE,
    wire=_wire,
)


def build(placement: Placement = Placement()) -> BaseComponent:  # noqa: B008 - frozen
    """The pipeline; see :func:`content_arena.pipelines.definitions.pipeline.build`."""
    return pipeline.build(BATTLE, placement)
