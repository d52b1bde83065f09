"""The recurring pipeline: attacks the champion every time, and trains only if there is a reason."""

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
    with dsl.ExitHandler(stages.close(), name="Look, and retrain with a reason"):
        # With a cached corpus a recurring run would never notice new data.
        attacked = stages.attack_champion(use_cached_corpus=False)
        decision = stages.decide(attacked)
        with dsl.If(decision.outputs["retrain"] == True, name="With a reason"):  # noqa: E712 - KFP's comparison
            stages.challenge(attacked)


RETRAIN = pipeline.Definition(
    name="retrain",
    title="Content Arena: retrain",
    description="Attacks the serving content filter and, where the retraining policy finds a reason (evasion, age, a "
    "new corpus), trains and judges a challenger. Made for recurring runs.",
    parameters=parameters.RETRAIN,
    wire=_wire,
)


def build(placement: Placement = Placement()) -> BaseComponent:  # noqa: B008 - frozen
    """The pipeline; see :func:`content_arena.pipelines.definitions.pipeline.build`."""
    return pipeline.build(RETRAIN, placement)
