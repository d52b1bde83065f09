"""The interface of the model registry for a rollout. The registry follows the traffic and never leads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class RolloutRegistry(Protocol):
    """What a rollout needs of a registry. Versions are text, as the service names them. Every call may be repeated."""

    def check(self, challenger: str, stable: str, override: str | None = None, *, dry_run: bool = False) -> None:
        """Checks that a version may be rolled out.

        Args:
            challenger: The version.
            stable: What serves now.
            override: A person's reason to roll it out although it was rejected; None to respect a rejection.
            dry_run: Do not record the override.

        Raises:
            InputError: It may not be rolled out.
        """
        ...

    def gate_figures(self, version: str) -> Mapping[str, tuple[float | None, float | None]]:
        """What the gates measured: a version's figure and that of its champion, by name; empty if not recorded."""
        ...

    def is_champion(self, challenger: str) -> bool:
        """Whether this version is the registry's champion."""
        ...

    def promote(self, challenger: str, stable: str) -> None:
        """Makes the challenger the champion, and the version that served before the previous one."""
        ...

    def is_undone(self, undone: str, rollout: str) -> bool:
        """Whether the registry records that this rollout took a promotion back."""
        ...

    def undo(self, restored: str, undone: str, rollout: str, reason: str) -> None:
        """Makes the version that served before the champion again, and records why the other was taken back."""
        ...

    def is_rejected(self, challenger: str, rollout: str) -> bool:
        """Whether the rejection of the version by this rollout is recorded."""
        ...

    def reject(self, challenger: str, stable: str, rollout: str, reason: str) -> None:
        """Records that this rollout rejected the version, and why."""
        ...

    def reconcile(self, serving: str, *, adopts: bool = False) -> list[str]:
        """Makes the aliases agree with the version that serves.

        Args:
            serving: The version.
            adopts: Make it the champion where the registry names another version, which is only reported otherwise.

        Returns:
            A line for each change, and for a champion that does not serve.
        """
        ...


class NoRegistry:
    """For a service without a registry: agrees with everything."""

    def check(self, challenger: str, stable: str, override: str | None = None, *, dry_run: bool = False) -> None:
        """Allows every version."""

    def gate_figures(self, version: str) -> Mapping[str, tuple[float | None, float | None]]:
        """Never any."""
        return {}

    def is_champion(self, challenger: str) -> bool:
        """Always true."""
        return True

    def promote(self, challenger: str, stable: str) -> None:
        """Does nothing."""

    def is_undone(self, undone: str, rollout: str) -> bool:
        """Always true."""
        return True

    def undo(self, restored: str, undone: str, rollout: str, reason: str) -> None:
        """Does nothing."""

    def is_rejected(self, challenger: str, rollout: str) -> bool:
        """Always true."""
        return True

    def reject(self, challenger: str, stable: str, rollout: str, reason: str) -> None:
        """Does nothing."""

    def reconcile(self, serving: str, *, adopts: bool = False) -> list[str]:
        """Does nothing."""
        return []
