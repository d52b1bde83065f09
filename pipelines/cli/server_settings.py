"""The settings of the server as options of ``arena serve``: those that its own command line has, by the same names."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from content_arena.components.predictor.arguments import SETTINGS, Setting


def takes_server_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command an option for each setting; it gets their values by keyword, in ``**settings``."""
    signature = inspect.signature(command, eval_str=True)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    added = [_option(setting) for setting in SETTINGS]
    command.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    return command


def _option(setting: Setting) -> inspect.Parameter:
    kind: Any = bool
    how: dict[str, Any] = {"help": f"{setting.help}."}
    if setting.metavar is not None:
        kind, how = Any, how | {"metavar": setting.metavar, "envvar": setting.variable, "show_envvar": False}
        how |= {"parser": _parser(setting), "show_default": setting.variable is None}
    option = typer.Option(f"--{setting.name.replace('_', '-')}", **how)
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=setting.default, annotation=Annotated[kind, option]
    )


def _parser(setting: Setting) -> Callable[[object], object]:
    """Reads a value; typer has the default, which is one already, read as well."""

    def parse(written: object) -> object:
        if not isinstance(written, str):
            return written
        try:
            return setting.read(written)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return parse
