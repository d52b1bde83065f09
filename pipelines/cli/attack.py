"""``arena attack TEXT``: what gets one text past a filter."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.attack_generation.settings import LADDER, SEARCHES, AttackSettings
from content_arena.pipelines.cli import console, local_runs, tables
from content_arena.pipelines.cli.console import out
from content_arena.pipelines.cli.grouped import grouped
from content_arena.pipelines.cli.options import (
    AsJson,
    FamiliesOption,
    LangOption,
    SettingsOption,
    StrategiesOption,
    one_of,
)
from content_arena.pipelines.cli.victims import VictimOptions, require, verified
from content_arena.pipelines.cli.written_texts import keeping_in
from content_arena.pipelines.definitions.parameters import PARAMETERS
from content_arena.pipelines.execution.environment import environment
from content_arena.pipelines.execution.home import ArenaHome

if TYPE_CHECKING:
    from content_arena.components.attack_generation.one_text import Report

_SEARCHES = tuple(name for name in SEARCHES if name != LADDER)


def add_to(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(attack)


@dataclass(frozen=True)
class AttackOptions:
    """Options of attacks on one text."""

    lang: LangOption = PARAMETERS["lang"].default
    budget: Annotated[int, typer.Option(min=1, max=100, help="Queries that each strategy may spend.")] = (
        AttackSettings.budget
    )
    search: Annotated[
        str,
        typer.Option(
            help="Search over all strategies together.", metavar=f"[{'|'.join(_SEARCHES)}]", callback=one_of(_SEARCHES)
        ),
    ] = "greedy"
    search_budget: Annotated[int, typer.Option(min=5, max=1000, help="Queries that the search may spend.")] = 50
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same attacks.")] = 0
    strategies: StrategiesOption = None
    families: FamiliesOption = None


@grouped
def attack(
    text: Annotated[str, typer.Argument(help="The text, which the filter has to flag.")],
    options: AttackOptions,
    victim: VictimOptions,
    settings: SettingsOption = None,
    as_json: AsJson = False,
) -> None:
    """Attack one text, and see which strategies get it past a filter, with which queries; changes nothing.

    Each strategy is tried on its own, then a search over all of them.
    """
    from content_arena.components.attack_generation import one_text
    from content_arena.components.attack_generation.searched import Plan
    from content_arena.components.attack_generation.victims import logins

    shown, login = logins.split(victim.victim, victim.header)
    given, chat = local_runs.in_this_process(settings, options)
    reading = victim.reading(given.reading)
    require(shown, reading)
    tls = verified(shown, victim.tls)
    home = ArenaHome.from_environment()
    with keeping_in(home, options.lang, given), environment(login.as_environment() | tls.as_environment()):
        report = one_text.attack_on(
            shown,
            text,
            options.lang,
            given.selection,
            budget=options.budget,
            plan=Plan(options.search, options.search_budget, given.max_edit_share, seed=options.seed),
            intensity=given.intensity,
            reading=reading,
            chat=chat,
            tracking_uri=home.tracking_uri,
            say=console.status,
        )
    _show(shown, options.seed, report, as_json=as_json)


def _show(victim: str, seed: int, report: Report, *, as_json: bool) -> None:
    answer: dict[str, Any] = {"victim": victim, "seed": seed, "flagged": report.is_flagged, **asdict(report)}
    if as_json:
        print(json.dumps(answer))
        return
    if not report.is_flagged:
        console.status(
            f"{victim} does not flag the text (score {report.score:.3f}, flagged from {report.threshold:.3f}): there "
            "is nothing to get past"
        )
        return
    out.print(tables.attack_table(answer))
