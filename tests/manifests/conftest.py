"""The rendered manifests, and a namespace of a test's own where there is a cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manifests.rendering import Renderer, kubectl

_STORAGE_CONTAINER = Path(__file__).with_name("cluster-storage-container-crd.yaml")
_CRDS = ("inferenceservices.serving.kserve.io", "podmonitors.monitoring.coreos.com")
RESTRICTED = {
    "app.kubernetes.io/part-of": "content-arena",
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}


@pytest.fixture(scope="session")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    """Every kustomization, with secrets made for this session."""
    if shutil.which("kubectl") is None:
        pytest.skip("needs kubectl on PATH, which renders the manifests: kubernetes.io/docs/tasks/tools")
    return Renderer(tmp_path_factory.mktemp("rendered"))


@pytest.fixture(scope="session")
def cluster(manifests: Renderer) -> None:
    """A cluster that KUBECONFIG names; never one that kubectl would find by itself."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("needs a cluster for tests: set KUBECONFIG to its file (CONTRIBUTING.md lists what it needs)")
    asked = subprocess.run(["kubectl", "version", "--request-timeout=5s"], capture_output=True, text=True)
    if asked.returncode:
        pytest.skip(f"needs a cluster that answers at KUBECONFIG: {asked.stderr.strip().splitlines()[-1]}")
    # The API server serves a CRD some seconds after it was applied.
    deadline = time.monotonic() + 20
    while missing := [name for name in _CRDS if name not in (served := kubectl("api-resources", "--output=name"))]:
        if time.monotonic() > deadline:
            pytest.skip(f"needs these CRDs in the cluster of KUBECONFIG: {', '.join(missing)}")
        time.sleep(1)
    if "clusterstoragecontainers.serving.kserve.io" not in served:
        kubectl("apply", "--server-side", f"--filename={_STORAGE_CONTAINER}")
        kubectl("wait", "--for=condition=Established", f"--filename={_STORAGE_CONTAINER}", "--timeout=30s")


@pytest.fixture(scope="module")
def namespace(cluster: None) -> Iterator[str]:
    """A namespace with Pod Security "restricted", gone afterwards."""
    name = f"arena-test-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    try:
        kubectl("label", "namespace", name, *(f"{key}={value}" for key, value in RESTRICTED.items()))
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")
