"""Options in groups: a command takes a dataclass where it would take each of its fields as an option."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Lets typer see the fields of a command's dataclass parameters as options of the command.

    A field's type is ``Annotated[TYPE, typer.Option(...)]``, as a parameter's would be. Its default is the option's.

    Args:
        command: Its annotations have to be names of the module's top level.
    """
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, type] = {}
    options: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if isinstance(parameter.annotation, type) and dataclasses.is_dataclass(parameter.annotation):
            groups[parameter.name] = parameter.annotation
            options += _options(parameter.annotation)
        else:
            options.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def run(**given: object) -> None:
        made = {
            name: group(
                **{field.name: given.pop(field.name) for field in dataclasses.fields(group) if field.name in given}
            )
            for name, group in groups.items()
        }
        command(**made, **given)

    run.__signature__ = signature.replace(parameters=options)  # type: ignore[attr-defined]
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run


def _options(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    options = []
    for field in dataclasses.fields(group):
        default = inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        options.append(
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name])
        )
    return options
