"""Keeps the registry in line with the traffic: the aliases follow what a rollout did.

Every call may be repeated; the next call finishes one that was killed half-way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from content_arena.components.registry import tags
from content_arena.components.registry.registry import MODEL_NAME, Registry
from content_arena.components.shared.errors import InputError, RegistryError
from content_arena.components.shared.library_errors import LibraryError, during


class RegistrySync:
    """The registry as the rollouts of one service use it. Versions are text here, as a service names them.

    Several services may share the registry. No rollout takes the champion's alias from a version that a rollout of
    another service made champion.
    """

    def __init__(self, registry: Registry, service: str) -> None:
        """Reads nothing yet.

        Args:
            registry: The registry.
            service: The service, as ``NAMESPACE/SERVICE``.
        """
        self._registry, self._service = registry, service

    def check(self, challenger: str, stable: str, override: str | None = None, *, dry_run: bool = False) -> None:
        """Checks that a version may be rolled out.

        Args:
            challenger: The version.
            stable: What serves now.
            override: Why a person rolls it out although it was rejected or its gates failed; recorded with the version.
            dry_run: Record nothing.

        Raises:
            InputError: It was rejected or its gates failed, or the registry's champion is not the version that serves.
        """
        with _registry_errors():
            version, serving = _number(challenger), _number(stable)
            champion = self._registry.version_of(Registry.CHAMPION)
            if champion not in (None, serving, version):
                raise InputError(
                    f"version {serving} serves, and the registry's champion is {champion}: roll out {champion} first, "
                    f"or `arena rollout reconcile --adopt` makes {serving} the champion"
                )
            reason = self._objection(version)
            if reason and not override:
                raise InputError(f"version {version} {reason}: --reason REASON rolls it out all the same")
            if override and not dry_run:
                self._registry.record_override(version, override)

    def gate_figures(self, version: str) -> dict[str, tuple[float | None, float | None]]:
        """What the gates measured: a version's figure and that of its champion, by name; empty if not recorded."""
        with _registry_errors():
            verdict = self._registry.verdict(_number(version))
            return {gate.gate: (gate.challenger, gate.champion) for gate in verdict.gates} if verdict else {}

    def is_champion(self, challenger: str) -> bool:
        """Whether the aliases are as they should be while a version serves."""
        with _registry_errors():
            version, registry = _number(challenger), self._registry
            return (
                registry.version_of(Registry.CHAMPION) == version
                and registry.version_of(Registry.PREVIOUS) == registry.predecessor(version)
                and registry.version_of(Registry.CHALLENGER) != version
            )

    def promote(self, challenger: str, stable: str) -> None:
        """Makes the version that serves the champion, and the one before it the previous one.

        Raises:
            RegistryError: The champion is a third version by now; nothing was moved.
        """
        with _registry_errors():
            version, before = _number(challenger), _number(stable)
            champion = self._registry.version_of(Registry.CHAMPION)
            if champion == version:
                services = self._registry.get(version).promoted_for
                if services and self._service not in services:
                    self._set_services(version, {*services, self._service})
                self._registry.reconcile()
            else:
                if champion in (None, before):
                    # A service that had it before may have another version since.
                    self._set_services(version, {self._service})
                self._registry.promote(version, expected_champion=None if champion is None else before)
            self._registry.withdraw_rejection(version)
            if tags.REJECTED_BY in self._registry.get(version).tags:
                self._registry.client.delete_model_version_tag(MODEL_NAME, str(version), tags.REJECTED_BY)

    def is_undone(self, undone: str, rollout: str) -> bool:
        """Whether the registry records completely that this rollout took a promotion back."""
        return self.is_rejected(undone, rollout)

    def undo(self, restored: str, undone: str, rollout: str, reason: str) -> None:
        """Makes the version that served before the champion again, as ``arena rollback`` does.

        The other one is tagged ``rejected`` with the reason.
        """
        with _registry_errors():
            self._registry.withdraw_rejection(_number(restored))
        self.reject(undone, restored, rollout, reason)

    def is_rejected(self, challenger: str, rollout: str) -> bool:
        """Whether this rollout's rejection of a version is recorded completely."""
        with _registry_errors():
            version = _number(challenger)
            is_tagged = self._registry.get(version).tags.get(tags.REJECTED_BY) == rollout
            return is_tagged and not self._has_own_alias(version)

    def reject(self, challenger: str, stable: str, rollout: str, reason: str) -> None:
        """Tags a version with why it was rolled back, and takes the champion's alias from it if it has it.

        A version that a rollout of another service made champion keeps the alias, because it serves there.
        """
        with _registry_errors():
            version, before = _number(challenger), _number(stable)
            self._registry.reject(version, reason)
            self._leave(version)
            if self._has_own_alias(version):
                self._registry.step_back(before)
            # Last: this tag means that everything before it was done.
            self._registry.client.set_model_version_tag(MODEL_NAME, str(version), tags.REJECTED_BY, rollout)

    def reconcile(self, serving: str, *, adopts: bool = False) -> list[str]:
        """Brings the aliases in line with what serves.

        Args:
            serving: The version that serves.
            adopts: Make it the champion although another version is. Otherwise that is only reported: the champion may
                serve elsewhere, or a person made it the champion.

        Returns:
            What was changed, a line each, and a champion that does not serve.
        """
        with _registry_errors():
            version, registry = _number(serving), self._registry
            registry.get(version)
            before = registry.version_of(Registry.CHAMPION)
            done = []
            if before not in (None, version) and not adopts:
                done = [
                    f"version {version} serves, and the champion is {before}, which stays so: roll out {before}, or "
                    f"`arena rollout reconcile --adopt` makes {version} the champion"
                ]
            elif before != version:
                if before is not None and registry.predecessor(before) == version:
                    registry.step_back(version)
                else:
                    registry.promote(version, expected_champion=before)
                done = [f"alias {Registry.CHAMPION} was {before or 'not set'}, is {version}, which serves"]
            return [*done, *registry.reconcile()]

    def _has_own_alias(self, version: int) -> bool:
        """Whether a version is the champion, and not by a rollout of another service."""
        if self._registry.version_of(Registry.CHAMPION) != version:
            return False
        return set(self._registry.get(version).promoted_for) <= {self._service}

    def _leave(self, version: int) -> None:
        """Records that this service has left a version that is another service's champion too."""
        others = set(self._registry.get(version).promoted_for) - {self._service}
        if others and self._service in self._registry.get(version).promoted_for:
            self._set_services(version, others)

    def _set_services(self, version: int, services: set[str]) -> None:
        joined = ",".join(sorted(services))
        self._registry.client.set_model_version_tag(MODEL_NAME, str(version), tags.PROMOTED_FOR, joined)

    def _objection(self, version: int) -> str:
        rejection = self._registry.get(version).rejection
        if rejection is not None:
            return f"was rejected ({rejection})"
        verdict = self._registry.verdict(version)
        failures = verdict.failures if verdict else []
        return f"failed its gates ({'; '.join(failures)})" if failures else ""


def _number(version: str) -> int:
    if not version.isdecimal():
        raise RegistryError(f"the service's model is called {version!r}, which is no version of the registry")
    return int(version)


@contextlib.contextmanager
def _registry_errors() -> Iterator[None]:
    """Turns the errors of MLflow, and of what it is built on, into one that a rollout reports and survives."""
    try:
        with during("using the registry"):
            yield
    except LibraryError as error:
        raise RegistryError(f"the registry does not answer as it should: {error}") from error
