"""Where commands write, and how they end: results to standard output, everything else to standard error."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from rich.console import Console

from content_arena.components.shared.errors import ArenaError

out = Console()
err = Console(stderr=True)
Command = TypeVar("Command", bound=Callable[..., None])


def says_errors(command: Command) -> Command:
    """Turns an ArenaError into one line and its exit code; with ``--json`` standard output gets an object as well."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        try:
            command(*args, **kwargs)
        except ArenaError as error:
            if kwargs.get("as_json"):
                print(json.dumps({"error": str(error)}))
            print(f"arena: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            print("arena: stopped; the next `arena run` trains on from the last checkpoint", file=sys.stderr)
            raise typer.Exit(130) from None

    return run  # type: ignore[return-value]


def tell(line: str) -> None:
    """One line on how it goes, for people."""
    err.print(line, highlight=False, soft_wrap=True, markup=False)


def said(answer: dict[str, Any], text: str, as_json: bool) -> None:
    """What came of a command: for programs or for people."""
    if as_json:
        print(json.dumps(answer))
    else:
        out.print(text, highlight=False, soft_wrap=True, markup=False)
