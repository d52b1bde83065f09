"""A node whose memory is all requested, so that no further pod of the predictor fits on it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

from tests.components.canary_rollout.on_a_cluster.api import Json
from tests.components.canary_rollout.on_a_cluster.node import IMAGE
from tests.manifests.rendering import kubectl

_MI = 2**20
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
#: What stays free. The smallest pod of the predictor asks for more.
_REST = 32 * _MI
#: Pods of an earlier test may take that long to end. The room that they give back would be the challenger's.
_QUIET_SECONDS = 400
_NAME = "filler"


@contextlib.contextmanager
def full_node(namespace: str) -> Iterator[None]:
    """Requests what memory the only node has left, by a pod that uses none of it."""
    _wait_until_quiet()
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _NAME},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": _NAME,
                    "image": IMAGE,
                    "command": ["sleep", "infinity"],
                    "resources": {"requests": {"memory": str(_free_bytes() - _REST)}},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }
    where = f"--namespace={namespace}"
    kubectl("create", "--filename=-", where, given=json.dumps(pod))
    try:
        kubectl("wait", "--for=condition=PodScheduled", f"pod/{_NAME}", where, "--timeout=1m")
        yield
    finally:
        kubectl("delete", "pod", _NAME, where, "--ignore-not-found", "--grace-period=0", "--force")


def _wait_until_quiet() -> None:
    deadline = time.monotonic() + _QUIET_SECONDS
    while ending := [_named(pod) for pod in _pods() if "deletionTimestamp" in pod["metadata"]]:
        assert time.monotonic() < deadline, f"pods that do not end: {', '.join(ending)}"
        time.sleep(2)


def _free_bytes() -> int:
    """Memory of the node that no pod has requested."""
    (node,) = json.loads(kubectl("get", "nodes", "--output=json"))["items"]
    return _bytes(node["status"]["allocatable"]["memory"]) - sum(map(_requested, _pods()))


def _pods() -> list[Json]:
    """The pods that have the node."""
    found: list[Json] = json.loads(kubectl("get", "pods", "--all-namespaces", "--output=json"))["items"]
    return [
        pod
        for pod in found
        if pod["spec"].get("nodeName") and pod["status"].get("phase") not in ("Succeeded", "Failed")
    ]


def _requested(pod: Json) -> int:
    """What the scheduler counts: the containers together, or the largest init container."""
    together, inits = (
        [_bytes(one.get("resources", {}).get("requests", {}).get("memory", "0")) for one in pod["spec"].get(kind, [])]
        for kind in ("containers", "initContainers")
    )
    return max(sum(together), *inits, 0)


def _bytes(quantity: str) -> int:
    for unit, factor in _UNITS.items():
        if quantity.endswith(unit):
            return int(float(quantity.removesuffix(unit)) * factor)
    return int(quantity)


def _named(pod: Json) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
