"""Reads the settings of a stage: a frozen dataclass from one section of a settings document.

A settings document maps the name of a section to the values in it, as a TOML file or a pipeline's ``settings``
parameter holds them. Every setting is declared once, as a field of a dataclass, with its default.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, ClassVar, Protocol, TypeVar

from content_arena.components.shared.errors import InputError
from content_arena.components.shared.stage import stage


class HasSection(Protocol):
    """A frozen dataclass of settings: a default for every setting, and the name of its section in a document."""

    SECTION: ClassVar[str]


Settings = TypeVar("Settings", bound=HasSection)
Document = Mapping[str, Mapping[str, object]]
_WORDS: dict[object, str] = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def read(stage_name: str, kind: type[Settings], document: Document | None, **named: object) -> Settings:
    """The settings of a stage; a setting that cannot be used ends the stage with one error line.

    Args:
        stage_name: Of the stage, for its log.
        kind: The settings to make.
        document: The settings document; only one section of it is read. None for the defaults.
        named: Settings that have a parameter of their own: they can be set only there, not in the document.
    """
    return stage(stage_name)(make)(kind, document, **named)


def make(kind: type[Settings], document: Document | None, **named: object) -> Settings:
    """Settings from their section of a document.

    Args:
        kind: The settings to make.
        document: See :func:`read`.
        named: See :func:`read`.

    Raises:
        InputError: An unknown name, a value of the wrong type or out of range, or a name that has a parameter of its
            own.
    """
    given = (document or {}).get(kind.SECTION, {})
    if not isinstance(given, Mapping):
        raise InputError(f"settings: [{kind.SECTION}] is {given!r}, wanted names and values")
    twice = sorted(set(given) & set(named))
    if twice:
        raise InputError(f"settings: [{kind.SECTION}] {', '.join(twice)}: set the parameter of this name instead")
    try:
        values = check(kind, kind.SECTION, given, without=named)
    except InputError as error:
        raise InputError(f"settings: {error}") from error
    return kind(**values, **named)


def check(
    kind: type[Any], section: str, given: Mapping[str, object], *, without: Collection[str] = ()
) -> dict[str, Any]:
    """The values of a section, each of the type that its field declares.

    Args:
        kind: The dataclass that declares the settings.
        section: Name of the section, for messages.
        given: Values by name.
        without: Fields that the section cannot set.

    Raises:
        InputError: An unknown name, or a value of the wrong type; the message lists the known names.
    """
    types_by_name = typing.get_type_hints(kind)
    known = [field.name for field in fields(kind) if field.init and field.name not in without]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InputError(f"[{section}] has no {', '.join(unknown)}; there is: {', '.join(known)}")
    return {name: _converted(f"[{section}] {name}", value, types_by_name[name]) for name, value in given.items()}


def _converted(name: str, value: object, wanted: object) -> object:
    if typing.get_origin(wanted) in (types.UnionType, typing.Union):
        # Only "T | None" occurs; in a document, None is a name that is left out.
        (wanted,) = (part for part in typing.get_args(wanted) if part is not types.NoneType)
    if typing.get_origin(wanted) is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{name} is {value!r}, wanted a list")
        return tuple(_converted(name, item, typing.get_args(wanted)[0]) for item in value)
    if typing.get_origin(wanted) is Mapping:
        if not isinstance(value, Mapping):
            raise InputError(f"{name} is {value!r}, wanted names and values")
        return {key: _converted(f"{name}.{key}", item, typing.get_args(wanted)[1]) for key, item in value.items()}
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if wanted is float and number:
        return float(typing.cast("float", value))
    # Kubeflow Pipelines hands every number in a dict over as a double.
    if wanted is int and number and float(typing.cast("float", value)).is_integer():
        return int(typing.cast("float", value))
    if wanted in (str, bool) and type(value) is wanted:
        return value
    raise InputError(f"{name} is {value!r}, wanted {_WORDS.get(wanted, getattr(wanted, '__name__', wanted))}")
