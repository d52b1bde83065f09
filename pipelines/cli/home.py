"""``arena home``: what the arena keeps on this machine, and making room."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.filesize import decimal
from rich.table import Table

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli import console
from content_arena.pipelines.cli.console import out
from content_arena.pipelines.cli.options import AsJson
from content_arena.pipelines.execution.home import ArenaHome

if TYPE_CHECKING:
    from content_arena.pipelines.execution.home_contents import Holding

home = typer.Typer(
    name="home",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    home.callback(invoke_without_command=True)(show)
    home.command()(clean)
    app.add_typer(home)


def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what $ARENA_HOME holds and what of it can go. `arena home clean` removes that.

    A bundle can go if no alias names its version and it never served. Runs can go but the newest, checkpoints once they
    are a week old, converted base models, which are converted again when they are needed, and what killed processes
    left, such as piped texts. Figures, verdicts, reports, labelled attacks and regression suites stay. Bundles without
    a version stay as long as the registry does not find the bundle of a version that serves, served, or was evaluated
    last.
    """
    if context.invoked_subcommand is not None:
        return
    from content_arena.pipelines.execution import home_contents

    here = _existing()
    holdings = home_contents.survey(here)
    if as_json:
        print(json.dumps(_document(here, holdings)))
        return
    out.print(_table(here, holdings))
    room = _size([holding for holding in holdings if not holding.stays])
    console.status(f"`arena home clean` frees {decimal(room)}" if room else "nothing can go")


def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what can go: see `arena home`. Refused while a run is under way."""
    from content_arena.pipelines.execution import home_contents

    here = _existing()
    with here.exclusive():
        if dry_run:
            removed = [holding for holding in home_contents.survey(here) if not holding.stays]
        else:
            removed = home_contents.clean(here)
    if as_json:
        print(json.dumps(_document(here, removed) | {"dry_run": dry_run}))
        return
    for holding in removed:
        line = f"{decimal(holding.n_bytes):>9}  {holding.path}"
        out.print(line, highlight=False, soft_wrap=True)
    freed = decimal(_size(removed))
    console.status(f"{freed} would be free" if dry_run else f"{freed} freed")


def _existing() -> ArenaHome:
    here = ArenaHome.from_environment()
    if not here.path.is_dir():
        raise InputError(f"there is no arena in {here.path}: `arena run` makes one, ARENA_HOME names another place")
    return here


def _document(here: ArenaHome, holdings: Sequence[Holding]) -> dict[str, Any]:
    return {
        "home": str(here.path),
        "bytes": _size(holdings),
        "removable_bytes": _size([holding for holding in holdings if not holding.stays]),
        "holdings": [
            {
                "kind": holding.kind,
                "path": str(holding.path),
                "bytes": holding.n_bytes,
                "removable": not holding.stays,
                "stays": holding.stays or None,
                "version": holding.version,
            }
            for holding in holdings
        ],
    }


def _table(here: ArenaHome, holdings: Sequence[Holding]) -> Table:
    """A row for each kind of thing, the largest first."""
    kinds: dict[str, list[Holding]] = defaultdict(list)
    for holding in holdings:
        kinds[holding.kind].append(holding)
    table = Table(title=str(here.path), title_justify="left")
    table.add_column("what")
    for column in ("number", "size", "can go"):
        table.add_column(column, justify="right")
    for kind, group in sorted(kinds.items(), key=lambda entry: -_size(entry[1])):
        removable = _size([holding for holding in group if not holding.stays])
        table.add_row(kind, str(len(group)), decimal(_size(group)), decimal(removable) if removable else "")
    return table


def _size(holdings: Sequence[Holding]) -> int:
    return sum(holding.n_bytes for holding in holdings)
