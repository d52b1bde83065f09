"""The InferenceService that serves the first champion, made from a template that the cluster keeps.

No manifest can name the first champion before it was trained, so the manifests bring a template, the ConfigMap
``<service>-template``. Once there is a champion in object storage, and no service yet, the service is created from it.
From then on the service belongs to the rollout.

Keys of the ConfigMap:

* ``inference-service.yaml``: the manifest, without the model's address.
* ``patch-*.yaml``: JSON merge patches (RFC 7396), applied in the order of their names; null takes a field away.
* ``runtime``: name of the ServingRuntime; that of the manifest if there is none.
* ``owner``: ``promotion`` to create the service, ``gitops`` to print its manifest for someone who commits it.

``python -m content_arena.components.promotion.first_service`` does it at once, for a champion that is there already:
after a restore. It reads MLFLOW_TRACKING_URI, MLflow's login, and CONTENT_ARENA_SERVICE.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Protocol

import yaml

from content_arena.components.registry.version import RegisteredVersion
from content_arena.components.shared.errors import ArenaError, InputError, exit_code_of

Json = dict[str, Any]
#: Environment variable with NAMESPACE/NAME of the service to create, for callers without a parameter.
SERVICE = "CONTENT_ARENA_SERVICE"
_MANIFEST, _PATCH, _OWNER, _RUNTIME = "inference-service.yaml", "patch-", "owner", "runtime"
_VERSION_VARIABLE, _SHA256_VARIABLE = "CONTENT_ARENA_MODEL_VERSION", "CONTENT_ARENA_EXPECTED_SHA256"


class Cluster(Protocol):
    """What is asked of the API server; see :mod:`content_arena.components.canary_rollout.kube.service_creation`."""

    def template(self, name: str) -> dict[str, str] | None:
        """The data of a ConfigMap; None if there is none."""
        ...

    def has_service(self, name: str) -> bool:
        """Whether there is an InferenceService of that name."""
        ...

    def create_service(self, body: Json) -> None:
        """Creates an InferenceService."""
        ...


def serve_first(champion: RegisteredVersion | None, service: str | None = None) -> list[str]:
    """Creates the service if there is none yet; an error becomes a line, as the champion is promoted already.

    Args:
        champion: The version that serves from now on; None if there is none.
        service: NAMESPACE/NAME of the InferenceService; $CONTENT_ARENA_SERVICE if None. With neither, none is created.

    Returns:
        What was done, or why nothing was, a line each; nothing where no service is named or it exists.
    """
    named = service or os.environ.get(SERVICE)
    if not named or champion is None or not champion.storage_uri:
        return []
    try:
        return _ensure_named(named, champion)
    except ArenaError as error:
        return [f"the InferenceService {named} is not created: {error}; the next run tries again"]


def _ensure_named(named: str, champion: RegisteredVersion) -> list[str]:
    from content_arena.components.canary_rollout.kube.service_creation import ServiceCreationClient

    namespace, _, name = named.rpartition("/")
    if not namespace:
        raise InputError("wanted NAMESPACE/NAME, such as content-arena/content-filter")
    return ensure(ServiceCreationClient(namespace), name, champion)


def ensure(cluster: Cluster, name: str, champion: RegisteredVersion) -> list[str]:
    """Creates a service for the champion, or prints its manifest, unless there is one.

    Args:
        cluster: The API server of the service's namespace.
        name: Of the service.
        champion: A published version.

    Returns:
        What was done, a line each.

    Raises:
        InputError: The template cannot be used.
        ClusterError: The API server does not answer or refuses.
    """
    if cluster.has_service(name):
        return []
    template = cluster.template(f"{name}-template")
    if template is None:
        return [f"no InferenceService {name} is created: there is no ConfigMap {name}-template to make it from"]
    body = manifest(template, name, champion)
    owner = template.get(_OWNER, "promotion").strip()
    if owner == "gitops":
        text = yaml.safe_dump(body, sort_keys=False)
        return [f"version {champion.version} needs this InferenceService, for you to commit:", *text.splitlines()]
    if owner != "promotion":
        raise InputError(f"{_OWNER} of ConfigMap {name}-template is {owner!r}, wanted promotion or gitops")
    cluster.create_service(body)
    return [f"the InferenceService {name} is created, from {champion.storage_uri}"]


def manifest(template: Mapping[str, str], name: str, champion: RegisteredVersion) -> Json:
    """The service's manifest.

    In Standard mode the first variant is named after its version, since a promotion hands the name on; in Knative mode
    the template has no name.

    Args:
        template: Data of the ConfigMap.
        name: Of the service.
        champion: A published version.

    Raises:
        InputError: A document of the template is missing, is no YAML, or is no service of that name.
    """
    try:
        body = yaml.safe_load(template[_MANIFEST])
        for key in sorted(key for key in template if key.startswith(_PATCH)):
            body = merged(body, yaml.safe_load(template[key]))
        predictor = body["spec"]["predictor"]
        if body["metadata"]["name"] != name:
            raise InputError(f"ConfigMap {name}-template describes {body['metadata']['name']}")
        model, variables = _model_of(predictor)
    # YAML's dates that are none raise ValueError, and its aliases can nest without an end.
    except (yaml.YAMLError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"ConfigMap {name}-template is no InferenceService with a model ({reason})") from error
    if runtime := template.get(_RUNTIME, "").strip():
        model["runtime"] = runtime
    model["storageUri"] = champion.storage_uri
    variables = [each for each in variables if each.get("name") not in (_VERSION_VARIABLE, _SHA256_VARIABLE)]
    model["env"] = [*variables, {"name": _VERSION_VARIABLE, "value": str(champion.version)}]
    if champion.digest:
        model["env"].append({"name": _SHA256_VARIABLE, "value": champion.digest})
    if "name" in predictor:
        predictor["name"] = f"v{champion.version}"
    return dict(body)


def _model_of(predictor: object) -> tuple[Json, list[Json]]:
    """The predictor's model and its environment variables.

    Raises:
        TypeError: One of them is missing or has another shape.
    """
    model = predictor.get("model") if isinstance(predictor, dict) else None
    if not isinstance(model, dict):
        raise TypeError("spec.predictor.model is no mapping")
    variables = model.get("env") or []
    if not isinstance(variables, list) or not all(isinstance(each, dict) for each in variables):
        raise TypeError("spec.predictor.model.env is no list of mappings")
    return model, variables


def merged(target: object, patch: object) -> Any:  # noqa: ANN401 - any JSON
    """JSON merge patch, RFC 7396: objects are merged, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def main() -> int:
    """The module's command; returns the exit code: 0, or 2 after an error, which is one line on stderr."""

    def run() -> None:
        from content_arena.components.registry.registry import Registry

        named = os.environ.get(SERVICE)
        if not named:
            raise InputError(f"{SERVICE} is not set: NAMESPACE/NAME of the InferenceService to create")
        champion = Registry(None).aliases().get(Registry.CHAMPION)
        if champion is None or not champion.storage_uri:
            raise InputError("the registry has no champion that was published to object storage: run the loop first")
        for line in _ensure_named(named, champion) or [f"the InferenceService {named} is there already"]:
            print(line)

    return exit_code_of(run)


if __name__ == "__main__":
    sys.exit(main())
