"""The kind overlay on a node, from nothing: installed, used, disturbed, removed and installed again."""

import contextlib
import json
import shutil
import subprocess
import threading
import time

import pytest
import requests
import yaml

from content_arena.components.registry.registry import Registry
from content_arena.components.shared.mlflow_tracking import tracking
from tests.manifests.forwarding import forwarded
from tests.manifests.node.elsewhere import backup_server
from tests.manifests.node.elsewhere import name_it as elsewhere_is_named
from tests.manifests.readme import commands
from tests.manifests.rendering import NAMESPACE, kubectl
from tests.pipelines.command import SETTINGS

pytestmark = [pytest.mark.node, pytest.mark.slow]

IN = f"--namespace={NAMESPACE}"
KEEP = "--selector=content-arena/keep!=true"
#: A training of a minute or two. Its settings have no floors, which so small a champion would not reach.
SMALL = [
    "--max-texts=240", "--epochs=1", "--texts=16", "--budget=2", f"--settings=/etc/arena/{SETTINGS.name}", "--json",
]  # fmt: skip


@pytest.fixture(scope="module")
def overlay(node, manifests, note):
    """The overlay's folder; it is installed and Ready."""
    if kubectl("get", "namespace", NAMESPACE, "--ignore-not-found"):
        pytest.skip(f"needs a cluster without the namespace {NAMESPACE}: kubectl delete namespace {NAMESPACE}")
    folder = str(manifests.root / "overlays/kind")
    started = time.monotonic()
    try:
        kubectl("apply", "--kustomize", folder)
        everything_is_ready()
        note(f"from nothing to everything Ready in {time.monotonic() - started:.0f} s, {memory(node)}")
        yield folder
    finally:
        kubectl("delete", "--kustomize", folder, "--ignore-not-found", "--timeout=10m")


@pytest.fixture(scope="module")
def champion(overlay, node, manifests, note):
    """The version that `arena run` registered in a Job, although PostgreSQL and SeaweedFS were away meanwhile."""
    job = manifests.root / "small-run"
    job.mkdir()
    shutil.copy(SETTINGS, job)
    container = "/spec/template/spec/containers/0"
    mount = {"name": "settings", "mountPath": "/etc/arena", "readOnly": True}
    patch = [
        {"op": "add", "path": f"{container}/args", "value": SMALL},
        {"op": "add", "path": f"{container}/volumeMounts/-", "value": mount},
        {
            "op": "add",
            "path": "/spec/template/spec/volumes/-",
            "value": {"name": "settings", "configMap": {"name": "small-run"}},
        },
    ]
    kustomization = {
        "namespace": NAMESPACE,
        "resources": ["../jobs/arena-run"],
        "configMapGenerator": [
            {"name": "small-run", "files": [SETTINGS.name], "options": {"disableNameSuffixHash": True}}
        ],
        "patches": [{"target": {"kind": "Job"}, "patch": json.dumps(patch)}],
    }
    (job / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    started = time.monotonic()
    with peak_memory(node) as peak:
        kubectl("apply", "--kustomize", str(job))
        for stage, victim in (("train_qlora", "postgresql-0"), ("evaluate_challenger", "seaweedfs-0")):
            wait_for(lambda stage=stage: f"{stage}: " in log_of_run(), 1800)
            kubectl("delete", "pod", victim, IN, "--wait=false")
        wait_for(has_ended, 1800)
    log = log_of_run()
    assert kubectl("get", "job/arena-run", IN, "--output=jsonpath={.status.succeeded}") == "1", log[-4000:]
    answer = next(json.loads(line) for line in log.splitlines() if line.startswith("{"))
    assert answer["reasons"]
    note(
        f"arena run (small) to its verdict in {time.monotonic() - started:.0f} s, both stores restarted; peak {peak[0]}"
    )
    everything_is_ready()
    with forwarded("service/mlflow", 5000, NAMESPACE) as url, logged_in(manifests):
        aliases = Registry(url).aliases()
    return aliases[Registry.CHAMPION]


@pytest.fixture(scope="module")
def predictor(champion, manifests, note):
    """Serves the champion, as a Deployment."""
    started = time.monotonic()
    kubectl("apply", "--kustomize", str(manifests.root / "overlays/kind/predictor"))
    kubectl("rollout", "status", "deployment/predictor", IN, "--timeout=10m")
    note(f"predictor answers {time.monotonic() - started:.0f} s after it was applied")


def test_applied_again_nothing_changes(overlay):
    before = revisions(overlay)
    # kubectl calls some of what it leaves as it is "configured": a claim template's defaults are not in the manifest.
    kubectl("apply", "--kustomize", overlay)
    assert revisions(overlay) == before
    # Fails where anything would be different.
    kubectl("diff", "--kustomize", overlay)


def test_pod_security_is_enforced(overlay):
    command = ["kubectl", "run", "root", IN, "--image=dev.local/content-arena/predictor:0.1.0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "violates PodSecurity" in done.stderr


def test_a_run_survives_its_stores_being_away(champion):
    assert champion.digest


def test_the_predictor_answers_with_the_champion(champion, predictor):
    assert versions_that_answer() == {f"sha-{champion.digest[:12]}"}


def test_removed_and_applied_again_the_data_is_there(champion, predictor, overlay, manifests):
    kubectl("delete", "--kustomize", overlay, KEEP, "--timeout=10m")
    assert "mlflow" not in kubectl("get", "deployments,statefulsets", IN, "--output=name")
    kubectl("apply", "--kustomize", overlay)
    everything_is_ready()
    with forwarded("service/mlflow", 5000, NAMESPACE) as url, logged_in(manifests):
        assert Registry(url).aliases()[Registry.CHAMPION].version == champion.version
    kubectl("rollout", "restart", "deployment/predictor", IN)
    kubectl("rollout", "status", "deployment/predictor", IN, "--timeout=10m")
    assert versions_that_answer() == {f"sha-{champion.digest[:12]}"}


def test_a_deleted_namespace_comes_back_by_the_steps_of_the_readme(champion, overlay, manifests, note):
    """KServe's controller is not needed: its definition takes the InferenceService."""
    with backup_server(manifests):
        elsewhere_is_named(manifests)
        before = kept(manifests)
        kubectl("apply", "--kustomize", str(manifests.root / "jobs/backup"))
        kubectl("create", "job", "--from=cronjob/backup", "backup-now", IN)
        kubectl("wait", "--for=condition=complete", "job/backup-now", IN, "--timeout=30m")
        kubectl("delete", "namespace", NAMESPACE, "--timeout=10m")

        started = time.monotonic()
        kubectl("create", "namespace", NAMESPACE)
        kubectl("apply", "--kustomize", str(manifests.root / "secrets"))
        elsewhere_is_named(manifests)
        kubectl("apply", "--kustomize", overlay)
        everything_is_ready()
        over = commands("Restoring over what is there")
        # Without KServe's controller nothing becomes Ready.
        lines = commands("After the namespace was deleted").splitlines()
        script = over + "\n".join(line for line in lines if "condition=Ready" not in line)
        done = subprocess.run(
            ["bash", "-euc", script], cwd=manifests.root.parent, capture_output=True, text=True, timeout=3600
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        assert kept(manifests) == before
        note(f"a deleted namespace came back in {time.monotonic() - started:.0f} s")
    try:
        (service,) = json.loads(kubectl("get", "inferenceservices", IN, "--output=json"))["items"]
        uri = service["spec"]["predictor"]["model"]["storageUri"]
        assert uri == champion.storage_uri
    finally:
        kubectl("delete", "inferenceservices", "--all", IN)


def kept(manifests):
    """The champion, and what every run has logged."""
    with forwarded("service/mlflow", 5000, NAMESPACE) as url, logged_in(manifests):
        champion = Registry(url).aliases()[Registry.CHAMPION]
        client = tracking.connect(url)
        experiments = [each.experiment_id for each in client.search_experiments()]
        runs = {run.info.run_id: run.data.metrics for run in client.search_runs(experiments)}
    assert runs
    return champion.version, champion.digest, runs


def revisions(overlay):
    """What changes with an object's wanted state, by object."""
    found = json.loads(kubectl("get", "--kustomize", overlay, "--output=json"))["items"]
    return {
        f"{item['kind']}/{item['metadata']['name']}": item["metadata"].get(
            "generation", item["metadata"]["resourceVersion"]
        )
        for item in found
    }


def everything_is_ready():
    """Waits; whatever does not come up is in the error."""
    for kind in ("statefulsets", "deployments"):
        for name in kubectl("get", kind, IN, "--output=name").split():
            kubectl("rollout", "status", name, IN, "--timeout=10m")
    for job in ("job/s3-buckets", "job/mlflow-users"):
        kubectl("wait", "--for=condition=complete", job, IN, "--timeout=10m")


@contextlib.contextmanager
def logged_in(manifests):
    """This process is the stages' user of MLflow."""
    lines = (manifests.root / "secrets/arena-mlflow.env").read_text().splitlines()
    with pytest.MonkeyPatch.context() as patch:
        for line in lines:
            name, _, value = line.partition("=")
            patch.setenv(name, value)
        yield


def has_ended():
    status = json.loads(kubectl("get", "job/arena-run", IN, "--output=json")).get("status", {})
    return any(
        one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in status.get("conditions", [])
    )


def log_of_run():
    """Of every pod that the Job has had; empty before the first one runs."""
    command = ["kubectl", "logs", "--selector=job-name=arena-run", "--tail=-1", IN]
    return subprocess.run(command, capture_output=True, text=True).stdout


def wait_for(holds, seconds):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, log_of_run()[-4000:]
        time.sleep(1)


def versions_that_answer():
    """Asks through the Service by both protocols; the versions that the answers name."""
    texts = ["you are a stupid idiot", "have a nice day"]
    with forwarded("service/predictor", 80, NAMESPACE) as url:
        v1 = requests.post(f"{url}/v1/models/content-filter:predict", json={"instances": texts}, timeout=30).json()
        tensor = {"name": "text", "datatype": "BYTES", "shape": [2], "data": texts}
        v2 = requests.post(f"{url}/v2/models/content-filter/infer", json={"inputs": [tensor]}, timeout=30).json()
    outputs = {output["name"]: output["data"] for output in v2["outputs"]}
    assert [one["is_toxic"] for one in v1["predictions"]] == outputs["is_toxic"]
    return {one["model_version"] for one in v1["predictions"]} | set(outputs["model_version"])


def memory(node):
    """What the arena's pods and the whole node use, as the kubelet counts it."""
    summary = json.loads(kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
    used = [
        pod.get("memory", {}).get("workingSetBytes", 0)
        for pod in summary["pods"]
        if pod["podRef"]["namespace"] == NAMESPACE
    ]
    return (
        f"{sum(used) / 2**20:.0f} MiB in pods, {summary['node']['memory']['workingSetBytes'] / 2**20:.0f} on the node"
    )


@contextlib.contextmanager
def peak_memory(node):
    """The largest of what :func:`memory` says, seen every few seconds; a list of one."""
    peak, ended = [""], threading.Event()

    def watch():
        while not ended.wait(5):
            with contextlib.suppress(AssertionError):
                peak[0] = max(peak[0], memory(node), key=lambda words: int(words.partition(" ")[0] or 0))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join(30)
