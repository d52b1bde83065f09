"""A patch of the service that is announced in the record before it is sent.

The record and the service are two objects, and a process may be killed between two writes. So a patch is announced in
the record first, then sent, then its outcome is recorded. Whoever reads an announcement without an outcome can tell
from the service alone what became of the patch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Intent:
    """A patch that was announced, and whose outcome is not recorded yet.

    Attributes:
        version: ``resourceVersion`` of the service that the patch is guarded by. It is stored on top of this one or
            not at all.
        fingerprints: Of the specs that it may lead to. More than one if a process announced another patch while that of
            a killed process may still have been on its way.
        why: What the last patch is for, for people.
    """

    version: str
    fingerprints: tuple[str, ...]
    why: str = ""

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Intent:
        """Reads what ``dataclasses.asdict`` made of it.

        Raises:
            KeyError: A field is missing.
        """
        return cls(str(given["version"]), tuple(map(str, given["fingerprints"])), str(given["why"]))

    def is_settled(self, version: str, fingerprint: str, before: str) -> bool:
        """Whether the service shows what became of the patch.

        If it does not, the patch may still be on its way, or it was stored and somebody edited the service since.

        Args:
            version: ``resourceVersion`` of the service as it is now.
            fingerprint: Of its spec as it is now.
            before: Of its spec as the rollout last wrote it.
        """
        is_stored = fingerprint in self.fingerprints
        # The service was written since, by its status for example, so the guard refuses the patch from now on.
        is_refused = fingerprint == before and version != self.version
        return is_stored or is_refused


def announced(before: Intent | None, version: str, fingerprint: str, why: str) -> Intent:
    """The announcement of a patch.

    Args:
        before: The announcement whose outcome is not known yet; None if there is none.
        version: ``resourceVersion`` of the service that the patch is guarded by.
        fingerprint: Of the spec that the patch leads to.
        why: What it is for.
    """
    # On another version of the service an earlier patch can only be refused.
    earlier = before.fingerprints if before and before.version == version else ()
    return Intent(version, tuple(dict.fromkeys((*earlier, fingerprint))), why)
