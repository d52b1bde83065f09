"""A service on a real API server, with controllers, pods, gateway, storage, registry and users."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import yaml
from mlflow import MlflowClient

from tests.components.canary_rollout.on_a_cluster import refusals, storage, workloads
from tests.components.canary_rollout.on_a_cluster.api import Api, Json, Loop
from tests.components.canary_rollout.on_a_cluster.gateway import Gateway
from tests.components.canary_rollout.on_a_cluster.knative import KnativeKServe
from tests.components.canary_rollout.on_a_cluster.standard import RouteFollower, StandardKServe
from tests.components.canary_rollout.on_a_cluster.users import Users
from tests.manifests.rendering import MANIFESTS

SERVICE = "content-filter"
_PREDICTOR = MANIFESTS / "base/arena/predictor"


class Installation:
    """Version 1 serves with two pods."""

    def __init__(
        self, namespace: str, folder: Path, mode: str, champion: dict[str, float],
        pods: Callable[[str, storage.Storage, Path], workloads.PodRunner],
    ) -> None:  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        self.namespace, self.mode, self.folder = namespace, mode, folder
        self.storage = storage.Storage(folder / "models")
        self.storage.put("1", **champion)
        self.registry = f"sqlite:///{folder / 'mlflow.db'}"
        self.aliases = MlflowClient(self.registry, self.registry)
        self.aliases.create_registered_model(SERVICE)
        self.publish("champion")
        self.api = Api(namespace)
        runtime = yaml.safe_load((_PREDICTOR / "serving-runtime.yaml").read_text())
        self.gateway = Gateway(folder / "gateway")
        self.pods = pods(namespace, self.storage, folder)
        if mode == "Standard":
            follower = RouteFollower(namespace, SERVICE, self.gateway)
            kserve = StandardKServe(namespace, SERVICE, runtime, self.pods, follower.dropped)
            controllers = [kserve.reconcile_once, follower.reconcile_once]
        else:
            controllers = [KnativeKServe(namespace, SERVICE, runtime, self.pods, self.gateway).reconcile_once]
        refusals.install(namespace)
        self.users: Users
        self._create()
        self._loops = [Loop(reconcile_once) for reconcile_once in (*controllers, self.pods.reconcile_once)]
        self.before: Json = {}

    def start(self) -> None:
        """Waits until version 1 serves, and starts the users."""
        self.wait(lambda: self.service()["status"].get("url") and self.answers(), "version 1 serves", 180)
        self.before = self.service()["spec"]
        self.users = Users(self.gateway.port, f"{SERVICE}-{self.namespace}.example.com")

    def close(self) -> None:
        if hasattr(self, "users"):
            self.users.stop()
        self.api.delete("inferenceservices", SERVICE)
        errors = []
        for loop in self._loops:
            try:
                loop.stop()
            except Exception as error:
                errors.append(error)
        self.pods.close()
        self.gateway.close()
        refusals.remove(self.namespace)
        if errors:
            raise ExceptionGroup("a simulated controller failed", errors)

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

    def weights(self) -> dict[str, int]:
        """The route's weights by the version of each variant (Standard mode)."""
        route = self.api.get("httproutes", SERVICE)
        refs = route["spec"]["rules"][0]["backendRefs"] if route else []
        return {ref["name"].removeprefix(f"{SERVICE}-").removesuffix("-predictor"): ref["weight"] for ref in refs}

    def ready_pods(self, version: str) -> int:
        """Number of ready pods that are configured with a version."""
        label = f"{workloads.SERVICE_LABEL}={SERVICE}"
        pods = self.api.list("pods", label)
        return sum(workloads.is_ready(pod) and _configured_version(pod) == version for pod in pods)

    def kill_pods(self, version: str) -> None:
        """Kills the processes of a version's pods, as a node that runs out of memory does."""
        for pod in self.api.list("pods", f"{workloads.SERVICE_LABEL}={SERVICE}"):
            if _configured_version(pod) == version:
                self.pods.kill(pod["metadata"]["name"])

    def answers(self) -> bool:
        """Whether a user would be answered."""
        users = Users(self.gateway.port, SERVICE, n=1)
        time.sleep(0.3)
        users.stop()
        return 200 in users.statuses()

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

    def _create(self) -> None:
        body = yaml.safe_load((_PREDICTOR / "inference-service.yaml").read_text())
        body["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = self.mode
        predictor = body["spec"]["predictor"]
        # What promotion puts in.
        predictor["model"] |= {
            "storageUri": "s3://models/content-filter/1/",
            "env": [{"name": "CONTENT_ARENA_MODEL_VERSION", "value": "1"}],
        }
        if self.mode == "Knative":
            body["metadata"]["annotations"].pop("serving.kserve.io/autoscalerClass")
            for name in ("name", "scaleMetric", "scaleTarget", "deploymentStrategy"):
                predictor.pop(name)
        self.api.create("inferenceservices", body)


def _configured_version(pod: Json) -> str:
    env = pod["spec"]["containers"][0]["env"]
    return next(variable["value"] for variable in env if variable["name"] == "CONTENT_ARENA_MODEL_VERSION")
