"""Renders the manifests as ``kubectl apply -k`` would, and finds the pods in what comes out."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from content_arena.components.promotion import first_service
from content_arena.components.registry import tags
from content_arena.components.registry.version import RegisteredVersion

MANIFESTS = Path(__file__).parents[2] / "manifests"
NAMESPACE = "content-arena"
#: Applied as a whole.
OVERLAYS = ("overlays/kind", "overlays/gpu", "overlays/production")
#: Applied on top of an overlay: here with the one whose settings and accounts they rely on.
ADDITIONS = {
    "jobs/arena-run": "overlays/kind",
    "jobs/backup": "overlays/kind",
    "jobs/copy-minio": "overlays/kind",
    "jobs/mlflow-upgrade": "overlays/production",
    "jobs/restore": "overlays/kind",
    "jobs/serve-champion": "overlays/kind",
    "overlays/kind/predictor": "overlays/kind",
    "overlays/gpu/arena-run": "overlays/gpu",
}
EVERYTHING = (*OVERLAYS, *ADDITIONS)

Object = dict[str, Any]
#: Filled in by whoever works here; the examples are copied.
_SECRETS = shutil.ignore_patterns(
    "arena-s3.env",
    "arena-s3-*.env",
    "arena-mlflow.env",
    "arena-mlflow-reader.env",
    "arena-mlflow-admin.env",
    "arena-minio.env",
    "arena-postgresql.env",
    "arena-probe.env",
    "arena-*.json",
)


@dataclass(frozen=True)
class Pod:
    """Pods that an object brings about.

    Attributes:
        owner: ``Kind/name`` of the object.
        labels: Labels that the pods carry.
        spec: Their spec.
        kind: Kind of the object.
    """

    owner: str
    labels: dict[str, str]
    spec: dict[str, Any]
    kind: str

    def __str__(self) -> str:
        return self.owner

    @property
    def containers(self) -> list[dict[str, Any]]:
        """Init containers and containers."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


class Renderer:
    """Renders from a copy of the manifests that has generated secrets."""

    def __init__(self, root: Path) -> None:
        """Copies the manifests to ``root`` and makes secrets there."""
        self.root = root / "manifests"
        shutil.copytree(MANIFESTS, self.root, ignore=_SECRETS)
        subprocess.run([self.root / "secrets/make-secrets"], check=True, capture_output=True)
        self.text = cache(self._text)

    def _text(self, folder: str) -> str:
        return kubectl("kustomize", str(self.root / folder))

    def objects(self, folder: str) -> list[Object]:
        """What a folder renders to."""
        return [document for document in yaml.load_all(self.text(folder), Loader=yaml.CSafeLoader) if document]

    def with_base(self, folder: str) -> list[Object]:
        """What is in the cluster once a folder is applied: for an addition, its overlay as well."""
        return self.objects(folder) + (self.objects(ADDITIONS[folder]) if folder in ADDITIONS else [])

    def in_namespace(self, folder: str, namespace: str, *components: str) -> str:
        """A folder as it renders for another namespace, with components added."""
        wrapper = self.root / f"in-{namespace}" / folder.replace("/", "-")
        wrapper.mkdir(parents=True, exist_ok=True)
        kustomization = {
            "namespace": namespace,
            "resources": [f"../../{folder}"],
            "components": [f"../../{name}" for name in components],
        }
        (wrapper / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        # The subjects of a RoleBinding keep the namespace that they name.
        return kubectl("kustomize", str(wrapper)).replace(f"namespace: {NAMESPACE}\n", f"namespace: {namespace}\n")


def kubectl(*arguments: str, given: str | None = None) -> str:
    """Runs kubectl and returns what it prints.

    Raises:
        AssertionError: It failed; the message is its output.
    """
    done = subprocess.run(["kubectl", *arguments], input=given, capture_output=True, text=True)
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr.strip()}"
    return done.stdout


def name_of(item: Object) -> str:
    """``Kind/name``."""
    return f"{item['kind']}/{item['metadata']['name']}"


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    """The objects of these kinds."""
    return [item for item in objects if item["kind"] in kinds]


def find(objects: list[Object], kind: str, name: str) -> Object:
    """The one object of that kind and name."""
    (found,) = [item for item in of_kind(objects, kind) if item["metadata"]["name"] == name]
    return found


def serving_runtime(objects: list[Object]) -> Object:
    """The ServingRuntime of this release, which these objects have one of."""
    (found,) = of_kind(objects, "ServingRuntime")
    return found


def services(objects: list[Object]) -> list[Object]:
    """The InferenceService that promotion would create from the template among these objects; none without one."""
    champion = RegisteredVersion(1, "0" * 64, 0, tags={tags.STORAGE_URI: "s3://models/content-filter/1/"})
    templates = [
        item for item in of_kind(objects, "ConfigMap") if item["metadata"]["name"] == "content-filter-template"
    ]
    return [first_service.manifest(item["data"], "content-filter", champion) for item in templates]


def pods(objects: list[Object]) -> list[Pod]:
    """The pods of every workload, those of an InferenceService put together as KServe does."""
    return list(_pods(objects))


def _pods(objects: list[Object]) -> Iterator[Pod]:
    for item in of_kind(objects, "Deployment", "StatefulSet", "Job"):
        template = item["spec"]["template"]
        yield Pod(name_of(item), template["metadata"]["labels"], template["spec"], item["kind"])
    for item in of_kind(objects, "CronJob"):
        template = item["spec"]["jobTemplate"]["spec"]["template"]
        yield Pod(name_of(item), template["metadata"]["labels"], template["spec"], "Job")
    for item in services(objects):
        predictor = item["spec"]["predictor"]
        runtime = find(objects, "ServingRuntime", predictor["model"]["runtime"])
        yield _predictor_pod(item, predictor, runtime["spec"])


def _predictor_pod(service: Object, predictor: dict[str, Any], runtime: dict[str, Any]) -> Pod:
    """The runtime's containers and volumes, everything else from the predictor, and KServe's own labels."""
    variant = f"-{predictor['name']}" if "name" in predictor else ""
    name = f"{service['metadata']['name']}{variant}-predictor"
    not_of_a_pod = {
        "name", "labels", "annotations", "model", "minReplicas", "maxReplicas", "scaleMetric", "scaleTarget",
        "deploymentStrategy", "storageContainerName",
    }  # fmt: skip
    spec = {key: value for key, value in predictor.items() if key not in not_of_a_pod}
    (container,) = runtime["containers"]
    container = container | {"env": [*container.get("env", []), *predictor["model"].get("env", [])]}
    spec |= {"containers": [container], "volumes": runtime["volumes"]}
    labels = predictor["labels"] | {
        "app": f"isvc.{name}",
        "component": "predictor",
        "serving.kserve.io/inferenceservice": service["metadata"]["name"],
    }
    return Pod(name_of(service), labels, spec, "InferenceService")


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector selects something with these labels; an empty one selects everything."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_fulfils(expression, labels) for expression in selector.get("matchExpressions", []))


def _fulfils(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "Exists":
            return value is not None
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
    raise AssertionError(f"unknown operator {expression['operator']}")
