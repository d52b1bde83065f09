"""A service on a real API server, with simulated controllers, pods, a gateway, storage, a registry and users."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.components.canary_rollout.on_a_cluster import refusals, storage, workloads
from tests.components.canary_rollout.on_a_cluster.api import Loop
from tests.components.canary_rollout.on_a_cluster.gateway import Gateway
from tests.components.canary_rollout.on_a_cluster.knative import KnativeKServe
from tests.components.canary_rollout.on_a_cluster.service_under_test import SERVICE, ServiceUnderTest
from tests.components.canary_rollout.on_a_cluster.standard import RouteFollower, StandardKServe
from tests.components.canary_rollout.on_a_cluster.users import Users
from tests.manifests.guards import of_rollouts, serving_runtimes
from tests.manifests.rendering import MANIFESTS, kubectl

_PREDICTOR = MANIFESTS / "base/arena/predictor"
#: The runtime of this release, and that of the one before, which a service still has after an upgrade of the suite.
RUNTIME, RUNTIME_BEFORE, *_ = serving_runtimes()
#: By this argument pods of the runtime before are told from others.
ARGUMENT_BEFORE = "--threads=1"


class Installation(ServiceUnderTest):
    """Version 1 serves with two pods, and this process plays KServe's controllers."""

    replicas = 2
    #: The simulated controllers are those of 0.21, whatever is installed.
    kserve_version = "0.21"

    def __init__(
        self, namespace: str, folder: Path, mode: str, champion: dict[str, float],
        pods: Callable[[str, storage.Storage, Path], workloads.PodRunner],
    ) -> None:  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(namespace, folder, mode, storage.Storage(folder / "models"))
        self.storage.put("1", **champion)
        self.gateway = Gateway(folder / "gateway")
        self.pods = pods(namespace, self.storage, folder)
        if mode == "Standard":
            follower = RouteFollower(namespace, SERVICE, self.gateway)
            kserve = StandardKServe(namespace, SERVICE, self.pods, follower.dropped)
            controllers = [kserve.reconcile_once, follower.reconcile_once]
        else:
            controllers = [KnativeKServe(namespace, SERVICE, self.pods, self.gateway).reconcile_once]
        refusals.install(namespace)
        kubectl("label", "namespace", namespace, "app.kubernetes.io/part-of=content-arena")
        kubectl("apply", "--filename=-", given=of_rollouts(namespace))
        self._create_runtimes()
        self._create()
        self._loops = [Loop(reconcile_once) for reconcile_once in (*controllers, self.pods.reconcile_once)]

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
        kubectl("delete", "--ignore-not-found", "--filename=-", given=of_rollouts(self.namespace))
        if errors:
            raise ExceptionGroup("a simulated controller failed", errors)

    def weights(self) -> dict[str, int]:
        """The route's weights by the version of each variant (Standard mode)."""
        route = self.api.get("httproutes", SERVICE)
        refs = route["spec"]["rules"][0]["backendRefs"] if route else []
        return {ref["name"].removeprefix(f"{SERVICE}-").removesuffix("-predictor"): ref["weight"] for ref in refs}

    def kill_pods(self, version: str) -> None:
        """Kills the processes of a version's pods, as a node that runs out of memory does."""
        for pod in self.pods_of(version):
            self.pods.kill(pod["metadata"]["name"])

    def answers(self) -> bool:
        """Whether a user would be answered."""
        users = Users(self.gateway.port, SERVICE, n=1)
        time.sleep(0.3)
        users.stop()
        return 200 in users.statuses()

    def _create_runtimes(self) -> None:
        """Creates the runtime of this release, and that of the release before."""
        body = yaml.safe_load((_PREDICTOR / "serving-runtime.yaml").read_text())
        self.api.create("servingruntimes", body | {"metadata": {"name": RUNTIME}})
        body["spec"]["containers"][0]["args"].append(ARGUMENT_BEFORE)
        self.api.create("servingruntimes", body | {"metadata": {"name": RUNTIME_BEFORE}})

    def _create(self) -> None:
        body = yaml.safe_load((_PREDICTOR / "inference-service.yaml").read_text())
        body["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = self.mode
        predictor = body["spec"]["predictor"]
        # What promotion puts in.
        predictor["model"] |= {
            "runtime": RUNTIME_BEFORE,
            "storageUri": "s3://models/content-filter/1/",
            "env": [{"name": "CONTENT_ARENA_MODEL_VERSION", "value": "1"}],
        }
        if self.mode == "Knative":
            body["metadata"]["annotations"].pop("serving.kserve.io/autoscalerClass")
            for name in ("name", "scaleMetric", "scaleTarget", "deploymentStrategy"):
                predictor.pop(name)
        self.api.create("inferenceservices", body)
