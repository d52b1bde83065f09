"""The service that a test rolls out on, its registry and its users, whoever plays KServe."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient

from tests.components.canary_rollout.on_a_cluster import storage, workloads
from tests.components.canary_rollout.on_a_cluster.api import Api, Json
from tests.components.canary_rollout.on_a_cluster.users import Users
from tests.manifests.rendering import kubectl

SERVICE = "content-filter"
#: What the predictors know a rollout's probes by.
PROBE_TOKEN = "token-of-the-probes"


class ServiceUnderTest:
    """Version 1 is the champion, and its InferenceService is in a namespace of its own.

    Attributes:
        replicas: How many pods of the version that serves are wanted.
        before: Spec of the service before any rollout.
        kserve_version: What the rollout is told; None to let it find out.
    """

    replicas = 1
    kserve_version: str | None = None
    users: Users

    def __init__(self, namespace: str, folder: Path, mode: str, bundles: storage.Storage) -> None:
        self.namespace, self.mode, self.folder, self.storage = namespace, mode, folder, bundles
        self.registry = f"sqlite:///{folder / 'mlflow.db'}"
        self.aliases = MlflowClient(self.registry, self.registry)
        self.aliases.create_registered_model(SERVICE)
        self.publish("champion")
        self.api = Api(namespace)
        token = f"--from-literal=token={PROBE_TOKEN}"
        kubectl("create", "secret", "generic", "arena-probe", token, f"--namespace={namespace}")
        self.before: Json = {}

    def publish(self, alias: str) -> str:
        """Registers the next version, with its address."""
        version = self.aliases.create_model_version(SERVICE, source=storage.uri("0")).version
        self.aliases.set_model_version_tag(SERVICE, str(version), "storage_uri", storage.uri(str(version)))
        self.aliases.set_registered_model_alias(SERVICE, alias, str(version))
        return str(version)

    def service(self) -> Json:
        found = self.api.get("inferenceservices", SERVICE)
        assert found
        return found | {"status": found.get("status", {})}

    def patch(self, body: Json) -> None:
        self.api.merge("inferenceservices", SERVICE, body)

    def annotate(self, **values: str | None) -> None:
        """Annotates the record, as a person does with kubectl."""
        named = {f"content-arena/{name}": value for name, value in values.items()}
        self.api.merge("configmaps", f"rollout-{SERVICE}", {"metadata": {"annotations": named}})

    def pods_of(self, version: str) -> list[Json]:
        """The pods that are configured with a version."""
        pods = self.api.list("pods", f"{workloads.SERVICE_LABEL}={SERVICE}")
        return [pod for pod in pods if _configured_version(pod) == version]

    def ready_pods(self, version: str) -> int:
        """Number of ready pods that are configured with a version."""
        return sum(map(workloads.is_ready, self.pods_of(version)))

    def alias(self, name: str) -> str:
        """The version that an alias names; empty if none."""
        return str(self.aliases.get_registered_model(SERVICE).aliases.get(name, ""))

    def tags(self, version: str) -> dict[str, str]:
        return self.aliases.get_model_version(SERVICE, version).tags

    @staticmethod
    def now() -> float:
        """The time on the clock by which users record their answers."""
        return time.monotonic()

    def wait(self, holds: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}; {self.service()['status']}"
            time.sleep(0.2)


def _configured_version(pod: Json) -> str:
    env = pod["spec"]["containers"][0]["env"]
    return next(variable["value"] for variable in env if variable["name"] == "CONTENT_ARENA_MODEL_VERSION")
