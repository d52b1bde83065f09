"""Fixtures for every test."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import hypothesis
import pytest
import requests

from tests import mlflow_template
from tests.seaweedfs import SeaweedFS
from tests.tiny_bundle import make_tiny_bundle

# No deadline for an example: on a machine with other work, its time is not a measure of the code.
hypothesis.settings.register_profile("content-arena", deadline=None)
hypothesis.settings.load_profile("content-arena")

if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker a core: two trainings with two threads each spin while they wait for each other, and take twice as long.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

_ENVIRONMENT = dict(os.environ)
_SLOW_TEST_SECONDS = 1_200
#: Rollouts wait for pods and bakes, and some tests repeat them as often as an environment variable says.
_CLUSTER_TEST_SECONDS = 7_200


def pytest_xdist_auto_num_workers() -> int:
    """A worker a core, and no more than memory for so many encoders; one where all of them would share a cluster."""
    return 1 if os.environ.get("KUBECONFIG") else min(4, len(os.sched_getaffinity(0)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts files with slow tests first, and gives slow tests more time than pyproject.toml gives the rest.

    A worker that began with a run of the whole loop when the others are done would keep everyone waiting.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        if item.get_closest_marker("timeout") is None:
            if item.get_closest_marker("node") is not None or "on_a_cluster" in item.path.parts:
                item.add_marker(pytest.mark.timeout(_CLUSTER_TEST_SECONDS))
            elif item.get_closest_marker("slow") is not None:
                item.add_marker(pytest.mark.timeout(_SLOW_TEST_SECONDS))


@pytest.fixture(scope="module", autouse=True)
def same_environment_after_the_file() -> Iterator[None]:
    """Gives the file the environment that the session began with, whatever fixtures of the session changed; see below.

    A fixture of the session is made within the first file that asks for it, and so before this one or after it.
    """
    with mock.patch.dict(os.environ):
        # pytest sets this one before a test and takes it away afterwards.
        for name in os.environ.keys() - _ENVIRONMENT.keys() - {"PYTEST_CURRENT_TEST"}:
            del os.environ[name]
        os.environ.update(_ENVIRONMENT)
        yield


@pytest.fixture(autouse=True)
def same_environment_after_the_test() -> Iterator[None]:
    """Restores the environment: MLflow writes the address of the server in use into MLFLOW_TRACKING_URI."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(scope="session", autouse=True)
def mlflow_tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Makes MLflow's tables once a worker and not in every test that needs a registry."""
    with mlflow_template.copied(tmp_path_factory.mktemp("mlflow") / "tables.db"):
        yield


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory):
    """A real bundle, not to be changed by any test."""
    return make_tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle")


@pytest.fixture
def make_bundle(tmp_path: Path):
    """Makes bundles that the test may break: ``make_bundle("name", threshold=0.7)``."""

    def make(name: str = "bundle", **options):
        return make_tiny_bundle(tmp_path / name, **options)

    return make


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment that names a real S3 server (SeaweedFS), running for the session."""
    folder = tmp_path_factory.mktemp("s3")
    keys = {"accessKey": "arena-test", "secretKey": "arena-test-secret"}
    identity = {"name": "arena", "credentials": [keys], "actions": ["Admin", "Read", "List", "Tagging", "Write"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    arguments = ("server", "-ip=127.0.0.1", "-s3", f"-s3.config={folder / 's3.json'}")
    server = SeaweedFS(folder, (*arguments, "-s3.port.iceberg=0", "-s3.port.lance=0"))
    try:
        server.wait()
        yield {
            "S3_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": keys["accessKey"],
            "AWS_SECRET_ACCESS_KEY": keys["secretKey"],
        }
    finally:
        server.close()


@pytest.fixture
def s3(s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The S3 server, in this test's environment."""
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    return s3_server


def is_ok(url: str) -> bool:
    """Whether a server answers this address, and with no error."""
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
