"""What an API server accepts: fields, Pod Security, rights, and what is applied twice.

The cluster is the one that KUBECONFIG names. Everything happens in namespaces of these tests' own.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable

import pytest
import yaml

from tests.manifests.rendering import EVERYTHING, OVERLAYS, Object, Renderer, kubectl, of_kind, pods, services

STRICT = ("--server-side", "--dry-run=server", "--validate=strict", "--filename=-")


def as_text(objects: list[Object]) -> str:
    return yaml.safe_dump_all(objects)


def applied(*arguments: str, given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["kubectl", "apply", *arguments], input=given, capture_output=True, text=True)


def _eventually(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)


@pytest.mark.parametrize("folder", EVERYTHING)
def test_the_server_knows_every_field_and_warns_of_nothing(manifests: Renderer, namespace: str, folder: str):
    done = applied(*STRICT, given=manifests.in_namespace(folder, namespace))
    assert done.returncode == 0, done.stderr
    # Pods of a Deployment that Pod Security would refuse are a warning here, and pods that never come later.
    assert "Warning" not in done.stderr, done.stderr


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_server_takes_what_promotion_makes_of_the_template(manifests: Renderer, namespace: str, folder: str):
    (service,) = services(list(yaml.safe_load_all(manifests.in_namespace(folder, namespace))))
    service["metadata"]["namespace"] = namespace
    done = applied(*STRICT, given=as_text([service]))
    assert done.returncode == 0, done.stderr


def test_strict_means_strict(manifests: Renderer, namespace: str):
    objects = list(yaml.safe_load_all(manifests.in_namespace("overlays/kind", namespace)))
    (service,) = services(objects)
    service["metadata"]["namespace"] = namespace
    service["spec"]["predictor"]["minimumReplicas"] = 1
    done = applied(*STRICT, given=as_text([service]))
    assert "minimumReplicas" in done.stderr


@pytest.mark.parametrize("folder", OVERLAYS)
def test_pod_security_admits_every_pod(manifests: Renderer, namespace: str, folder: str):
    """KServe's pods and claims' volumes included, which the workloads' own warnings leave out."""
    for pod in pods(manifests.objects(folder)):
        spec = pod.spec | {"serviceAccountName": "default", "restartPolicy": pod.spec.get("restartPolicy", "Always")}
        spec["volumes"] = [*spec["volumes"], {"name": "data", "emptyDir": {}}]
        name = pod.owner.replace("/", "-").lower()
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
        done = subprocess.run(
            ["kubectl", "create", "--dry-run=server", "--filename=-"],
            input=yaml.safe_dump(body), capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_pod_security_refuses_others(namespace: str):
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root", "namespace": namespace},
            "spec": {"containers": [{"name": "root", "image": "busybox:1"}]}}  # fmt: skip
    done = subprocess.run(
        ["kubectl", "create", "--dry-run=server", "--filename=-"],
        input=yaml.safe_dump(body), capture_output=True, text=True,
    )  # fmt: skip
    assert "violates PodSecurity" in done.stderr


@pytest.fixture(scope="module")
def may(manifests: Renderer, namespace: str):
    """Applies accounts and roles for real; asks for all rights in one call. ``may(account, verb, resource)``."""
    objects = list(yaml.safe_load_all(manifests.in_namespace("overlays/kind", namespace)))
    access = of_kind(objects, "ServiceAccount", "Role", "RoleBinding")
    kubectl("apply", "--filename=-", given=as_text(access))

    def ask(account: str, *questions: tuple[str, str], where: str = namespace) -> dict[tuple[str, str], bool]:
        home, _, name = account.rpartition("/")
        user = f"system:serviceaccount:{home or namespace}:{name}"
        reviews = [_review(user, verb, resource, where) for verb, resource in questions]
        answers = kubectl(
            "create", "--filename=-", '--output=jsonpath={.status.allowed}{"\\n"}', given=as_text(reviews)
        ).split()
        return {question: answer == "true" for question, answer in zip(questions, answers, strict=True)}

    # The API server sees new rights a moment later.
    _eventually(lambda: all(may_now for name in ROLLS for may_now in ask(name, *ROLLOUT).values()))
    return ask


def _review(user: str, verb: str, resource: str, namespace: str) -> Object:
    path, _, group = resource.partition(".")
    resource, _, part = path.partition("/")
    attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": resource, "subresource": part}
    # A service account is in these groups, and rights may come through them.
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{user.split(':')[2]}", "system:authenticated"]
    spec = {"user": user, "groups": groups, "resourceAttributes": attributes}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


SERVICE = "inferenceservices.serving.kserve.io"
ROLLOUT = [
    *((verb, SERVICE) for verb in ("get", "patch")),
    ("list", "servingruntimes.serving.kserve.io"),
    ("get", "httproutes.gateway.networking.k8s.io"),
    ("list", "pods"),
    ("get", "pods/log"),
    ("list", "deployments.apps"),
    ("create", "leases.coordination.k8s.io"),
    ("create", "events.events.k8s.io"),
]
#: Accounts that roll out.
ROLLS = ["arena-rollout"]
NOT_EVEN_ROLLOUT = [
    *((verb, SERVICE) for verb in ("list", "watch", "create", "update", "delete", "deletecollection")),
    ("patch", f"inferenceservices/status.{SERVICE.partition('.')[2]}"),
    ("patch", "httproutes.gateway.networking.k8s.io"),
    ("create", "pods"),
    ("get", "services"),
    ("create", "events"),
    ("create", "pods/exec"),
    ("delete", "pods"),
    ("patch", "deployments.apps"),
    *((verb, "secrets") for verb in ("get", "list", "watch")),
    ("get", "configmaps"),
    # Without a name, so all of them.
    *((verb, "leases.coordination.k8s.io") for verb in ("get", "update", "delete")),
    ("create", "serviceaccounts/token"),
    ("create", "rolebindings.rbac.authorization.k8s.io"),
    ("escalate", "roles.rbac.authorization.k8s.io"),
    ("bind", "roles.rbac.authorization.k8s.io"),
    ("impersonate", "serviceaccounts"),
]


@pytest.mark.parametrize("account", ROLLS)
def test_the_rollout_may_what_it_does_and_nothing_else(may, account):
    assert set(may(account, *ROLLOUT).values()) == {True}
    refused = may(account, *NOT_EVEN_ROLLOUT)
    # The exit task of a run creates the first service where the stage before it could not.
    assert [question for question, allowed in refused.items() if allowed] == [("create", SERVICE)]


@pytest.mark.parametrize("account", ROLLS)
def test_the_rollouts_rights_end_at_the_namespace(may, account):
    assert not any(may(account, *ROLLOUT, where="default").values())


@pytest.mark.parametrize("account", ["arena-run", "kubeflow/pipeline-runner"])
def test_the_first_service_is_all_that_other_stages_may_make(may, account):
    """Of objects without a name they may create services; the template and its service they may read by their names."""
    asked = may(account, *ROLLOUT, *NOT_EVEN_ROLLOUT)
    assert [question for question, allowed in asked.items() if allowed] == [("create", SERVICE)]


@pytest.mark.parametrize("account", ["arena-predictor", "mlflow", "seaweedfs", "postgresql", "default"])
def test_the_others_may_nothing(may, account):
    assert not any(may(account, *ROLLOUT, *NOT_EVEN_ROLLOUT).values())


def test_applied_twice_and_removed_without_the_data(manifests: Renderer, namespace: str):
    text = manifests.in_namespace("overlays/kind", namespace).replace(
        "storageClassName: standard", "storageClassName: of-no-volume"
    )
    # Not what belongs to the whole cluster; the tests of the guards apply the policies under other names.
    of_cluster = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ClusterStorageContainer",
                  "ClusterRole", "ClusterRoleBinding")  # fmt: skip
    objects = [item for item in yaml.safe_load_all(text) if item["kind"] not in of_cluster]
    assert applied("--filename=-", given=as_text(objects)).returncode == 0
    before = _generations(namespace)
    again = kubectl("apply", "--filename=-", given=as_text(objects))
    assert len(again.splitlines()) == len(objects)
    assert _generations(namespace) == before
    # Fails where anything would be different.
    kubectl("diff", "--filename=-", given=as_text(objects))
    kubectl("delete", "--filename=-", "--selector=content-arena/keep!=true", "--wait=false", given=as_text(objects))
    left = {
        item["metadata"]["name"] for item in _left(namespace, "secrets", "persistentvolumeclaims", "deployments.apps")
    }
    assert left >= {"arena-s3", "arena-postgresql", "arena-checkpoints"}
    assert "mlflow" not in left


def _left(namespace: str, *kinds: str) -> list[Object]:
    found = json.loads(kubectl("get", ",".join(kinds), f"--namespace={namespace}", "--output=json"))["items"]
    return [item for item in found if "deletionTimestamp" not in item["metadata"]]


def _generations(namespace: str) -> dict[str, int]:
    """How often the spec of each object changed."""
    kinds = "deployments.apps,statefulsets.apps,jobs.batch,networkpolicies,poddisruptionbudgets,inferenceservices"
    found = json.loads(kubectl("get", kinds, f"--namespace={namespace}", "--output=json"))["items"]
    return {f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["generation"] for item in found}
