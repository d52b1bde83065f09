"""A node that runs pods, and is ours to use: these tests install the arena under its real names.

They run where CONTENT_ARENA_TEST_NODE=1 says that the cluster of KUBECONFIG is one for tests, has a node, and the node
has the images: the two of `make images`, PostgreSQL (``postgresql/Dockerfile`` makes one where no registry is reached)
and MinIO, each under the name that the manifests use.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from tests.manifests.rendering import Renderer, kubectl, pods

_NOTES: list[str] = []


@pytest.fixture(scope="session")
def scratch_cluster(cluster: None) -> None:
    """A cluster in which these tests may use the arena's own names, and make nodes."""
    if os.environ.get("CONTENT_ARENA_TEST_NODE") != "1":
        pytest.skip("CONTENT_ARENA_TEST_NODE=1 is not set: nothing is installed in the cluster of KUBECONFIG")


@pytest.fixture(scope="session")
def node(scratch_cluster: None, manifests: Renderer) -> str:
    """The name of a Ready node that has every image of the kind overlay."""
    ready = [item for item in json.loads(kubectl("get", "nodes", "--output=json"))["items"] if _is_ready(item)]
    if not ready:
        pytest.skip("no node of the cluster is Ready: pods would wait for ever")
    overlays = ("overlays/kind", "overlays/kind/predictor", "jobs/arena-run")
    made = [pod for overlay in overlays for pod in pods(manifests.with_base(overlay))]
    wanted = {_full(container["image"]) for pod in made for container in pod.containers}
    missing = wanted - {_full(name) for item in ready for image in item["status"]["images"] for name in image["names"]}
    if missing:
        pytest.skip(f"the node has no {', '.join(sorted(missing))}: load them, as `kind load docker-image` does")
    return ready[0]["metadata"]["name"]


@pytest.fixture(scope="session")
def note() -> Callable[[str], None]:
    """Puts a line under the tests' results."""
    return _NOTES.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _NOTES:
        terminalreporter.write_line(f"on the node: {line}")


def _is_ready(node: dict) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _full(image: str) -> str:
    """An image's name with its registry: postgres:15 is docker.io/library/postgres:15."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"
