"""A namespace of a test's own, where there is a cluster."""

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
    """In the cluster that KUBECONFIG names, never one that kubectl would find by itself; gone afterwards."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("needs a cluster for tests: set KUBECONFIG to its file (CONTRIBUTING.md says what it has to have)")
    asked = subprocess.run(
        ["kubectl", "get", "crd", "inferenceservices.serving.kserve.io", "httproutes.gateway.networking.k8s.io",
         "--request-timeout=5s"],
        capture_output=True, text=True,
    )  # fmt: skip
    if asked.returncode:
        pytest.skip(
            f"needs KServe's and the Gateway API's CRDs in the cluster: {asked.stderr.strip().splitlines()[-1]}"
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
