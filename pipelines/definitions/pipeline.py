"""Makes a KFP pipeline from its parameters and its wiring."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

from kfp import dsl
from kfp.dsl.base_component import BaseComponent
from kfp.dsl.pipeline_channel import PipelineChannel

from content_arena.pipelines.definitions.parameters import Parameter
from content_arena.pipelines.definitions.placement import Placement

#: The value of a task's input: a parameter of the pipeline, an output of another task, or a constant.
Value: TypeAlias = PipelineChannel | str | int | float | bool | list[str] | list[int] | dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A pipeline before it is placed on a cluster.

    Attributes:
        name: Of the pipeline.
        title: What the dashboard calls it.
        description: What it does.
        parameters: Its parameters, in order.
        wire: Adds the tasks, from the values of the parameters by name.
    """

    name: str
    title: str
    description: str
    parameters: Sequence[Parameter]
    wire: Callable[[Placement, Mapping[str, Value]], None]


def build(definition: Definition, placement: Placement) -> BaseComponent:
    """The KFP pipeline.

    KFP reads parameters from a function's signature and their descriptions from its docstring. Both are made from the
    table of parameters here, so that pipelines that share a parameter share its description.

    Args:
        definition: Of the pipeline.
        placement: How its tasks are placed on a cluster; local runs use only the number of shards.
    """
    names = [parameter.name for parameter in definition.parameters]

    def function(*values: Value) -> None:
        definition.wire(placement, dict(zip(names, values, strict=True)))

    function.__name__ = definition.name
    described = "\n".join(f"    {parameter.name}: {parameter.description}" for parameter in definition.parameters)
    function.__doc__ = f"{definition.description}\n\nArgs:\n{described}\n"
    defaults = {"checkpoint_dir": placement.checkpoint_dir}
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                parameter.name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=defaults.get(parameter.name, parameter.default),
                annotation=parameter.type,
            )
            for parameter in definition.parameters
        ],
        return_annotation=None,
    )
    make = dsl.pipeline(name=definition.name, display_name=definition.title, description=definition.description)
    # For every setting of a task KFP looks up the source of every function on the stack: a new thread has a short one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        made: BaseComponent = thread.submit(make, function).result()
    return made
