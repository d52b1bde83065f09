"""The arena's predictor behind real controllers: KServe, Knative Serving, a gateway, SeaweedFS and containers.

Only the bundles are not those of a user: they have a few kilobytes. Everything else is what ``overlays/kind`` with the
component for Knative renders to.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from content_arena.components.canary_rollout.traffic.model import SHA256_VARIABLE
from content_arena.components.registry import tags
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.storage.store import Store
from tests.components.canary_rollout.on_a_cluster.api import Json
from tests.components.canary_rollout.on_a_cluster.service_under_test import SERVICE, ServiceUnderTest
from tests.components.canary_rollout.on_a_cluster.storage import Storage, uri
from tests.components.canary_rollout.on_a_cluster.users import Users
from tests.manifests.forwarding import forwarded
from tests.manifests.rendering import Renderer, kubectl, of_kind, services, serving_runtime

_GATEWAY = ("--namespace=envoy-gateway-system", "-l=gateway.envoyproxy.io/owning-gateway-name=kserve-ingress-gateway")
_PORT = 80
#: What the whole cluster has once.
_SHARED = ("ClusterStorageContainer", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
#: Names of what all tests of a module share, and of what each has in its own namespace. Network policies are left out,
#: because users and probes come from outside the cluster.
_STORAGE = (
    "seaweedfs", "s3", "seaweedfs-pods", "s3-buckets", "arena-s3", "arena-s3-predictor", "arena-s3-admin",
    "arena-s3-identities", "arena-settings",
)  # fmt: skip
_STORAGE_KINDS = ("ServiceAccount", "Secret", "ConfigMap", "Service", "StatefulSet", "Job")
_PREDICTOR = ("arena-predictor", "arena-s3-predictor", "predictor")
_PREDICTOR_KINDS = ("ServiceAccount", "Secret", "PodDisruptionBudget")


class Bucket(Storage):
    """Bundles in object storage, each with a copy on this machine."""

    def __init__(self, folder: Path, store: Store, register: Callable[[str, str], None]) -> None:
        """``register`` stores a version's SHA-256 in the registry."""
        super().__init__(folder)
        self._store, self._register, self._put = store, register, dict[str, bundles.Bundle]()

    def put(self, version: str, fault: str = "", **options) -> bundles.Bundle:
        assert not fault, "the container's predictor is the real one: only its bundle can be bad"
        self._put[version] = super().put(version, **options)
        self._store.publish(self._put[version], uri(version))
        self._register(version, self._put[version].spec.digest)
        return self._put[version]

    def tear(self, version: str) -> None:
        super().tear(version)
        self._store.publish(self._put[version], uri(version))


@dataclass(frozen=True)
class Platform:
    """What the tests of a module share.

    Attributes:
        objects: What a namespace with a predictor needs.
        template: The InferenceService that promotion would create.
        store: The object storage.
        gateway: Address and port of the gateway, as seen from this machine.
    """

    objects: list[Json]
    template: Json
    store: Store
    gateway: tuple[str, int]


@contextlib.contextmanager
def platform(manifests: Renderer, namespace: str) -> Iterator[Platform]:
    """Installs SeaweedFS in a namespace, and what the whole cluster has once; removes the latter afterwards."""
    text = manifests.in_namespace("overlays/kind", namespace, "components/knative")
    rendered = [item for item in yaml.safe_load_all(text.replace("s3:9000", f"s3.{namespace}:9000")) if item]
    gateway, shared = _gateway(), yaml.safe_dump_all(of_kind(rendered, *_SHARED))
    storage = [_without_claim(item) for item in _named(of_kind(rendered, *_STORAGE_KINDS), *_STORAGE)]
    (template,) = services(rendered)
    kubectl("apply", "--filename=-", given=yaml.safe_dump_all(storage))
    try:
        kubectl("apply", "--filename=-", given=shared)
        kubectl("wait", "--for=condition=complete", "job/s3-buckets", f"--namespace={namespace}", "--timeout=10m")
        with forwarded("service/s3", 9000, namespace) as url:
            store = Store.from_environment(_keys(namespace) | {"S3_ENDPOINT_URL": url})
            objects = [serving_runtime(rendered), *_named(of_kind(rendered, *_PREDICTOR_KINDS), *_PREDICTOR)]
            yield Platform(objects, template, store, gateway)
    finally:
        kubectl("delete", "--ignore-not-found", "--filename=-", given=shared)


class RealKnative(ServiceUnderTest):
    """Version 1 serves with one pod."""

    def __init__(self, namespace: str, folder: Path, shared: Platform) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(namespace, folder, "Knative", Bucket(folder / "models", shared.store, self._register))
        self._gateway, self._objects = shared.gateway, shared.objects
        champion = self.storage.put("1")
        self._apply(shared.objects)
        self._apply([_serving(champion, shared.template)])

    def start(self) -> None:
        """Waits until version 1 serves, and starts the users."""
        ready = ("wait", "--for=condition=Ready", f"inferenceservice/{SERVICE}", "--timeout=5m")
        kubectl(*ready, f"--namespace={self.namespace}")
        self.before = self.service()["spec"]
        # The gateway learns of a new host a moment after the service is Ready.
        self.wait(self._answers, "a user is answered")
        self.users = self._users()

    def close(self) -> None:
        if hasattr(self, "users"):
            self.users.stop()

    def add_runtime(self, name: str, argument: str) -> None:
        """Creates the ServingRuntime of another release, whose container has one more argument."""
        body = copy.deepcopy(serving_runtime(self._objects))
        body["metadata"]["name"] = name
        body["spec"]["containers"][0]["args"].append(argument)
        self._apply([body])

    def arguments(self) -> dict[str, list[str]]:
        """The container's arguments in the latest revision of each version."""
        found = {item["metadata"]["name"]: item["spec"]["containers"][0]["args"] for item in self.api.list("revisions")}
        return {version: found[name] for name, version in sorted(self.revisions().items())}

    def revisions(self) -> dict[str, str]:
        """The version of each revision there has been, by its name."""
        found = {}
        for item in self.api.list("revisions"):
            env = item["spec"]["containers"][0]["env"]
            (version,) = [one["value"] for one in env if one["name"] == "CONTENT_ARENA_MODEL_VERSION"]
            found[item["metadata"]["name"]] = version
        return found

    def _register(self, version: str, digest: str) -> None:
        self.aliases.set_model_version_tag(SERVICE, version, tags.DIGEST, digest)

    def _users(self, n: int = 4) -> Users:
        address, port = self._gateway
        host = self.service()["status"]["url"].partition("://")[2]
        return Users(port, host, n, address=address)

    def _answers(self) -> bool:
        users = self._users(n=1)
        time.sleep(1)
        users.stop()
        return set(users.statuses()) == {200}

    def _apply(self, objects: list[Json]) -> None:
        items = [item | {"metadata": item["metadata"] | {"namespace": self.namespace}} for item in objects]
        kubectl("apply", "--filename=-", given=yaml.safe_dump_all(items))


def _gateway() -> tuple[str, int]:
    """The gateway's address and port; skips the test if it is not reached from this machine."""
    items = json.loads(kubectl("get", "services", *_GATEWAY, "--output=json"))["items"]
    nodes = json.loads(kubectl("get", "nodes", "--output=json"))["items"]
    internal = [one["address"] for node in nodes for one in node["status"]["addresses"] if one["type"] == "InternalIP"]
    candidates = [(item["spec"]["clusterIP"], _PORT) for item in items]
    candidates += [
        (address, port["nodePort"])
        for item in items
        for port in item["spec"]["ports"]
        for address in internal
        if port["port"] == _PORT and "nodePort" in port
    ]
    for candidate in candidates:
        with contextlib.suppress(OSError):
            socket.create_connection(candidate, timeout=5).close()
            return candidate
    pytest.skip(f"needs the gateway kserve-ingress-gateway to be reached from here; tried {candidates}")


def _named(objects: list[Json], *names: str) -> list[Json]:
    return [item for item in objects if item["metadata"]["name"] in names]


def _keys(namespace: str) -> dict[str, str]:
    """The access keys, by the names of their environment variables."""
    secret = json.loads(kubectl("get", "secret", "arena-s3", f"--namespace={namespace}", "--output=json"))
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}


def _serving(champion: bundles.Bundle, template: Json) -> Json:
    """The service with the SHA-256 of a bundle, which the template was rendered without."""
    body = copy.deepcopy(template)
    for variable in body["spec"]["predictor"]["model"]["env"]:
        if variable["name"] == SHA256_VARIABLE:
            variable["value"] = champion.spec.digest
    return body


def _without_claim(item: Json) -> Json:
    """A StatefulSet whose data goes with its pod: the tests need no volume."""
    if item["kind"] != "StatefulSet":
        return item
    spec = dict(item["spec"])
    del spec["volumeClaimTemplates"]
    template = spec["template"]
    volumes = [*template["spec"]["volumes"], {"name": "data", "emptyDir": {}}]
    return item | {"spec": spec | {"template": template | {"spec": template["spec"] | {"volumes": volumes}}}}
