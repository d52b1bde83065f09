"""Which pods may reach which, by a model of the NetworkPolicies: no test cluster here enforces them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.manifests.rendering import NAMESPACE, Object, Renderer, matches, of_kind, pods


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod by its labels, in a namespace."""

    labels: dict[str, str]
    namespace: str = NAMESPACE


TASK = End({"workflows.argoproj.io/workflow": "arena-x1"}, "kubeflow")
GATEWAY = End({"app.kubernetes.io/name": "envoy"}, "envoy-gateway-system")
PROMETHEUS = End({"app.kubernetes.io/name": "prometheus"}, "monitoring")
DNS = End({"k8s-app": "kube-dns"}, "kube-system")
STRANGER = End({"app": "stranger"}, "default")


def allowed(policies: list[Object], source: End, target: End, port: int) -> bool:
    """Whether the policies of our namespace let a connection out of ``source`` and into ``target``."""
    leaves = source.namespace != NAMESPACE or _open(policies, "Egress", source, target, port)
    return leaves and (target.namespace != NAMESPACE or _open(policies, "Ingress", target, source, port))


def _open(policies: list[Object], direction: str, own: End, other: End, port: int) -> bool:
    rules, peers = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}[direction]
    relevant = [
        policy["spec"]
        for policy in policies
        if direction in policy["spec"]["policyTypes"] and matches(policy["spec"]["podSelector"], own.labels)
    ]
    return not relevant or any(
        _port(rule, port) and any(_peer(peer, other) for peer in rule[peers])
        for spec in relevant
        for rule in spec.get(rules, [])
    )


def _port(rule: dict[str, Any], port: int) -> bool:
    return "ports" not in rule or port in {entry["port"] for entry in rule["ports"]}


def _peer(peer: dict[str, Any], end: End) -> bool:
    if "ipBlock" in peer:
        # Addresses outside of the cluster, and the API server's: no pod that these tests name.
        return False
    here = {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}
    return matches(peer.get("namespaceSelector", here), {"kubernetes.io/metadata.name": end.namespace}) and matches(
        peer.get("podSelector", {}), end.labels
    )


def _end(ends: dict[str, End], given: str | End) -> End:
    return ends[given] if isinstance(given, str) else given


@pytest.fixture(scope="module")
def world(manifests: Renderer) -> tuple[list[Object], dict[str, End]]:
    """The policies of the kind overlay, and its pods (a Job's and KServe's as well) by name."""
    folders = (
        "overlays/kind",
        "overlays/kind/predictor",
        "jobs/arena-run",
        "jobs/mlflow-upgrade",
        "jobs/backup",
        "jobs/restore",
    )
    objects = [item for folder in folders for item in manifests.objects(folder)]
    ends = {str(pod): End(pod.labels) for pod in pods(objects)}
    return of_kind(objects, "NetworkPolicy"), ends


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        ("Deployment/mlflow", "StatefulSet/postgresql", 5432),
        ("Deployment/mlflow", "StatefulSet/seaweedfs", 9000),
        ("Job/mlflow-upgrade", "StatefulSet/postgresql", 5432),
        ("Job/s3-buckets", "StatefulSet/seaweedfs", 9000),
        ("Job/arena-run", "Deployment/mlflow", 5000),
        ("Job/arena-run", "StatefulSet/seaweedfs", 9000),
        ("Job/arena-run", "InferenceService/content-filter", 8080),
        ("Job/arena-run", "Deployment/predictor", 8080),
        ("Job/arena-run", GATEWAY, 10080),
        ("InferenceService/content-filter", "StatefulSet/seaweedfs", 9000),
        ("Deployment/predictor", "StatefulSet/seaweedfs", 9000),
        (TASK, "Deployment/mlflow", 5000),
        (TASK, "StatefulSet/seaweedfs", 9000),
        (TASK, "InferenceService/content-filter", 8080),
        (GATEWAY, "InferenceService/content-filter", 8080),
        (PROMETHEUS, "InferenceService/content-filter", 8080),
        (PROMETHEUS, "StatefulSet/seaweedfs", 9327),
        *(
            (name, target, port)
            for name in ("CronJob/backup", "Job/restore")
            for target, port in [
                ("StatefulSet/postgresql", 5432),
                ("StatefulSet/seaweedfs", 9000),
                (DNS, 53),
            ]
        ),
        ("Deployment/mlflow", DNS, 53),
        ("InferenceService/content-filter", DNS, 53),
    ],
)
def test_open(world, source, target, port):
    policies, ends = world
    assert allowed(policies, _end(ends, source), _end(ends, target), port)


@pytest.mark.parametrize(
    ("source", "target", "port"),
    [
        ("InferenceService/content-filter", "StatefulSet/postgresql", 5432),
        ("InferenceService/content-filter", "Deployment/mlflow", 5000),
        ("Job/arena-run", "StatefulSet/postgresql", 5432),
        ("Deployment/mlflow", "InferenceService/content-filter", 8080),
        ("Deployment/mlflow", "StatefulSet/seaweedfs", 19000),
        ("StatefulSet/seaweedfs", "Deployment/mlflow", 5000),
        ("StatefulSet/postgresql", STRANGER, 443),
        ("Deployment/mlflow", STRANGER, 443),
        ("CronJob/backup", "Deployment/mlflow", 5000),
        ("CronJob/backup", "InferenceService/content-filter", 8080),
        (STRANGER, "CronJob/backup", 8080),
        ("InferenceService/content-filter", STRANGER, 443),
        (TASK, "StatefulSet/postgresql", 5432),
        (GATEWAY, "Deployment/mlflow", 5000),
        (PROMETHEUS, "StatefulSet/postgresql", 5432),
        (PROMETHEUS, "StatefulSet/seaweedfs", 9000),
        ("Deployment/mlflow", "StatefulSet/seaweedfs", 9327),
        *((STRANGER, name, port) for name, port in [
            ("Deployment/mlflow", 5000), ("StatefulSet/seaweedfs", 9000), ("StatefulSet/postgresql", 5432),
            ("InferenceService/content-filter", 8080), ("Job/arena-run", 8080),
        ]),
    ],
)  # fmt: skip
def test_closed(world, source, target, port):
    policies, ends = world
    assert not allowed(policies, _end(ends, source), _end(ends, target), port)
