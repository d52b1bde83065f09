"""Tasks that ask for a GPU, as pods before a real scheduler: where they go, and why not elsewhere.

The nodes are objects without a kubelet: a scheduler decides by their labels, taints and capacities.
"""

import copy
import json
import time
import uuid
from pathlib import Path

import pytest
import yaml

from content_arena.pipelines.cli.submit import compile_pipelines
from tests.manifests.rendering import kubectl
from tests.pipelines.backend.driver import Driver
from tests.pipelines.backend.pod import pod

pytestmark = pytest.mark.node

#: Keeps every pod but ours off the nodes that are made here.
OURS = {"key": "arena-test", "value": "gpu", "effect": "NoSchedule"}
CAPACITY = {"cpu": "64", "memory": "256Gi", "pods": "100", "ephemeral-storage": "1Ti"}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory) -> dict:
    """Container and settings by executor, of an arena whose training is on a GPU."""
    folder: Path = tmp_path_factory.mktemp("compiled")
    compile_pipelines(to=folder, gpu=["train_qlora"])
    return Driver(folder / "arena.yaml", "run", launch=None).executors


@pytest.fixture
def add_node(scratch_cluster):
    """Adds a Ready node: ``add_node(labels, capacity, taints)``; gone afterwards."""
    added = []

    def add(labels=None, capacity=None, taints=()):
        name = f"arena-test-{uuid.uuid4().hex[:8]}"
        spec = {"taints": [OURS, *taints]}
        item = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels or {}}, "spec": spec}
        kubectl("create", "--filename=-", given=json.dumps(item))
        added.append(name)
        status = {
            "capacity": CAPACITY | (capacity or {}),
            "allocatable": CAPACITY | (capacity or {}),
            "conditions": [{"type": "Ready", "status": "True", "reason": "Test", "message": "no kubelet"}],
        }
        kubectl(
            "patch", "node", name, "--subresource=status", "--type=merge", f"--patch={json.dumps({'status': status})}"
        )
        # The taint "not ready", which a new node is given, goes once its conditions were seen.
        wait_for(lambda: "not-ready" not in kubectl("get", "node", name, "--output=jsonpath={.spec.taints}"))
        return name

    yield add
    for name in added:
        kubectl("delete", "node", name, "--ignore-not-found")


def wait_for(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)


@pytest.fixture
def create(namespace):
    """Creates a pod and returns its name; gone afterwards, or it would take the next test's GPU."""
    # A ServiceAccount appears a moment after its namespace.
    wait_for(lambda: "default" in kubectl("get", "serviceaccounts", f"--namespace={namespace}", "--output=name"))

    def create(item):
        item = copy.deepcopy(item)
        item["spec"]["tolerations"].append(OURS)
        kubectl("create", f"--namespace={namespace}", "--filename=-", given=yaml.safe_dump(item))
        return item["metadata"]["name"]

    yield create
    kubectl("delete", "pods", "--all", f"--namespace={namespace}", "--force", "--grace-period=0")


def why_pending(namespace, name):
    """The scheduler's message about a pod, as soon as there is one."""
    path = '--output=jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}'

    def message():
        return kubectl("get", "pod", name, f"--namespace={namespace}", path)

    wait_for(message)
    return message()


def node_of(namespace, name):
    path = "--output=jsonpath={.spec.nodeName}"
    wait_for(lambda: kubectl("get", "pod", name, f"--namespace={namespace}", path))
    return kubectl("get", "pod", name, f"--namespace={namespace}", path)


def test_without_a_gpu_node_it_waits_for_one(add_node, create, namespace, tasks):
    add_node()
    name = create(pod("train", *tasks["train-qlora"]))
    assert "didn't match Pod's node affinity/selector" in why_pending(namespace, name)
    # Nor is the label alone enough.
    unselective = pod("train-anywhere", *tasks["train-qlora"])
    unselective["spec"]["nodeSelector"] = {}
    assert "Insufficient nvidia.com/gpu" in why_pending(namespace, create(unselective))


def test_it_goes_to_the_gpu_node_and_without_its_toleration_it_would_not(add_node, create, namespace, tasks):
    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    gpu = add_node({"nvidia.com/gpu.present": "true"}, {"nvidia.com/gpu": "1"}, [taint])
    item = pod("train-on-gpu", *tasks["train-qlora"])
    assert node_of(namespace, create(item)) == gpu
    intolerant = copy.deepcopy(item)
    intolerant["metadata"]["name"] = "train-intolerant"
    intolerant["spec"]["tolerations"] = []
    assert "untolerated taint" in why_pending(namespace, create(intolerant))
