"""The command line ``arena``, for people and scripts.

Results go to standard output, everything else to standard error. Exit codes: 0 done (also a run whose
challenger was refused), 1 the answer is no (promotion refused, nothing to roll back to, a submitted run failed, a
rollout was rolled back), 2 an option, a file or a value cannot be used, a server does not answer, or a stage of a local
run broke down, 3 a rollout waits for a person, 130 stopped by Ctrl-C.

Nothing heavy is imported before a command needs it, so ``arena --help`` answers at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from content_arena.pipelines.cli import attack as attack_commands
from content_arena.pipelines.cli import battle as battle_commands
from content_arena.pipelines.cli import compare as compare_commands
from content_arena.pipelines.cli import data as data_commands
from content_arena.pipelines.cli import home as home_commands
from content_arena.pipelines.cli import migrate as migrate_commands
from content_arena.pipelines.cli import review as review_commands
from content_arena.pipelines.cli import run as loop_commands
from content_arena.pipelines.cli import submit as cluster_commands
from content_arena.pipelines.cli import versions as version_commands
from content_arena.pipelines.cli.group import ArenaGroup
from content_arena.pipelines.cli.rollout import commands as rollout_commands

app = typer.Typer(
    name="arena",
    cls=ArenaGroup,
    help="Keeps a content filter ahead of the people who write around it.\n\n"
    "State lives in $ARENA_HOME (default .arena): registry, models, runs, reports.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(is_given: bool) -> None:
    if is_given:
        from importlib.metadata import version

        print(f"content-arena {version('content-arena')}")
        raise typer.Exit


@app.callback()
def arena(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Declares the options of the program itself; its help text is ``help`` above."""


for _commands in (
    loop_commands,
    data_commands,
    battle_commands,
    attack_commands,
    compare_commands,
    review_commands,
    version_commands,
    home_commands,
    migrate_commands,
    cluster_commands,
    rollout_commands,
):
    _commands.add_to(app)


def main() -> None:
    """Entry point of the console script."""
    app()
