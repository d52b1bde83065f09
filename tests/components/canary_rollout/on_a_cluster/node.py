"""Pods on a real node: containers of the predictor's image, with bundles in ConfigMaps instead of a bucket."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from tests.components.canary_rollout.on_a_cluster.api import Api, Json
from tests.components.canary_rollout.on_a_cluster.storage import Storage
from tests.manifests.rendering import kubectl

IMAGE = "dev.local/content-arena/predictor:0.1.0"
_MODELS = "/mnt/models"


class Node:
    """See :class:`~tests.components.canary_rollout.on_a_cluster.workloads.PodRunner`."""

    def __init__(self, namespace: str, storage: Storage, folder: Path) -> None:
        self._api, self._storage = Api(namespace), storage
        self._items: dict[str, list[Json]] = {}

    def template(self, predictor: Json, runtime: Json, labels: Mapping[str, str]) -> Json:
        """The ServingRuntime's container with smaller resource requests, since several pods share two cores."""
        model = predictor["model"]
        version = model["storageUri"].strip("/").rpartition("/")[2]
        (serving,) = runtime["spec"]["containers"]
        mounts = [*serving.get("volumeMounts", []), {"name": "bundle", "mountPath": _MODELS, "readOnly": True}]
        serving = serving | {
            "image": IMAGE,
            "env": [*serving.get("env", []), *(model.get("env") or [])],
            "volumeMounts": mounts,
            "resources": serving["resources"] | {"requests": {"cpu": "50m", "memory": "64Mi"}},
        }
        bundle = {"name": f"bundle-{version}", "items": self._publish(version)}
        spec = {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": predictor.get("terminationGracePeriodSeconds", 30),
            "securityContext": predictor.get("securityContext", {}),
            "containers": [serving],
            "volumes": [*runtime["spec"].get("volumes", []), {"name": "bundle", "configMap": bundle}],
        }
        return {"metadata": {"labels": dict(labels)}, "spec": spec}

    def reconcile_once(self) -> None:
        """Does nothing: the node runs the pods."""

    def kill(self, name: str) -> None:
        kubectl("delete", "pod", name, f"--namespace={self._api.namespace}", "--grace-period=0", "--force")

    def close(self) -> None:
        """Does nothing: pods are deleted with their namespace."""

    def _publish(self, version: str) -> list[Json]:
        """Stores a bundle in a ConfigMap, whose keys cannot have slashes; returns its volume items."""
        if version not in self._items:
            folder = self._storage.published[version]
            files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
            places = [str(path.relative_to(folder)) for path in files]
            keys = [place.replace("/", "..") for place in places]
            data = [base64.b64encode(path.read_bytes()).decode() for path in files]
            body = {"metadata": {"name": f"bundle-{version}"}, "binaryData": dict(zip(keys, data, strict=True))}
            self._api.create("configmaps", body)
            self._items[version] = [{"key": key, "path": place} for key, place in zip(keys, places, strict=True)]
        return self._items[version]
