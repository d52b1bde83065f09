"""Which versions of the model were trained on a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from content_arena.components.registry.registry import MODEL_NAME, Registry
from content_arena.components.registry.version import RegisteredVersion
from content_arena.components.shared.library_errors import during

#: What a training does with the texts of a split; with others it does nothing.
_USES = {
    "train": "its corpus {} has it among the training texts",
    "validation": "its corpus {} has it among the validation texts, by which it was tuned",
}


@dataclass(frozen=True)
class Found:
    """Where a text was found that models are trained from.

    Attributes:
        corpora: Digests of corpora that hold it, each with the text's split.
        battles: Language of battles whose labelled attacks were made from it, each with when the earliest of them was
            kept (Unix time, milliseconds). Attacks on test texts are not counted: they are never trained on.
    """

    corpora: Mapping[str, str]
    battles: Mapping[str, int]


def trained_on(registry: Registry, found: Found) -> dict[int, str]:
    """The versions that were trained on a text, or may have been, each with how.

    Args:
        registry: With the versions.
        found: Where the text was found.
    """
    versions = registry.versions()
    how: dict[int, str] = {}
    for version in versions:
        reason = _by_corpus(version, found) or _by_attacks(registry, version, found)
        if reason:
            how[version.version] = reason
    by_digest = {version.digest: version.version for version in versions}
    # In the order of their numbers: a version continues from an earlier one.
    for version in versions:
        start = by_digest.get(version.started_from or "")
        if start in how and version.version not in how:
            how[version.version] = f"it continued from version {start}"
    return how


def _by_corpus(version: RegisteredVersion, found: Found) -> str:
    sha256 = version.corpus_sha256 or ""
    return _USES.get(found.corpora.get(sha256, ""), "").format(sha256[:12])


def _by_attacks(registry: Registry, version: RegisteredVersion, found: Found) -> str:
    """Not every attack that is kept is trained on, and which ones were is not recorded."""
    since = found.battles.get(version.lang or "")
    if since is None or not version.trained_on:
        return ""
    with during(f"asking when version {version.version} was made"):
        made = registry.client.get_model_version(MODEL_NAME, str(version.version)).creation_timestamp
    return "attacks on it were there to be trained on" if made >= since else ""
