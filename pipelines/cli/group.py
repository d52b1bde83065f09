"""Turns the errors of commands into one line on standard error, an exit code and, with ``--json``, an object."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator

import typer
from typer.core import TyperCommand, TyperGroup

from content_arena.components.shared.errors import ArenaError
from content_arena.components.shared.library_errors import LibraryError, explained, reason
from content_arena.pipelines.cli import error_log

#: An option that does not exist, a value out of range, a missing argument. Typer exports only this subclass of it.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
#: What ends a command as it should, or is the way of Typer and the shell to end it.
_PASSING: tuple[type[Exception], ...] = (typer.Exit, typer.Abort, BrokenPipeError, typer.BadParameter.__mro__[2])
_AS_JSON = "content_arena.as_json"
#: Exit code of a command that Ctrl-C stopped.
STOPPED = 130


class ArenaGroup(TyperGroup):
    """The commands of ``arena``; the one place where errors become lines and exit codes."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Reads the options of the program itself."""
        ctx.meta[_AS_JSON] = "--json" in args
        with _reported(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Runs a command."""
        with _reported(ctx):
            return super().invoke(ctx)


class RenamedOptions(TyperCommand):
    """A command with options that had another name in the last release; the old name works, with a warning."""

    renamed = {"--rounds": "--budget"}  # noqa: RUF012 - constant

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Reads the options of the command, old names as the new ones."""
        return super().parse_args(ctx, [self._present(argument) for argument in args])

    def _present(self, argument: str) -> str:
        name, equals, value = argument.partition("=")
        if name not in self.renamed:
            return argument
        print(f"arena: {name} is deprecated, use {self.renamed[name]}", file=sys.stderr)
        return f"{self.renamed[name]}{equals}{value}"


@contextlib.contextmanager
def _reported(ctx: typer.Context) -> Iterator[None]:
    try:
        yield
    except _UsageError as error:
        # Typer writes the line for people.
        _write_json(ctx, error.format_message())  # type: ignore[attr-defined]
        raise
    except _PASSING:
        raise
    except Exception as error:
        known = _known(error, ctx)
        _write_json(ctx, str(known))
        print(f"arena: {known}", file=sys.stderr)
        raise typer.Exit(known.exit_code) from None
    except KeyboardInterrupt as stop:
        message = "; ".join(["stopped", *map(str, stop.args)])
        _write_json(ctx, message)
        print(f"arena: {message}", file=sys.stderr)
        raise typer.Exit(STOPPED) from None


def _known(error: Exception, ctx: typer.Context) -> ArenaError:
    """The error in one line. The traceback of what a library raised, or of a mistake in this code, goes into a log."""
    if isinstance(error, ArenaError) and not isinstance(error, LibraryError):
        return error
    command = f"arena {ctx.invoked_subcommand or ''}".rstrip()
    known = error if isinstance(error, LibraryError) else explained(error, command)
    line = known or f"{command} broke down by a mistake in it: {reason(error)}"
    path = error_log.keep(error)
    where = f"; the traceback is in {path}" if path else ""
    return ArenaError(" ".join(f"{line}{where}".split()))


def _write_json(ctx: typer.Context, message: str) -> None:
    if ctx.meta.get(_AS_JSON):
        print(json.dumps({"error": message}))
