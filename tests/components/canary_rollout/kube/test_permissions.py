"""The Role in manifests/ allows all that a rollout does, and nothing else."""

import contextlib
import copy
import json
import os
from pathlib import Path

import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from content_arena.components.canary_rollout.kube.client import ClusterError
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from tests.components.canary_rollout.kube.test_client import kubeconfig, load_from
from tests.components.canary_rollout.stand_in import standard_world
from tests.manifests.guards import eventually
from tests.manifests.rendering import kubectl

_ACCESS = Path(__file__).parents[4] / "manifests/base/arena/access"
ROLE = yaml.safe_load((_ACCESS / "rollout-role.yaml").read_text(encoding="utf-8"))
CLUSTER_ROLE = yaml.safe_load((_ACCESS / "rollout-cluster-role.yaml").read_text(encoding="utf-8"))
GRANTS = [
    (rule["apiGroups"][0], resource, verb) for rule in ROLE["rules"] for resource in rule["resources"]
    for verb in rule["verbs"]
]  # fmt: skip
RECORD = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rollout-content-filter"}}
LEASE = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {},
         "metadata": {"name": "rollout-content-filter"}}  # fmt: skip


def event(namespace):
    regarding = {"kind": "InferenceService", "name": "filter", "namespace": namespace}
    return {
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"generateName": "filter."}, "type": "Normal",
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "content-arena/rollout", "action": "patch",
        "reportingInstance": "a", "reason": "RolloutMove", "note": "a test", "regarding": regarding,
    }  # fmt: skip


def refused(call):
    """Whether the API server forbids it."""
    try:
        call()
    except ClusterError as error:
        return "cannot" in str(error) and "resource" in str(error)
    return False


def asked(cluster, method, path, body=None):
    """Any request, with the account of the client."""
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    try:
        return cluster._core.api_client.call_api(
            path, method, header_params={"Content-Type": kind}, body=body, auth_settings=["BearerToken"]
        )
    except ApiException as error:
        raise ClusterError(json.loads(error.body)["message"]) from error


#: The requests of a rollout, by the permission that each needs.
def calls(cluster):
    return {
        ("serving.kserve.io", "inferenceservices", "get"): lambda: cluster.service("filter"),
        ("serving.kserve.io", "inferenceservices", "patch"): lambda: cluster.patch_service(
            "filter", {"spec": {"predictor": {"minReplicas": 2}}}, "1"
        ),
        ("serving.kserve.io", "servingruntimes", "list"): lambda: cluster.serving_runtimes(),
        ("", "configmaps", "create"): lambda: cluster.create_config_map(RECORD),
        ("", "configmaps", "get"): lambda: cluster.config_map("rollout-content-filter"),
        ("", "configmaps", "patch"): lambda: cluster.patch_config_map("rollout-content-filter", {"data": {}}, "1"),
        ("gateway.networking.k8s.io", "httproutes", "get"): lambda: cluster.route("filter"),
        ("apps", "deployments", "list"): lambda: cluster.ready_pods("filter"),
        ("autoscaling", "horizontalpodautoscalers", "list"): lambda: cluster.autoscalers("filter"),
        ("autoscaling", "horizontalpodautoscalers", "delete"): lambda: cluster.delete_autoscaler("filter-v1-predictor"),
        ("", "pods", "list"): lambda: cluster.pods("app=isvc.filter-v2-predictor"),
        # previous_logs hides a refusal, so the log is requested directly.
        ("", "pods/log", "get"): lambda: asked(cluster, "GET", f"/api/v1/namespaces/{cluster.namespace}/pods/a/log"),
        ("coordination.k8s.io", "leases", "get"): lambda: cluster.lease("rollout-content-filter"),
        ("coordination.k8s.io", "leases", "create"): lambda: cluster.write_lease(LEASE),
        ("coordination.k8s.io", "leases", "update"): lambda: cluster.write_lease(
            LEASE | {"metadata": {"name": "rollout-content-filter", "resourceVersion": "1"}}
        ),
        ("events.k8s.io", "events", "create"): lambda: cluster.create_event(event(cluster.namespace)),
    }


@pytest.fixture
def rollout(namespace, tmp_path, monkeypatch):
    """Gives an account a single Role, and returns a client with that account."""
    body = standard_world.service() | {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    body["metadata"] |= {"namespace": namespace}
    account = f"system:serviceaccount:{namespace}:rollout"
    kubectl("apply", "--filename=-", given=yaml.safe_dump(body))
    for made in (("serviceaccount", "rollout"), ("role", "arena-rollout", "--verb=get", "--resource=pods")):
        with contextlib.suppress(AssertionError):
            kubectl("create", *made, f"--namespace={namespace}")
    with contextlib.suppress(AssertionError):
        kubectl("create", "rolebinding", "rollout", "--role=arena-rollout", f"--user={account}",
                f"--namespace={namespace}")  # fmt: skip
    token = kubectl("create", "token", "rollout", f"--namespace={namespace}").strip()
    path = kubeconfig(tmp_path, lambda settings: settings["users"][0].update(user={"token": token}))

    def under(role):
        role = copy.deepcopy(role)
        role["metadata"]["namespace"] = namespace
        kubectl("apply", "--force-conflicts", "--server-side", "--filename=-", given=yaml.safe_dump(role))
        load_from(monkeypatch, path)
        return KubernetesClient(namespace)

    return under


def without(grant):
    group, resource, verb = grant
    role = copy.deepcopy(ROLE)
    for rule in role["rules"]:
        if group in rule["apiGroups"] and resource in rule["resources"]:
            rule["verbs"] = [other for other in rule["verbs"] if other != verb] or ["nothing"]
    return role


def test_the_role_allows_what_a_rollout_does_and_no_more(rollout):
    cluster = rollout(ROLE)
    assert set(GRANTS) == set(calls(cluster))
    assert [grant for grant, call in calls(cluster).items() if refused(call)] == []


@pytest.mark.parametrize("grant", GRANTS, ids=lambda grant: f"{grant[2]}-{grant[1]}")
def test_every_permission_is_needed(rollout, grant):
    assert refused(calls(rollout(without(grant)))[grant])


def test_runtimes_of_the_whole_cluster_need_the_cluster_role(rollout):
    # The client's account takes the place of the administrator in KUBECONFIG.
    admin = f"--kubeconfig={os.environ['KUBECONFIG']}"
    cluster = rollout(ROLE)
    assert refused(lambda: cluster.serving_runtimes(of_cluster=True))
    name = f"rollout-{cluster.namespace}"
    try:
        kubectl("create", "--filename=-", admin, given=yaml.safe_dump(CLUSTER_ROLE | {"metadata": {"name": name}}))
        user = f"--user=system:serviceaccount:{cluster.namespace}:rollout"
        kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", user, admin)
        # The API server sees new rights a moment later.
        eventually(lambda: not refused(lambda: cluster.serving_runtimes(of_cluster=True)), "runtimes may be listed")
    finally:
        kubectl("delete", "clusterrole,clusterrolebinding", name, "--ignore-not-found", admin)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices/filter"),
        ("POST", "apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices"),
        ("GET", "api/v1/namespaces/{}/secrets"),
        ("GET", "api/v1/namespaces/{}/configmaps"),
        ("GET", "api/v1/namespaces/{}/configmaps/rollout-another"),
        ("PATCH", "api/v1/namespaces/{}/configmaps/kube-root-ca.crt"),
        ("DELETE", "api/v1/namespaces/{}/configmaps/rollout-content-filter"),
        ("GET", "apis/coordination.k8s.io/v1/namespaces/{}/leases/rollout-another"),
        ("PUT", "apis/coordination.k8s.io/v1/namespaces/{}/leases/rollout-another"),
        ("DELETE", "api/v1/namespaces/{}/pods/a"),
        ("GET", "apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices/filter"),
        ("PATCH", "apis/apps/v1/namespaces/{}/deployments/a"),
        ("DELETE", "apis/serving.kserve.io/v1alpha1/namespaces/{}/servingruntimes/a"),
    ],
)
def test_everything_else_is_refused(rollout, method, path):
    cluster = rollout(ROLE)
    body = None if method in ("GET", "DELETE") else {}
    assert refused(lambda: asked(cluster, method, "/" + path.format(cluster.namespace), body))
