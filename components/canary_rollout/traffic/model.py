"""What a predictor serves, in its spec: the bundle's address, the runtime, and the variables that name the bundle."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.plan.state import Challenger

#: Environment variable with the version that a predictor puts into its answers.
VERSION_VARIABLE = "CONTENT_ARENA_MODEL_VERSION"
#: Environment variable with the SHA-256 of the bundle that a predictor may serve.
SHA256_VARIABLE = "CONTENT_ARENA_EXPECTED_SHA256"


def storage_uri(predictor: Json) -> str:
    """Where a predictor's bundle is; empty if its spec has no address."""
    return predictor.get("model", {}).get("storageUri") or ""


def configured_version(predictor: Json) -> str | None:
    """The version that a predictor is configured to answer with; None if it is configured with none."""
    return _variable(predictor, VERSION_VARIABLE)


def configured_sha256(predictor: Json) -> str:
    """The SHA-256 of the bundle that a predictor is configured to serve; empty if it may serve any."""
    return _variable(predictor, SHA256_VARIABLE) or ""


def runtime_of(predictor: Json) -> str:
    """Name of the ServingRuntime of a predictor; empty if its spec names none."""
    return predictor.get("model", {}).get("runtime") or ""


def chosen_runtime(service: Json) -> str:
    """Name of the runtime that KServe says it has chosen for a service; empty if it does not say."""
    status = service.get("status", {})
    return status.get("servingRuntimeName") or status.get("clusterServingRuntimeName") or ""


def _variable(predictor: Json, name: str) -> str | None:
    for variable in predictor.get("model", {}).get("env") or []:
        if variable["name"] == name:
            value: str | None = variable.get("value")
            return value
    return None


def version_of(predictor: Json) -> str:
    """The version that a predictor serves: the configured one, or else the last part of its bundle's address."""
    return configured_version(predictor) or storage_uri(predictor).rstrip("/").rpartition("/")[2]


@dataclass(frozen=True)
class Model:
    """What is served, as a predictor's spec names it.

    Attributes:
        uri: Where the bundle is.
        version: The version to answer with; None to leave that to the predictor.
        sha256: SHA-256 that the bundle has to have; empty if it is not known. That of the bundle before never stays.
        runtime: Name of its ServingRuntime; empty for that of the predictor.
    """

    uri: str
    version: str | None
    sha256: str
    runtime: str

    @classmethod
    def of(cls, challenger: Challenger) -> Self:
        """A challenger's."""
        return cls(challenger.storage_uri, challenger.version, challenger.sha256, challenger.runtime)


def model_of(predictor: Json, model: Model) -> Json:
    """Returns a merge patch of a predictor's model for another bundle: ``storageUri``, ``env`` and maybe ``runtime``.

    Args:
        predictor: The predictor whose other variables are kept.
        model: What it is to serve. Its runtime is only written if the predictor has another one.
    """
    env = copy.deepcopy(predictor.get("model", {}).get("env") or [])
    env = [variable for variable in env if variable["name"] not in (VERSION_VARIABLE, SHA256_VARIABLE)]
    if model.version is not None:
        env.append({"name": VERSION_VARIABLE, "value": model.version})
    if model.sha256:
        env.append({"name": SHA256_VARIABLE, "value": model.sha256})
    found: Json = {"storageUri": model.uri, "env": env or None}
    return found | {"runtime": model.runtime} if model.runtime not in ("", runtime_of(predictor)) else found
