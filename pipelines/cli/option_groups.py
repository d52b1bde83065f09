"""Options as dataclasses: commands that share a group of options share one declaration of it.

Typer reads the options of a command from the signature of its function. :func:`grouped` shows typer a signature in
which a parameter that is a dataclass is replaced by the fields of the dataclass.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters that are dataclasses are given field by field.

    Args:
        command: Takes dataclasses beside ordinary options; no name may occur twice.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if is_dataclass(kind) and isinstance(kind, type)}

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - what a wrapped function takes is not known here
        for name, kind in groups.items():
            own = {knob.name for knob in fields(kind)} & set(kwargs)
            kwargs[name] = kind(**{knob: kwargs.pop(knob) for knob in own})
        command(*args, **kwargs)

    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            parameters += _fields(groups[parameter.name])
        else:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))
    # Options are given by name, so that one without a default may follow one with a default.
    named = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    run.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in named}
    return run


def _fields(kind: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for knob in fields(kind):
        default = knob.default if knob.default_factory is MISSING else knob.default_factory()
        default = inspect.Parameter.empty if default is MISSING else default
        found.append(
            inspect.Parameter(knob.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[knob.name])
        )
    return found
