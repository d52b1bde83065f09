"""A service in either mode, created for each test in a namespace of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from content_arena.components.shared import records
from tests.components.canary_rollout.on_a_cluster.installation import Installation
from tests.components.canary_rollout.on_a_cluster.kubelet import Kubelet
from tests.components.canary_rollout.on_a_cluster.rollout_cli import RolloutCli
from tests.components.canary_rollout.on_a_cluster.storage import Storage
from tests.components.canary_rollout.on_a_cluster.workloads import PodRunner
from tests.components.canary_rollout.variants_under_test import corpus
from tests.manifests.nodes import kserve_runs
from tests.manifests.rendering import kubectl

MODES = ("Standard", "Knative")


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def champion() -> dict:
    """Options of version 1's bundle; a test may parametrize it."""
    return {}


@pytest.fixture
def pods() -> Callable[[str, Storage, Path], PodRunner]:
    """What runs the pods: a simulated kubelet, which a module may replace by a real node."""
    return Kubelet


@pytest.fixture
def installation(namespace, tmp_path, mode, champion, pods):
    """Version 1 serves, four users send requests, and version 2 is in the registry without a bundle."""
    if kserve_runs():
        pytest.skip("needs a cluster without KServe's controller, whose part the harness plays")
    name = f"{namespace}-{uuid.uuid4().hex[:4]}"
    kubectl("create", "namespace", name)
    try:
        made = Installation(name, tmp_path / "installation", mode, champion, pods)
        try:
            made.start()
            made.publish("challenger")
            yield made
        finally:
            made.close()
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def probes(tmp_path_factory: pytest.TempPathFactory):
    """A corpus for the probes, of words that the tiny model knows."""
    path = tmp_path_factory.mktemp("probes") / "corpus.parquet"
    records.write(records.Sample, corpus(), path)
    return path


@pytest.fixture
def cli(installation, probes):
    made = RolloutCli(installation, probes)
    yield made
    made.close()


@pytest.fixture
def outsider(installation, probes):
    """The command line with the right to the pods' proxy, which the Role for use inside the cluster lacks."""
    made = RolloutCli(installation, probes)
    where = f"--namespace={installation.namespace}"
    kubectl("create", "role", "outsider", "--verb=get,create", "--resource=pods/proxy", where)
    account = f"--serviceaccount={installation.namespace}:rollout"
    kubectl("create", "rolebinding", "outsider", "--role=outsider", account, where)
    yield made
    made.close()
