"""A version of the registered model, as the registry describes it."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Tag with why a person promoted a version against its gates or its rejection.
OVERRIDE = "override_reason"
#: Tag with why a version was rejected.
REJECTED = "rejected"


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

    @property
    def override_reason(self) -> str | None:
        """Why a person promoted it against the gates; None if no person did."""
        return self.tags.get(OVERRIDE)

    @property
    def rejection(self) -> str | None:
        """Why it was taken back; None if it was not."""
        return self.tags.get(REJECTED)
