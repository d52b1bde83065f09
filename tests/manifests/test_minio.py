"""The MinIO of version 0.1.0 beside SeaweedFS, to copy from."""

from __future__ import annotations

import pytest
import yaml

from tests.manifests.rendering import Object, Renderer, find, kubectl, of_kind, pods
from tests.manifests.test_network import PROMETHEUS, STRANGER, TASK, End, allowed


@pytest.fixture(scope="module")
def beside(manifests: Renderer) -> list[Object]:
    """The base with the component, and the Job."""
    folder = manifests.root / "with-minio"
    folder.mkdir()
    names = ("minio", "settings", "cluster-settings")
    kustomization = {"resources": ["../base"], "components": [f"../components/{name}" for name in names]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    rendered = [item for item in yaml.safe_load_all(kubectl("kustomize", str(folder))) if item]
    return rendered + manifests.objects("jobs/copy-minio")


def test_the_copy_reaches_both_and_nobody_else_reaches_minio(beside: list[Object]):
    policies = of_kind(beside, "NetworkPolicy")
    ends = {str(pod): End(pod.labels) for pod in pods(beside)}
    copy, minio = ends["Job/copy-minio"], ends["StatefulSet/minio"]
    assert allowed(policies, copy, minio, 9000)
    assert allowed(policies, copy, ends["StatefulSet/seaweedfs"], 9000)
    for other in (ends["Deployment/mlflow"], ends["Job/s3-buckets"], TASK, PROMETHEUS, STRANGER):
        assert not allowed(policies, other, minio, 9000)
    assert not allowed(policies, minio, ends["StatefulSet/seaweedfs"], 9000)


def test_minio_finds_the_volume_that_it_had(beside: list[Object]):
    """Nothing that a StatefulSet may not change is different from version 0.1.0."""
    spec = find(beside, "StatefulSet", "minio")["spec"]
    assert (spec["serviceName"], spec["replicas"]) == ("minio-pods", 1)
    assert spec["selector"] == {"matchLabels": {"app.kubernetes.io/name": "minio"}}
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["metadata"] == {"name": "data", "labels": {"app.kubernetes.io/part-of": "content-arena"}}
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "20Gi"}},
        "storageClassName": "standard",
    }
    assert spec["template"]["spec"]["securityContext"]["fsGroup"] == 10002


def test_minio_has_the_key_that_it_had_and_the_copy_reads_it(beside: list[Object]):
    for name in ("StatefulSet/minio", "Job/copy-minio"):
        (pod,) = [each for each in pods(beside) if str(each) == name]
        (container,) = pod.containers
        named = {entry["valueFrom"]["secretKeyRef"]["name"] for entry in container["env"] if "valueFrom" in entry}
        assert "arena-minio" in named
