"""One generation of the loop: attack, label, train, compare, promote or refuse."""

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
    with dsl.ExitHandler(stages.close(), name="One generation"):
        attacked = stages.attack_champion()
        stages.challenge(attacked)


ARENA = pipeline.Definition(
    name="arena",
    title="Content Arena",
    description="Attacks the serving content filter, labels what came out, trains a challenger on it, compares both on "
    "held-out texts and promotes the challenger if every gate passes.",
    parameters=parameters.ARENA,
    wire=_wire,
)


def build(placement: Placement = Placement()) -> BaseComponent:  # noqa: B008 - frozen
    """The pipeline; see :func:`content_arena.pipelines.definitions.pipeline.build`."""
    return pipeline.build(ARENA, placement)
