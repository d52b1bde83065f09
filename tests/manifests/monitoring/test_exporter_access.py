"""The exporter with the rights of its Role, before a real API server: it reads a rollout, and may do nothing else."""

import json
import os
import time

import pytest
import requests
import yaml
from kubernetes import config
from kubernetes.client import AuthorizationV1Api

from content_arena.components.canary_rollout.controller.record import RecordStore
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.kube.lease import Lease
from content_arena.components.canary_rollout.plan.state import Phase
from tests.components.canary_rollout.rollouts import at
from tests.components.canary_rollout.stand_in import standard_world
from tests.components.metrics_exporter.test_server import exporting
from tests.manifests.rendering import kubectl

from .expressions import FOLDER

ACCESS = FOLDER / "exporter-access.yaml"
SERVICE = "content-filter"
ACCOUNT = "metrics-exporter"


@pytest.fixture(scope="module")
def account(namespace, tmp_path_factory):
    """The path of a kubeconfig with the account's token; a rollout is under way."""
    body = standard_world.service() | {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
    body["metadata"] |= {"name": SERVICE, "namespace": namespace}
    kubectl("apply", "--filename=-", given=yaml.safe_dump(body))
    access = ACCESS.read_text(encoding="utf-8").replace("namespace: content-arena\n", f"namespace: {namespace}\n")
    kubectl("create", "serviceaccount", ACCOUNT, f"--namespace={namespace}")
    kubectl("apply", "--filename=-", given=access)
    client = KubernetesClient(namespace)
    store = RecordStore(client, SERVICE)
    store.write(store.read(client.service(SERVICE)), at(Phase.BAKING, step=2))
    Lease(client, SERVICE).acquire()
    settings = json.loads(kubectl("config", "view", "--raw", "--minify", "--output=json"))
    settings["users"][0]["user"] = {"token": kubectl("create", "token", ACCOUNT, f"--namespace={namespace}").strip()}
    path = tmp_path_factory.mktemp("access") / "kubeconfig"
    path.write_text(json.dumps(settings))
    return str(path)


@pytest.fixture(scope="module")
def may(account, namespace):
    """Whether the account may do something: ``may(verb, "resource.group/name", namespace)``."""
    reviews = AuthorizationV1Api(config.new_client_from_config(os.environ["KUBECONFIG"]))
    owner = f"system:serviceaccount:{namespace}:{ACCOUNT}"

    def ask(verb, what, where=namespace):
        path, _, name = what.partition("/")
        resource, _, group = path.partition(".")
        resource, _, part = resource.partition("_")
        attributes = {"namespace": where, "verb": verb, "group": group, "resource": resource, "subresource": part}
        spec = {"user": owner, "groups": ["system:authenticated"], "resourceAttributes": attributes | {"name": name}}
        return reviews.create_subject_access_review({"spec": spec}).status.allowed

    return ask


@pytest.mark.parametrize(
    "what",
    [
        "inferenceservices.serving.kserve.io/content-filter",
        "configmaps/rollout-content-filter",
        "leases.coordination.k8s.io/rollout-content-filter",
    ],
)
def test_it_reads_three_objects_and_changes_none(may, what):
    assert may("get", what)
    assert not any(may(verb, what) for verb in ("update", "patch", "delete", "list", "watch", "create"))
    assert not may("get", what.partition("/")[0])
    assert not may("get", f"{what}-2")
    assert not may("get", what, "default")


def test_it_reads_nothing_else(may):
    others = ("secrets", "pods", "pods_log", "deployments.apps", "httproutes.gateway.networking.k8s.io", "events")
    assert not [(verb, what) for what in others for verb in ("get", "list") if may(verb, what)]


def test_its_process_exports_the_rollout(account, namespace, tmp_path):
    options = ("--service", SERVICE, "--namespace", namespace)
    with exporting(f"sqlite:///{tmp_path / 'none.db'}", *options, KUBECONFIG=account) as (url, _):
        end, text = time.monotonic() + 60, ""
        while "content_arena_exporter_cluster_up 1.0" not in text:
            assert time.monotonic() < end, text
            time.sleep(0.2)
            text = requests.get(f"{url}/metrics", timeout=10).text
    name = f'service="{SERVICE}"'
    assert f'content_arena_rollout_record_phase{{phase="baking",{name}}} 1.0' in text
    assert f"content_arena_rollout_record_under_way{{{name}}} 1.0" in text
    (renewed,) = [line for line in text.splitlines() if line.startswith("content_arena_rollout_lease_renewed")]
    assert abs(time.time() - float(renewed.split()[-1])) < 120
    # What MLflow holds cannot be read here, and hides nothing of the cluster.
    assert "content_arena_exporter_up 0.0" in text
