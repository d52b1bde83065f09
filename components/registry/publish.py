"""Publishes the bundles behind the aliases to object storage, where a cluster serves them from."""

from __future__ import annotations

import os

from content_arena.components.registry.registry import Registry
from content_arena.components.shared.errors import ArenaError
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.storage.store import Store

#: Environment variable with the folder of the published versions, for callers without a parameter.
MODELS_URI = "CONTENT_ARENA_MODELS_URI"


def publish(registry: Registry, models_uri: str | None = None) -> list[str]:
    """Uploads champion and challenger if they are not there yet, and points ``champion`` to the champion.

    Safe to repeat: a second call finds nothing to do. A version's folder is never written twice once it is tagged as
    published.

    Args:
        registry: Knows the aliases.
        models_uri: ``s3://bucket/folder`` of all versions; $CONTENT_ARENA_MODELS_URI if None. With neither, nothing is
            published: on one machine MLflow's own artifacts are enough.

    Returns:
        What was done, a line each.

    Raises:
        StoreError: Object storage does not answer or refuses.
    """
    root = (models_uri or os.environ.get(MODELS_URI) or "").rstrip("/")
    if not root:
        return []
    store = Store.from_environment()
    done = []
    aliases = registry.aliases()
    for alias in (Registry.CHAMPION, Registry.CHALLENGER):
        version = aliases.get(alias)
        # KServe's storage initialiser takes every key that begins with its address: without the last slash, version 1
        # would bring 10 to 19 along.
        uri = f"{root}/{version.version}/" if version else ""
        if version is None or version.storage_uri == uri:
            continue
        store.publish(bundles.load(registry.download(version.version)), uri)
        registry.record_storage(version.version, uri)
        done.append(f"version {version.version} is at {uri}")
    champion = aliases.get(Registry.CHAMPION)
    pointer = f"{root}/{Registry.CHAMPION}"
    if champion is not None and store.resolve(pointer) != f"{root}/{champion.version}":
        store.point(pointer, str(champion.version))
        done.append(f"{pointer} is version {champion.version}")
    return done


def publish_after(registry: Registry, models_uri: str | None = None) -> list[str]:
    """:func:`publish`, with a line instead of an error where it fails: for callers whose own work is done already.

    Args:
        registry: Knows the aliases.
        models_uri: See :func:`publish`.

    Returns:
        What was done, or why nothing was, a line each.
    """
    try:
        with during("publishing"):
            return publish(registry, models_uri)
    except ArenaError as error:
        where = models_uri or f"${MODELS_URI}"
        return [f"champion and challenger are not published at {where} yet, the next run does it: {error}"]
