"""The first hour of manifests/README.md on real controllers, from nothing: its own commands, in its own order.

Needs KServe's controller beside the node that ``conftest.py`` of this folder describes, and Knative for Knative mode.
Only texts and battle are fewer than a user's: every other step is the default.
"""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
import requests
import yaml

from tests.manifests.forwarding import forwarded
from tests.manifests.guards import eventually
from tests.manifests.nodes import kserve_runs, ready_node_with
from tests.manifests.readme import first_hour
from tests.manifests.rendering import MANIFESTS, NAMESPACE, Renderer, find, kubectl, pods
from tests.ports import free_ports

pytestmark = [pytest.mark.node, pytest.mark.slow]

IN = f"--namespace={NAMESPACE}"
MODELS = "/api/2.0/mlflow/registered-models/search"
ASKS_WITHOUT_AND_WITH_LOGIN = f"""
import os, requests
login = os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]
for auth in (None, login):
    print(requests.get(os.environ["MLFLOW_TRACKING_URI"] + "{MODELS}", auth=auth, timeout=60).status_code)
"""
MLFLOW_HOST = "mlflow.example.com"
MLFLOW_ROUTE = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "mlflow", "namespace": NAMESPACE},
    "spec": {
        "parentRefs": [{"name": "kserve-ingress-gateway", "namespace": "kserve"}],
        "hostnames": [MLFLOW_HOST],
        "rules": [{"backendRefs": [{"name": "mlflow", "port": 5000}]}],
    },
}
SMALL = "command: [arena, run, --max-texts=1500, --texts=16, --budget=2]"
_LAST_COMPONENT = "  - ../../components/cluster-settings\n"
#: Seconds for all commands of the README together; the training takes most of them.
_LIMIT = 3_600


class Checkout:
    """A copy of the manifests, as a user's checkout has them before the first command."""

    def __init__(self, root, mode):
        self.root = root
        shutil.copytree(MANIFESTS, root / "manifests", ignore=shutil.ignore_patterns("arena-*.env"))
        self._edit("manifests/jobs/arena-run/job/job.yaml", "command: [arena, run]", SMALL)
        if mode == "Knative":
            knative = "  - ../../components/knative\n"
            self._edit("manifests/overlays/kind/kustomization.yaml", _LAST_COMPONENT, knative + _LAST_COMPONENT)

    def _edit(self, name, old, new):
        path = self.root / name
        text = path.read_text()
        assert text.count(old) == 1, f"{name} has no {old!r} to replace"
        path.write_text(text.replace(old, new))

    def run(self, script):
        """Runs commands in one shell that ends with the first that fails; returns what they print."""
        script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + script
        process = subprocess.Popen(
            ["bash", "-c", script], cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            out, errors = process.communicate(timeout=_LIMIT)
        finally:
            if process.poll() is None:
                # kubectl, which waits, is a child of the shell.
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == 0, f"{out[-4000:]}\n{errors[-2000:]}\n{_state()}"
        return out


@pytest.fixture(scope="module", params=["Standard", "Knative"])
def mode(request, scratch_cluster, manifests: Renderer):
    """How KServe serves; skipped where the cluster has not what it needs."""
    served = kubectl("api-resources", "--output=name").split()
    if not kserve_runs():
        pytest.skip("needs KServe's controller in the cluster of KUBECONFIG, which makes pods of an InferenceService")
    if request.param == "Knative" and "services.serving.knative.dev" not in served:
        pytest.skip("needs Knative Serving in the cluster of KUBECONFIG")
    objects = manifests.objects("overlays/kind")
    initialiser = find(objects, "ClusterStorageContainer", "content-arena")["spec"]["container"]["image"]
    made = [*pods(objects), *pods(manifests.objects("jobs/arena-run"))]
    ready_node_with([initialiser, *(container["image"] for pod in made for container in pod.containers)])
    if kubectl("get", "namespace", NAMESPACE, "--ignore-not-found"):
        pytest.skip(f"needs a cluster without the namespace {NAMESPACE}: kubectl delete namespace {NAMESPACE}")
    return request.param


@pytest.fixture(scope="module")
def checkout(mode, tmp_path_factory):
    """The manifests as a user has them; what was applied is removed afterwards, as the README says."""
    made = Checkout(tmp_path_factory.mktemp("checkout"), mode)
    try:
        yield made
    finally:
        kubectl("delete", "inferenceservice", "content-filter", IN, "--ignore-not-found", "--timeout=5m")
        # Knative's pods may take 300 s to end, and a namespace that is deleted meanwhile waits for half of that.
        kubectl("wait", "--for=delete", "pods", "--selector=component=predictor", IN, "--timeout=5m")
        folder = str(made.root / "manifests/overlays/kind")
        kubectl("delete", "--kustomize", folder, "--ignore-not-found", "--timeout=10m")


@pytest.fixture(scope="module")
def answer(checkout, mode, note):
    """What the README's last command prints."""
    (port,) = free_ports(1)
    started = time.monotonic()
    last = checkout.run(first_hour().replace("8081", str(port))).splitlines()[-1]
    note(f"README's first hour in {mode} mode took {time.monotonic() - started:.0f} s: {last[:200]}")
    return json.loads(last)


def test_the_first_champion_answers_through_the_gateway(answer, mode):
    (prediction,) = answer["predictions"]
    assert prediction["model_version"].isdecimal()
    assert isinstance(prediction["is_toxic"], bool)


def test_the_service_is_made_of_the_version_that_was_published(answer, mode):
    service = json.loads(kubectl("get", "inferenceservice", "content-filter", IN, "--output=json"))
    predictor = service["spec"]["predictor"]
    uri = predictor["model"]["storageUri"]
    version = re.fullmatch(r"s3://models/content-filter/(\d+)/", uri)[1]
    assert {"name": "CONTENT_ARENA_MODEL_VERSION", "value": version} in predictor["model"]["env"]
    assert service["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == mode
    assert predictor.get("name") == (f"v{version}" if mode == "Standard" else None)
    assert f"is created, from {uri}" in kubectl("logs", "job/arena-run", "--tail=-1", IN)


def test_every_pod_satisfies_restricted_which_is_enforced(answer, mode):
    labels = json.loads(kubectl("get", "namespace", NAMESPACE, "--output=json"))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    events = json.loads(kubectl("get", "events", IN, "--output=json"))["items"]
    assert [event["message"] for event in events if "violates PodSecurity" in event["message"]] == []
    (pod, *_) = json.loads(kubectl("get", "pods", "--selector=component=predictor", IN, "--output=json"))["items"]
    (initialiser,) = [one for one in pod["spec"]["initContainers"] if one["name"] == "storage-initializer"]
    assert initialiser["securityContext"]["runAsNonRoot"] is True


def test_applied_again_the_service_stays_as_it_is(answer, checkout):
    generation = ("get", "inferenceservice", "content-filter", IN, "--output=jsonpath={.metadata.generation}")
    before = kubectl(*generation)
    kubectl("apply", "--kustomize", str(checkout.root / "manifests/overlays/kind"))
    assert kubectl(*generation) == before


def test_a_stages_pod_needs_mlflows_login(answer, manifests: Renderer):
    job = find(manifests.objects("jobs/arena-run"), "Job", "arena-run")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    job["metadata"]["name"], container["command"] = "mlflow-login", ["python", "-c", ASKS_WITHOUT_AND_WITH_LOGIN]
    kubectl("apply", "--filename=-", given=yaml.safe_dump(job))
    try:
        kubectl("wait", "--for=condition=complete", "job/mlflow-login", IN, "--timeout=3m")
        assert kubectl("logs", "job/mlflow-login", IN).split() == ["401", "200"]
    finally:
        kubectl("delete", "job", "mlflow-login", IN)


def test_mlflow_asks_for_its_login_through_the_gateway_too(answer):
    hosts = 'jsonpath={..env[?(@.name=="MLFLOW_SERVER_ALLOWED_HOSTS")].value}'
    known = kubectl("get", "deployment", "mlflow", IN, f"--output={hosts}")
    kubectl("set", "env", "deployment/mlflow", f"MLFLOW_SERVER_ALLOWED_HOSTS={known},{MLFLOW_HOST}", IN)
    kubectl("rollout", "status", "deployment/mlflow", IN, "--timeout=5m")
    kubectl("apply", "--filename=-", given=yaml.safe_dump(MLFLOW_ROUTE))
    secret = json.loads(kubectl("get", "secret", "arena-mlflow", IN, "--output=json"))["data"]
    login = tuple(base64.b64decode(secret[f"MLFLOW_TRACKING_{part}"]).decode() for part in ("USERNAME", "PASSWORD"))
    label = "gateway.envoyproxy.io/owning-gateway-name=kserve-ingress-gateway"
    of_gateway = ("--namespace=envoy-gateway-system", f"--selector={label}", "--output=name")
    with forwarded(kubectl("get", "service", *of_gateway).strip(), 80, "envoy-gateway-system") as url:

        def status(auth=None):
            headers = {"Host": MLFLOW_HOST}
            return requests.get(url + MODELS, headers=headers, auth=auth, timeout=60).status_code

        # The gateway learns of a route a moment after it was made: 404 until then.
        eventually(lambda: status() != 404, "the gateway has the route")
        assert [status(), status(("arena", "wrong")), status(login)] == [401, 401, 200]


def _state():
    """What a person would look at after a failure."""
    asked = (("get", "pods,inferenceservices"), ("get", "events", "--sort-by=.lastTimestamp"))
    outputs = [subprocess.run(["kubectl", *each, IN], capture_output=True, text=True).stdout for each in asked]
    return "\n".join(output[-3000:] for output in outputs)
