"""A node that runs pods, and is ours to use: these tests install the arena under its real names.

They run where CONTENT_ARENA_TEST_NODE=1 declares that the cluster of KUBECONFIG is one for tests, has a node, and the
node has the images: the two of `make images`, PostgreSQL and SeaweedFS (``postgresql/Dockerfile`` and
``seaweedfs/Dockerfile`` make them where no registry is reached), each under the name that the manifests use.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.manifests.nodes import ready_node_with, skip_unless_ours
from tests.manifests.rendering import Renderer, pods

_NOTES: list[str] = []


@pytest.fixture(scope="session")
def scratch_cluster(cluster: None) -> None:
    """A cluster in which these tests may use the arena's own names, and make nodes."""
    skip_unless_ours()


@pytest.fixture(scope="session")
def node(scratch_cluster: None, manifests: Renderer) -> str:
    """The name of a Ready node that has every image of the kind overlay."""
    overlays = ("overlays/kind", "overlays/kind/predictor", "jobs/arena-run")
    made = [pod for overlay in overlays for pod in pods(manifests.with_base(overlay))]
    return ready_node_with(container["image"] for pod in made for container in pod.containers)


@pytest.fixture(scope="session")
def note() -> Callable[[str], None]:
    """Puts a line under the tests' results."""
    return _NOTES.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _NOTES:
        terminalreporter.write_line(f"on the node: {line}")
