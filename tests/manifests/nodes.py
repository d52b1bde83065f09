"""What the cluster of KUBECONFIG has: nodes that are ours to use, their images, KServe's controller."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

import pytest

from tests.manifests.rendering import kubectl


def skip_unless_ours() -> None:
    """Skips the test unless the cluster is declared to be one for tests."""
    if os.environ.get("CONTENT_ARENA_TEST_NODE") != "1":
        pytest.skip(
            "needs CONTENT_ARENA_TEST_NODE=1, which allows it to install the arena in the cluster of KUBECONFIG"
        )


def ready_node_with(images: Iterable[str]) -> str:
    """The name of a Ready node of a cluster for tests that has these images; skips the test where there is none."""
    skip_unless_ours()
    ready = [item for item in json.loads(kubectl("get", "nodes", "--output=json"))["items"] if _is_ready(item)]
    if not ready:
        pytest.skip("needs a node that is Ready in the cluster of KUBECONFIG: pods would wait for ever")
    there = {_full(name) for item in ready for image in item["status"]["images"] for name in image["names"]}
    missing = {_full(image) for image in images} - there
    if missing:
        pytest.skip(f"needs {', '.join(sorted(missing))} on the node: `kind load docker-image` loads them")
    return ready[0]["metadata"]["name"]


def kserve_runs() -> bool:
    """Whether KServe's controller acts on InferenceServices here."""
    items = json.loads(kubectl("get", "deployments", "--all-namespaces", "--output=json"))["items"]
    return any(
        item["metadata"]["name"] == "kserve-controller-manager" and item["status"].get("availableReplicas")
        for item in items
    )


def _is_ready(node: dict) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _full(image: str) -> str:
    """An image's name with its registry: postgres:15 is docker.io/library/postgres:15."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"
