"""A home without a cluster, a simulated API server over HTTP, and a registry."""

import pytest

from content_arena.components.registry.registry import Registry
from tests.components.canary_rollout.stand_in import standard_world
from tests.components.canary_rollout.stand_in.api_server import ApiServer
from tests.components.canary_rollout.stand_in.served import Served
from tests.pipelines.cli.rollout.commands import TWO


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return tmp_path / "home"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Version 1 serves in Standard mode; a challenger's pods come up within three seconds of the world."""
    with Served(ApiServer(standard_world.StandardWorld(standard_world.service())), tmp_path) as served:
        monkeypatch.setenv("KUBECONFIG", str(served.kubeconfig))
        yield served


@pytest.fixture
def broken(cluster):
    """Version 2 crashes at load."""
    cluster.api.world._broken.add(TWO)
    died = {"terminated": {"exitCode": 3}}
    container = {
        "name": "kserve-container", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": died,
        "restartCount": 2,
    }  # fmt: skip
    cluster.api.crashed = [{"metadata": {"name": "pod-a"}, "status": {"containerStatuses": [container]}}]
    return cluster


@pytest.fixture
def registry(home):
    home.mkdir()
    return Registry(f"sqlite:///{home / 'mlflow.db'}")
