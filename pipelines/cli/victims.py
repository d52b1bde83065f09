"""The options that name a filter to attack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import typer

from content_arena.components.attack_generation.settings import MAPPINGS, AttackSettings, Reading
from content_arena.pipelines.cli.options import described
from content_arena.pipelines.definitions.parameters import PARAMETERS
from content_arena.pipelines.execution.home import registry_here


@dataclass(frozen=True)
class VictimOptions:
    """Options that name the filter, and say how it is asked and read."""

    victim: Annotated[str, typer.Option(help=described("victim"))] = PARAMETERS["victim"].default
    header: Annotated[
        list[str],
        typer.Option(
            "--header",
            metavar="NAME: VALUE",
            help="Header of every request, such as 'Authorization: Bearer ...'; repeat for more. It is recorded "
            "nowhere, nor is a login in the URL (http://USER:PASSWORD@HOST/...?key=...).",
        ),
    ] = field(default_factory=list)
    map: Annotated[
        str,
        typer.Option(
            "--map",
            metavar="NAME|EXPRESSION",
            help=f"How the answers of a URL are read: {', '.join(MAPPINGS)}, or an expression of JMESPath that gives a "
            "score or verdict for each text, such as 'results[].score'.",
            show_default="the protocol of KServe that the URL names",
        ),
    ] = AttackSettings.victim_map
    request: Annotated[
        str,
        typer.Option(
            "--request",
            metavar="JSON",
            help='What a URL is asked: JSON in which "$texts" stands for the list of texts, or "$text" for one text.',
            show_default="that of the mapping",
        ),
    ] = AttackSettings.victim_request
    inverted: Annotated[
        bool, typer.Option("--inverted", help="The scores and verdicts of a URL are of benign, not of toxic.")
    ] = AttackSettings.victim_inverted


def require(victim: str, reading: Reading) -> None:
    """Refuses at once a filter that there is not, or that cannot be read so.

    Args:
        victim: As it may be shown, without a login.
        reading: How it is asked and read.

    Raises:
        InputError: It names no filter, its version is not in the registry, or the reading cannot be used.
    """
    from content_arena.components.attack_generation.victims import opening

    opening.check(victim, reading)
    if opening.names_a_version(victim):
        registry_here().resolve(victim)
