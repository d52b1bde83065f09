"""Where a server's bundle comes from, and whether it is the one that was meant.

A bundle lies in a folder, where KServe's storage initialiser or an init container may have put it, or in MLflow's
registry. The registry says which SHA-256 a version has, and so may an operator; another bundle is not served.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from content_arena.components.shared.errors import BundleError, InputError
from content_arena.components.shared.scoring import bundle as bundles

if TYPE_CHECKING:
    from content_arena.components.registry.registry import Registry

_IN_REGISTRY = re.compile(r"models:/content-filter(?:@([A-Za-z0-9_-]+)|/([0-9]+))")
_ANY_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Located:
    """A bundle that was looked up and not read yet.

    Attributes:
        fetch: Brings it to this machine, and says into which folder.
        version: What answers name; the bundle's digest if None.
        alias: Registry alias of the version; None if it has none.
        recorded: SHA-256 (hex) in the registry; None if it is not from there.
    """

    fetch: Callable[[], Path]
    version: str | None = None
    alias: str | None = None
    recorded: str | None = None


class BundleSource(Protocol):
    """Where the bundle comes from; it is asked again whenever the server is to take over another one."""

    def locate(self) -> Located:
        """The bundle that is there now.

        Raises:
            ArenaError: There is none, or nobody answers.
        """
        ...


@dataclass(frozen=True)
class FolderSource:
    """A folder with exactly one bundle in or below it.

    Attributes:
        path: Of the folder.
        version: What answers name; the bundle's digest if None.
        alias: Registry alias of the version; None if it has none.
    """

    path: Path
    version: str | None = None
    alias: str | None = None

    def locate(self) -> Located:
        """The folder that a link names now: a link that is changed meanwhile does not mix two bundles."""
        return Located(self.path.resolve, self.version, self.alias)


@dataclass(frozen=True)
class RegistrySource:
    """A version in MLflow's registry.

    Attributes:
        name: An alias, or a version's number.
        connect: Opens the registry.
    """

    name: str
    connect: Callable[[], Registry]

    def locate(self) -> Located:
        """The version that the name stands for now.

        Raises:
            ArenaError: The registry does not answer, or has no such version.
        """
        registry = self.connect()
        number = registry.resolve(self.name)
        alias = None if self.name.isdecimal() else self.name
        return Located(lambda: registry.download(number), str(number), alias, registry.get(number).digest or None)


def source_of(address: str, version: str | None = None, alias: str | None = None) -> BundleSource:
    """Reads where a bundle is to come from.

    Args:
        address: A folder, ``models:/content-filter@ALIAS`` or ``models:/content-filter/VERSION``.
        version: What answers name if it is a folder; the bundle's digest if None. The registry knows its versions.
        alias: Registry alias of a folder's version.

    Raises:
        InputError: It is an address of something else. Nothing but the project's own model is loaded by an address.
    """
    found = _IN_REGISTRY.fullmatch(address)
    if found:
        return RegistrySource(found[1] or found[2], _registry)
    if _ANY_URI.match(address):
        raise InputError(
            f"{address} is not served: name a folder, models:/content-filter@ALIAS or models:/content-filter/VERSION. "
            "`python -m content_arena.components.shared.storage.store download` puts a bundle from object storage into "
            "a folder"
        )
    return FolderSource(Path(address), version, alias)


def checked_sha256(text: str | None) -> str | None:
    """The SHA-256 that an operator names; None for none.

    Raises:
        InputError: It is no SHA-256.
    """
    if not text:
        return None
    digest = text.strip().lower()
    if not _SHA256.fullmatch(digest):
        raise InputError(f"got {text!r} as the bundle's SHA-256, wanted 64 hexadecimal digits")
    return digest


def opened(located: Located, expected: str | None) -> bundles.Bundle:
    """Brings a bundle here, and checks all of its files.

    Args:
        located: What a source found.
        expected: SHA-256 (hex) that an operator names; None for none.

    Raises:
        BundleError: It is missing or broken, or is another one than the registry or the operator names.
    """
    bundle = bundles.load(located.fetch())
    for wanted, who in ((expected, "expected"), (located.recorded, "recorded in the registry")):
        if wanted and wanted not in bundle.digests:
            raise BundleError(
                f"the bundle in {bundle.path} has SHA-256 {bundle.spec.digest}, {who} is {wanted}: "
                "it is not the one that was meant, and is not served"
            )
    return bundle


def opened_if_other(
    source: BundleSource, version: str, digest: str, expected: str | None = None
) -> tuple[Located, bundles.Bundle] | None:
    """Opens the bundle that is there now, unless it is the one in use; its model is not loaded.

    Args:
        source: Where bundles come from.
        version: Of the bundle in use.
        digest: SHA-256 (hex) of the bundle in use.
        expected: SHA-256 (hex) that an operator names; None for none.

    Returns:
        None if it is the one in use.

    Raises:
        ArenaError: There is no bundle, or see :func:`opened`.
    """
    located = source.locate()
    if (located.version, located.recorded) == (version, digest):
        return None
    bundle = opened(located, expected)
    is_same = bundle.spec.digest == digest and located.version in (None, version)
    return None if is_same else (located, bundle)


def _registry() -> Registry:
    """The registry that MLFLOW_TRACKING_URI names.

    Raises:
        InputError: It is not set, or MLflow is not installed.
    """
    try:
        from content_arena.components.registry.registry import Registry
        from content_arena.components.shared.mlflow_tracking import tracking  # noqa: F401 - what the registry needs
    except ModuleNotFoundError as error:
        raise InputError(
            f"a models:/ address needs MLflow, and {error.name} is not installed: pip install 'content-arena[stages]', "
            "or name a folder"
        ) from None
    return Registry()
