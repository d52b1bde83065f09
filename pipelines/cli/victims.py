"""The options that name a filter to attack."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from content_arena.components.attack_generation.settings import KSERVE, MAPPINGS, AttackSettings, Reading
from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli import console
from content_arena.pipelines.cli.options import described
from content_arena.pipelines.definitions.parameters import PARAMETERS
from content_arena.pipelines.execution.home import registry_here

if TYPE_CHECKING:
    from content_arena.components.attack_generation.victims.tls import Tls


@dataclass(frozen=True)
class VictimOptions:
    """Options that name the filter, and say how it is asked and read."""

    victim: Annotated[
        str,
        typer.Option(
            help=f"{described('victim')} Or python:MODULE:FUNCTION or python:FILE.py:FUNCTION, whose code is run: it "
            "takes a list of texts and returns a list of scores or verdicts."
        ),
    ] = PARAMETERS["victim"].default
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

    cacert: Annotated[
        str,
        typer.Option(
            "--cacert",
            metavar="FILE",
            help="Certificates (PEM) of the CAs to trust for a filter behind https://, in place of the usual ones.",
        ),
    ] = ""
    cert: Annotated[
        str, typer.Option("--cert", metavar="FILE", help="Your certificate (PEM) for a filter that asks for one.")
    ] = ""
    key: Annotated[
        str,
        typer.Option(
            "--key", metavar="FILE", help="Its private key (PEM, no password).", show_default="in the file of --cert"
        ),
    ] = ""
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Do not verify the certificate of a filter behind https://.")
    ] = False

    def reading(self, of_file: Reading = KSERVE) -> Reading:
        """How the filter is asked and read.

        Args:
            of_file: What a settings file says, over which the options win.
        """
        return Reading(self.map or of_file.mapping, self.request or of_file.request, self.inverted or of_file.inverted)

    @property
    def tls(self) -> Tls:
        """How the filter is verified."""
        from content_arena.components.attack_generation.victims.tls import Tls

        return Tls(self.cacert, self.cert, self.key, self.insecure)


def verified(victim: str, tls: Tls) -> Tls:
    """How a filter is verified, with files as a stage in another folder finds them. Warns where it is not verified.

    Args:
        victim: As it may be shown, without a login.
        tls: As it was given.

    Raises:
        InputError: It cannot be used, or not for this filter.
    """
    if tls and not victim.startswith("https://"):
        raise InputError("--cacert, --cert, --key and --insecure are for a filter behind https://")
    found = replace(
        tls,
        ca_file=_absolute(tls.ca_file),
        cert_file=_absolute(tls.cert_file),
        key_file=_absolute(tls.key_file),
    )
    found.check()
    if found.insecure:
        console.status(
            f"the certificate of {victim} is not verified: whoever is on the way can read and change texts, logins and "
            "answers"
        )
    return found


def _absolute(name: str) -> str:
    return str(Path(name).expanduser().absolute()) if name else ""


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
