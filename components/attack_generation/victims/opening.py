"""Opens the filter that a user names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from content_arena.components.attack_generation.settings import KSERVE, Reading
from content_arena.components.attack_generation.victims import functions
from content_arena.components.attack_generation.victims.addresses import (
    URL_FORMS,
    is_url,
    lacks_scheme,
    shown,
)
from content_arena.components.attack_generation.victims.base import Victim
from content_arena.components.attack_generation.victims.dialects import dialect
from content_arena.components.attack_generation.victims.endpoint import EndpointVictim
from content_arena.components.attack_generation.victims.journal import Journal
from content_arena.components.attack_generation.victims.local import LocalVictim
from content_arena.components.attack_generation.victims.logins import Login, split
from content_arena.components.attack_generation.victims.tls import Tls
from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    from content_arena.components.shared.scoring.filter import ContentFilter


def open_victim(
    spec: str,
    tracking_uri: str | None = None,
    threshold: float = 0.5,
    reading: Reading = KSERVE,
    login: Login | None = None,
    tls: Tls | None = None,
    answers: Path | None = None,
) -> Victim:
    """Opens the filter that ``spec`` names.

    A filter behind a URL gets the login, and is verified, as the environment says (:mod:`logins`, :mod:`tls`).

    Args:
        spec: An http(s) URL, a bundle folder, an alias of the registry (``champion``), a version number, or a Python
            function (:mod:`functions`), whose code is run.
        tracking_uri: MLflow server for aliases and versions; the environment's if None.
        threshold: For endpoints and functions that answer scores only.
        reading: How an endpoint is asked and read.
        login: Of an endpoint, beside the one in its URL; the environment's if None.
        tls: How an endpoint behind https:// is verified; as the environment says if None.
        answers: File that keeps what the filter answers (:mod:`journal`); the environment's, if there is one, if None.

    Raises:
        InputError: No filter has that name, or the URL has an unknown form.
        RegistryError: The registry has no such alias or version.
        BundleError: The bundle is broken.
    """
    from content_arena.components.registry.registry import Registry
    from content_arena.components.shared.scoring.filter import ContentFilter

    check(spec, reading)
    if is_url(spec):
        return _endpoint(spec, threshold, reading, login, tls, _journal(answers))
    if functions.is_function(spec):
        return functions.FunctionVictim(spec, threshold, journal=_journal(answers))
    if names_a_version(spec):
        registry = Registry(tracking_uri)
        version = registry.resolve(spec)
        return _local(ContentFilter.open(registry.download(version), version=str(version)), answers)
    return _local(ContentFilter.open(spec), answers)


def names_a_version(spec: str) -> bool:
    """Whether a victim is named by an alias of the registry or by a version's number."""
    from content_arena.components.registry.registry import Registry

    return spec in Registry.ALIASES or spec.isdecimal()


def absolute(spec: str) -> str:
    """The name of a victim, as a stage that runs in another folder finds it."""
    if functions.is_function(spec):
        return functions.absolute(spec)
    return str(Path(spec).absolute()) if not is_url(spec) and Path(spec).is_dir() else spec


def check(spec: str, reading: Reading) -> None:
    """Refuses at once what :func:`open_victim` would refuse without a look at the registry or a bundle.

    Raises:
        InputError: See :func:`open_victim`.
    """
    if is_url(spec):
        bare, _ = split(spec)
        speaks = dialect(reading.mapping, reading.request, bare)
        speaks.url(bare)
        return
    if reading:
        raise InputError(f"{shown(spec)} is no URL: --map, --request and --inverted are for a filter behind one")
    if functions.is_function(spec):
        functions.check(spec)
        return
    if not names_a_version(spec) and not Path(spec).is_dir():
        raise _unknown(spec)


def _unknown(spec: str) -> InputError:
    from content_arena.components.registry.registry import Registry

    if lacks_scheme(spec):
        return InputError(
            f"no victim {shown(spec)!r}: a URL begins with http:// or https://, so give http://{shown(spec)}"
        )
    return InputError(
        f"no victim {shown(spec)!r}: give an alias ({', '.join(Registry.ALIASES)}), a version number, a bundle folder, "
        f"{functions.FORMS}, or a URL: {URL_FORMS}"
    )


def _journal(answers: Path | None, model: str = "") -> Journal:
    return Journal.from_environment(model) if answers is None else Journal(answers, model)


def _local(found: ContentFilter, answers: Path | None) -> Victim:
    journal = _journal(answers, found.bundle.spec.digest)
    return LocalVictim(found, journal) if journal.is_kept else found


def _endpoint(
    spec: str, threshold: float, reading: Reading, login: Login | None, tls: Tls | None, journal: Journal
) -> EndpointVictim:
    bare, _ = split(spec)
    tls = Tls.from_environment() if tls is None else tls
    tls.check()
    return EndpointVictim(
        spec,
        threshold,
        login=Login.from_environment() if login is None else login,
        tls=tls,
        speaks=dialect(reading.mapping, reading.request, bare),
        journal=journal,
        inverted=reading.inverted,
    )
