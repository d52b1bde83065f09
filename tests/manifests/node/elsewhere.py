"""Another S3 server in a namespace of its own, for backups of what the tests install."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator

from tests.manifests.rendering import NAMESPACE, Renderer, kubectl, of_kind

ELSEWHERE = "arena-elsewhere"


@contextlib.contextmanager
def backup_server(manifests: Renderer) -> Iterator[None]:
    """Runs it; its Service has the port 443, which is open for backups, and takes plain HTTP."""
    kubectl("create", "namespace", ELSEWHERE)
    try:
        identities = manifests.root / "secrets/arena-s3-identities.json"
        kubectl(
            "create", "secret", "generic", "arena-s3-identities", f"--from-file=s3.json={identities}", "-n", ELSEWHERE
        )
        kinds = ("ServiceAccount", "Service", "StatefulSet")
        for item in of_kind(manifests.objects("overlays/kind"), *kinds):
            if item["metadata"]["name"] in ("seaweedfs", "seaweedfs-pods", "s3"):
                own = copy.deepcopy(item)
                own["metadata"]["namespace"] = ELSEWHERE
                if own["metadata"]["name"] == "s3":
                    own["spec"]["ports"] = [{"name": "s3", "port": 443, "targetPort": "s3"}]
                kubectl("apply", "--filename=-", given=json.dumps(own))
        kubectl("rollout", "status", "statefulset/seaweedfs", "-n", ELSEWHERE, "--timeout=10m")
        yield
    finally:
        kubectl("delete", "namespace", ELSEWHERE, "--timeout=10m")


def name_it(manifests: Renderer) -> None:
    """Makes the Secret by which the arena finds it."""
    keys = (manifests.root / "secrets/arena-s3-admin.env").read_text().split()
    given = [f"S3_ENDPOINT_URL=http://s3.{ELSEWHERE}:443", "BUCKET=arena-backups", *keys]
    kubectl(
        "create", "secret", "generic", "arena-backup", "-n", NAMESPACE, *(f"--from-literal={each}" for each in given)
    )
