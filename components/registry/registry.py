"""The model registry: which version serves, which was evaluated last, which served before.

MLflow's aliases are last-writer-wins. Each alias move is one call, made in an order in which a process killed between
two calls leaves exactly one champion, and every move is read back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import ClassVar

from content_arena.components.registry import tags
from content_arena.components.registry.verdict import RecordedVerdict
from content_arena.components.registry.version import RegisteredVersion
from content_arena.components.shared.errors import BundleError, InputError, RefusedError, RegistryError
from content_arena.components.shared.library_errors import naming, reason
from content_arena.components.shared.mlflow_tracking import tracking
from content_arena.components.shared.scoring import bundle as bundles

MODEL_NAME = "content-filter"
#: Longest reason that is kept in a tag, in characters.
_REASON_LENGTH = 500


class Registry:
    """Versions and aliases of the registered model ``content-filter``."""

    CHAMPION: ClassVar[str] = "champion"
    CHALLENGER: ClassVar[str] = "challenger"
    PREVIOUS: ClassVar[str] = "previous"
    ALIASES: ClassVar[tuple[str, ...]] = (CHAMPION, CHALLENGER, PREVIOUS)
    STORAGE_URI: ClassVar[str] = tags.STORAGE_URI

    def __init__(self, tracking_uri: str | None = None, *, follow_moves: bool = True) -> None:
        """Connects; see :func:`content_arena.components.shared.mlflow_tracking.tracking.connect`."""
        self.client = tracking.connect(tracking_uri, follow_moves=follow_moves)
        self.uri = str(self.client.tracking_uri)

    @naming("reading the alias {alias}")
    def version_of(self, alias: str) -> int | None:
        """The version an alias points to; None if it points to none."""
        from mlflow.exceptions import MlflowException

        try:
            return int(self.client.get_model_version_by_alias(MODEL_NAME, alias).version)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def resolve(self, spec: str) -> int:
        """The version that an alias or a number names.

        Raises:
            RegistryError: There is none.
        """
        if spec.isdecimal():
            return self.get(int(spec)).version
        version = self.version_of(spec)
        if version is None:
            why = self._refused_first() if spec == self.CHAMPION else ""
            raise RegistryError(
                f"the registry has no {spec}{why}: `arena status` shows what is there; `arena run`, or the pipeline "
                "arena on a cluster, makes a first one"
            )
        return version

    def _refused_first(self) -> str:
        """Why there is no champion, if the newest version was to be the first one and was refused."""
        newest = max(self.versions(), key=lambda version: version.version, default=None)
        return f" (version {newest.version} was refused: {newest.rejection})" if newest and newest.rejection else ""

    @naming("reading version {version}")
    def get(self, version: int) -> RegisteredVersion:
        """One version with its tags.

        Raises:
            RegistryError: There is none.
        """
        from mlflow.exceptions import MlflowException

        try:
            found = self.client.get_model_version(MODEL_NAME, str(version))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise RegistryError(f"the registry has no version {version} of {MODEL_NAME}") from error
        return RegisteredVersion.from_tags(version, found.tags)

    @naming("registering a bundle")
    def register(self, bundle: bundles.Bundle, run_id: str, generation: int | None = None) -> RegisteredVersion:
        """Logs a bundle as an MLflow model and registers it; a bundle that is registered already keeps its version.

        If the files of that version are gone, the bundle becomes a new version: one without files could not serve.

        Args:
            bundle: What to register.
            run_id: MLflow run that made it.
            generation: Number of the round; one more than the highest so far if None.

        Raises:
            BundleError: The bundle is registered already, and its files cannot be looked for.
        """
        import mlflow

        digest = bundle.spec.digest
        known = self.versions()
        for version in known:
            if version.digest == digest and self._has_bundle(version):
                return version
        if generation is None:
            generation = 1 + max((version.generation for version in known), default=-1)
        # Not the fluent call with an active run: stages log into a run that other stages share.
        with tracking.active_run(self.client, run_id):
            info = mlflow.pyfunc.log_model(
                name=MODEL_NAME,
                python_model=str(Path(__file__).with_name("mlflow_model.py")),
                artifacts={"bundle": str(bundle.path)},
                pip_requirements=[f"content-arena=={metadata.version('content-arena')}"],
            )
        self._ensure_model()
        described = {
            tags.DIGEST: digest,
            tags.GENERATION: str(generation),
            "base_model": bundle.spec.base_model,
            tags.LANG: bundle.spec.lang,
            tags.CORPUS_SHA256: str(bundle.spec.training.get("corpus_sha256", "")),
        }
        recorded = (tags.HELD_OUT, tags.TRAINED_ON, tags.STARTED_FROM)
        described |= {name: str(bundle.spec.training[name]) for name in recorded if name in bundle.spec.training}
        created = self.client.create_model_version(
            MODEL_NAME, info.model_uri, run_id=run_id, tags=described, model_id=info.model_id
        )
        return self.get(int(created.version))

    @naming("moving the alias {alias} to version {version}")
    def set_alias(self, alias: str, version: int) -> None:
        """Points an alias to a version and reads it back.

        Raises:
            RegistryError: Another process moved it in between.
        """
        self.client.set_registered_model_alias(MODEL_NAME, alias, str(version))
        now = self.version_of(alias)
        if now != version:
            raise RegistryError(
                f"alias {alias} was set to {version} and reads {now}: another process moves it, try again"
            )

    def promote(self, version: int, expected_champion: int | None) -> None:
        """Makes a version the champion, and the present champion the previous one.

        Args:
            version: The new champion.
            expected_champion: The champion the decision was made against; None if there was none.

        Raises:
            RegistryError: Another version has become champion since; nothing was moved.
        """
        champion = self.version_of(self.CHAMPION)
        if champion == version and self.predecessor(version) == expected_champion:
            # A retry of a promotion that was killed half-way, or whose answer was lost.
            self._align(version, expected_champion)
            return
        if champion != expected_champion:
            raise RegistryError(
                f"the champion is version {champion}, the decision was made against {expected_champion}: run again"
            )
        if champion == version:
            raise RegistryError(f"version {version} is the champion already")
        # Tags first: after each call there is one champion, and its predecessor is known.
        if champion is not None:
            self._tag(version, tags.SUCCEEDED, str(champion))
        self._tag(version, tags.PROMOTED_AT, f"{time.time():.0f}")
        self.set_alias(self.CHAMPION, version)
        self._align(version, champion)

    def rollback(self, reason: str) -> tuple[int, int]:
        """Makes the previous version the champion again.

        The version taken back is tagged ``rejected`` with the reason. ``previous`` moves to the version that the
        restored one had succeeded, and is removed if there is none.

        Returns:
            The version taken back and the champion now.

        Raises:
            RefusedError: There is no previous version.
            BundleError: There is, and its files are gone; nothing was moved.
        """
        champion = self.version_of(self.CHAMPION)
        # The tag and not the alias: if a promotion was killed half-way, the alias is out of date.
        previous = None if champion is None else self.predecessor(champion)
        if champion is None or previous is None:
            raise RefusedError("nothing to roll back to: no version served before the champion")
        self.check_bundle(previous)
        self.reject(champion, reason)
        self.step_back(previous)
        return champion, previous

    def step_back(self, version: int) -> None:
        """Makes an earlier champion the champion again, and the version that it had succeeded the previous one."""
        self.set_alias(self.CHAMPION, version)
        self._align(version, self.predecessor(version))

    def reconcile(self) -> list[str]:
        """Brings ``previous`` and ``challenger`` in line with the champion, as a promotion or a rollback leaves them.

        Returns:
            What was changed, a line each; nothing when called again.
        """
        before = {alias: self.version_of(alias) for alias in self.ALIASES}
        champion = before[self.CHAMPION]
        if champion is None:
            return []
        self._align(champion, self.predecessor(champion))
        after = {alias: self.version_of(alias) for alias in self.ALIASES}
        return [
            f"alias {alias} was {before[alias] or 'not set'}, is {after[alias] or 'not set'}"
            for alias in self.ALIASES
            if before[alias] != after[alias]
        ]

    def predecessor(self, version: int) -> int | None:
        """The champion that a version succeeded; None if it was the first."""
        return self.get(version).predecessor

    @naming("moving the aliases")
    def _align(self, champion: int, previous: int | None) -> None:
        """Brings the other aliases in line with the champion."""
        if previous is not None:
            if self.version_of(self.PREVIOUS) != previous:
                self.set_alias(self.PREVIOUS, previous)
        elif self.version_of(self.PREVIOUS) is not None:
            self.client.delete_registered_model_alias(MODEL_NAME, self.PREVIOUS)
        if self.version_of(self.CHALLENGER) == champion:
            self.client.delete_registered_model_alias(MODEL_NAME, self.CHALLENGER)

    def reject(self, version: int, reason: str) -> None:
        """Tags a version as rejected."""
        self._tag(version, tags.REJECTED, reason[:_REASON_LENGTH])
        self._tag(version, tags.REJECTED_AT, f"{time.time():.0f}")

    @naming("withdrawing the rejection of version {version}")
    def withdraw_rejection(self, version: int) -> None:
        """Removes the rejection of a version, if there is one."""
        if self.get(version).rejection is not None:
            self.client.delete_model_version_tag(MODEL_NAME, str(version), tags.REJECTED)

    def record_storage(self, version: int, uri: str) -> None:
        """Records where a version's bundle lies in object storage; called once all of it is there."""
        self._tag(version, tags.STORAGE_URI, uri)

    def record_override(self, version: int, reason: str) -> None:
        """Records why a person promotes a version against its gates or its rejection; withdraws the rejection."""
        self.withdraw_rejection(version)
        self._tag(version, tags.OVERRIDE, reason[:_REASON_LENGTH])

    def record_verdict(self, version: int, verdict: RecordedVerdict) -> None:
        """Records how floors and gates decided about a version."""
        self._tag(version, tags.GUARD_SET, verdict.guard.described if verdict.guard else "none")
        failed = [floor.metric for floor in verdict.floors if not floor.passed]
        self._tag(version, tags.FLOORS, f"failed {', '.join(failed)}" if failed else "passed")
        self._tag(version, tags.VERDICT, json.dumps(verdict.as_json()))

    def verdict(self, version: int) -> RecordedVerdict | None:
        """How floors and gates decided about a version; None if it was never judged.

        Raises:
            RegistryError: The tag that holds it cannot be read.
        """
        raw = self.get(version).tags.get(tags.VERDICT)
        if raw is None:
            return None
        try:
            return RecordedVerdict.from_json(json.loads(raw))
        except (ValueError, InputError) as error:
            raise RegistryError(f"the verdict tag of version {version} cannot be read: {error}") from error

    def record_metrics(self, version: int, metrics: Mapping[str, float | None]) -> None:
        """Keeps the figures of a version's last evaluation; None is left out."""
        for name, value in metrics.items():
            if value is not None:
                self._tag(version, tags.METRIC + name, repr(float(value)))

    @naming("reading the bundle of version {version}")
    def download(self, version: int) -> Path:
        """The bundle of a version, on this machine.

        Raises:
            BundleError: It is not there or not whole.
        """
        import mlflow

        self.check_bundle(version)
        path = mlflow.artifacts.download_artifacts(
            artifact_uri=f"models:/{MODEL_NAME}/{version}", tracking_uri=self.uri, registry_uri=self.uri
        )
        return bundles.find(path)

    def check_bundle(self, version: int) -> None:
        """Checks that the bundle of a version is where the registry says, without reading all of it.

        Raises:
            BundleError: It is not there.
        """
        if not self._has_files(version):
            tagged = self.get(version).tags.get(tags.REMOVED_AT)
            why = (
                f"`arena home clean` removed it on {tagged}" if tagged else f"MLflow at {self.uri} holds no file of it"
            )
            raise BundleError(f"version {version} has no bundle: {why}; its figures are all that is left")

    def _has_bundle(self, version: RegisteredVersion) -> bool:
        """Whether a version's bundle is there; a removal that was killed half-way leaves a part, which is none."""
        return tags.REMOVED_AT not in version.tags and self._has_files(version.version)

    def _has_files(self, version: int) -> bool:
        """Whether MLflow holds files of a version; BundleError if it cannot say."""
        import mlflow

        try:
            found = mlflow.artifacts.list_artifacts(
                artifact_uri=f"models:/{MODEL_NAME}/{version}", tracking_uri=self.uri
            )
        except (mlflow.exceptions.MlflowException, OSError) as error:
            raise BundleError(
                f"the bundle of version {version} cannot be read (MLflow at {self.uri}): {reason(error)}"
            ) from error
        return bool(found)

    def aliases(self) -> dict[str, RegisteredVersion]:
        """The version behind every alias that is set."""
        found = {alias: self.version_of(alias) for alias in self.ALIASES}
        return {alias: self.get(version) for alias, version in found.items() if version is not None}

    @naming("listing the versions")
    def versions(self) -> list[RegisteredVersion]:
        """Every version, oldest first."""
        found = self.client.search_model_versions(f"name = '{MODEL_NAME}'")
        versions = [RegisteredVersion.from_tags(int(version.version), version.tags) for version in found]
        return sorted(versions, key=lambda version: version.version)

    @naming("tagging version {version} with {name}")
    def _tag(self, version: int, name: str, value: str) -> None:
        self.client.set_model_version_tag(MODEL_NAME, str(version), name, value)

    def _ensure_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(MODEL_NAME)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
