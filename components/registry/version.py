"""A version of the registered model, as the registry describes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from content_arena.components.registry import tags as names


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of the registered model.

    Attributes:
        version: Number given by the registry, from 1.
        digest: SHA-256 (hex) of its bundle.
        generation: How many rounds of the arena lie behind it; 0 for the first champion.
        metrics: Figures of its last evaluation, by name.
        tags: Every other tag.
    """

    version: int
    digest: str
    generation: int
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_tags(cls, version: int, tags: Mapping[str, str]) -> RegisteredVersion:
        """Reads a version from its tags."""
        rest = dict(tags)
        metrics = {
            name.removeprefix(names.METRIC): float(rest.pop(name)) for name in tags if name.startswith(names.METRIC)
        }
        return cls(version, rest.pop(names.DIGEST, ""), int(rest.pop(names.GENERATION, 0)), metrics, rest)

    @property
    def lang(self) -> str | None:
        """ISO 639-1 code of the corpus it was trained on; None if it was registered before that was recorded."""
        return self.tags.get(names.LANG)

    @property
    def corpus_sha256(self) -> str | None:
        """Digest of the corpus it was trained on; None if that is not recorded."""
        return self.tags.get(names.CORPUS_SHA256) or None

    @property
    def held_out(self) -> tuple[str, ...] | None:
        """Strategies that it never trained on, by choice; None if it trained on no attacks, or that is not recorded."""
        return _names(self.tags.get(names.HELD_OUT))

    @property
    def trained_on(self) -> frozenset[str] | None:
        """Strategies that it, or a version that it continued from, was trained on; None as for :attr:`held_out`."""
        found = _names(self.tags.get(names.TRAINED_ON))
        return None if found is None else frozenset(found)

    @property
    def started_from(self) -> str | None:
        """SHA-256 of the bundle that its training continued from; None for a new adapter, or if it is not recorded."""
        return self.tags.get(names.STARTED_FROM) or None

    @property
    def storage_uri(self) -> str | None:
        """Where its bundle lies in object storage; None if it was not published."""
        return self.tags.get(names.STORAGE_URI)

    @property
    def predecessor(self) -> int | None:
        """The champion that it succeeded; None if it was the first, or never champion."""
        before = self.tags.get(names.SUCCEEDED)
        return int(before) if before else None

    @property
    def promoted_at(self) -> float | None:
        """When it became champion (Unix time, seconds); None if it never did, or the tag holds no number."""
        try:
            seconds = float(self.tags.get(names.PROMOTED_AT, ""))
        except ValueError:
            return None
        return seconds if math.isfinite(seconds) else None

    @property
    def promoted_for(self) -> tuple[str, ...]:
        """The services whose rollouts made it champion, as NAMESPACE/SERVICE; none if no rollout did."""
        return _names(self.tags.get(names.PROMOTED_FOR)) or ()

    @property
    def override_reason(self) -> str | None:
        """Why a person promoted it against the gates; None if no person did."""
        return self.tags.get(names.OVERRIDE)

    @property
    def rejected_at(self) -> float | None:
        """When it was last rejected (Unix time, seconds); None if it never was."""
        seconds = self.tags.get(names.REJECTED_AT)
        return float(seconds) if seconds else None

    @property
    def rejection(self) -> str | None:
        """Why it was rejected; None if it was not."""
        return self.tags.get(names.REJECTED)


def _names(tag: str | None) -> tuple[str, ...] | None:
    """The names in a tag that joins them by commas; None if there is no tag."""
    return None if tag is None else tuple(name for name in tag.split(",") if name)
