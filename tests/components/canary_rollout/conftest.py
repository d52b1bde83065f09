"""A namespace for a test, if there is a cluster for tests."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from tests.components.canary_rollout.bench import WORLDS
from tests.manifests.rendering import kubectl


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """A namespace in the cluster that KUBECONFIG names and in no other; it is deleted afterwards."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("needs a cluster for tests: set KUBECONFIG to its file (see Tests in CONTRIBUTING.md)")
    found = subprocess.run(
        ["kubectl", "get", "crd", "inferenceservices.serving.kserve.io", "httproutes.gateway.networking.k8s.io",
         "--request-timeout=5s"],
        capture_output=True, text=True,
    )  # fmt: skip
    if found.returncode:
        pytest.skip(
            f"needs KServe's and the Gateway API's CRDs in the cluster: {found.stderr.strip().splitlines()[-1]}"
        )
    name = f"rollout-test-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(params=WORLDS)
def mode(request: pytest.FixtureRequest) -> str:
    """How the service splits traffic."""
    return request.param
