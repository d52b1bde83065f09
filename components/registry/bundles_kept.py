"""Which bundles a registry still needs, and which may make room."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from content_arena.components.registry import tags
from content_arena.components.registry.registry import MODEL_NAME, Registry
from content_arena.components.shared.library_errors import during


@dataclass(frozen=True)
class KeptBundle:
    """The files of a registered version, on this machine.

    Attributes:
        version: The version.
        folder: Where they are; None if they are elsewhere, or gone.
        needed_for: Why they have to stay; "" if nothing that serves, or may serve again by a rollback, needs them.
    """

    version: int
    folder: Path | None
    needed_for: str


def kept(registry: Registry) -> list[KeptBundle]:
    """Every version's bundle, oldest version first.

    Needed are those that an alias names and those that served once: a rollback goes back to one, and a challenger
    continues from one.
    """
    aliases = {found.version: alias for alias, found in registry.aliases().items()}
    bundles = []
    for version in registry.versions():
        served = "it served once" if tags.PROMOTED_AT in version.tags else ""
        reason = f"it is the {aliases[version.version]}" if version.version in aliases else served
        bundles.append(KeptBundle(version.version, _folder(registry, version.version), reason))
    return bundles


def mark_removed(registry: Registry, version: int) -> None:
    """Records that a version's files are removed; called before they are, so that nobody looks for them in vain."""
    with during(f"recording that the bundle of version {version} is removed"):
        day = time.strftime("%Y-%m-%d")
        registry.client.set_model_version_tag(MODEL_NAME, str(version), tags.REMOVED_AT, day)


def _folder(registry: Registry, version: int) -> Path | None:
    with during(f"asking where the bundle of version {version} is"):
        address = registry.client.get_model_version_download_uri(MODEL_NAME, str(version))
    if not address.startswith("file:"):
        return None
    folder = Path(unquote(urlsplit(address).path))
    return folder if folder.is_dir() else None
