"""The registry as a rollout needs it: it follows the traffic and never leads."""

from __future__ import annotations

from typing import Protocol


class RolloutRegistry(Protocol):
    """What is needed of a registry; versions are named as the service names them."""

    def check(self, challenger: str, stable: str, insist: str | None = None, *, dry_run: bool = False) -> None:
        """Whether it lets a version be rolled out; a person may insist with a reason."""
        ...

    def is_champion(self, challenger: str) -> bool:
        """Whether it agrees that this version serves."""
        ...

    def promote(self, challenger: str, stable: str) -> None:
        """Makes it agree."""
        ...

    def is_rejected(self, challenger: str, rollout: str) -> bool:
        """Whether it agrees that this rollout rejected the version."""
        ...

    def reject(self, challenger: str, stable: str, rollout: str, reason: str) -> None:
        """Makes it agree."""
        ...

    def reconcile(self, serving: str) -> list[str]:
        """Makes it agree about what serves; what had to be changed, a line each."""
        ...


class NoRegistry:
    """Agrees with everything: for a service that no registry knows."""

    def check(self, challenger: str, stable: str, insist: str | None = None, *, dry_run: bool = False) -> None:
        """Every version may."""

    def is_champion(self, challenger: str) -> bool:
        """It does."""
        return True

    def promote(self, challenger: str, stable: str) -> None:
        """There is nothing to do."""

    def is_rejected(self, challenger: str, rollout: str) -> bool:
        """It is."""
        return True

    def reject(self, challenger: str, stable: str, rollout: str, reason: str) -> None:
        """There is nothing to do."""

    def reconcile(self, serving: str) -> list[str]:
        """There is nothing to do."""
        return []
