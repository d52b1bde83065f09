"""How an API server stores an object: merge patches, generations, conflicts."""

from __future__ import annotations

import copy
from typing import Any

from content_arena.components.canary_rollout.kube.client import ConflictError, Json


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = merged(target.get(key), value)
    return target


#: Annotations that KServe does not copy to pods (its default serviceAnnotationDisallowedList).
_NOT_COPIED = frozenset(
    {
        "autoscaling.knative.dev/min-scale", "autoscaling.knative.dev/max-scale",
        "internal.serving.kserve.io/storage-initializer-sourceuri", "kubectl.kubernetes.io/last-applied-configuration",
    }
)  # fmt: skip


def copied_to_pods(service: Json) -> Json:
    """What KServe copies from the metadata of an InferenceService to the template of its pods."""
    metadata = service["metadata"]
    annotations = {
        name: value for name, value in (metadata.get("annotations") or {}).items() if name not in _NOT_COPIED
    }
    return {"annotations": annotations, "labels": metadata.get("labels") or {}}


class Stored:
    """One object as an API server keeps it."""

    def __init__(self, value: Json) -> None:
        self.value = copy.deepcopy(value)
        self.value["metadata"] |= {"generation": 1, "resourceVersion": "1"}
        self.value["metadata"].setdefault("uid", f"uid-{value['metadata'].get('name')}")

    def patch(self, body: Json, resource_version: str | None = None, *, dry_run: bool = False) -> Json:
        now = self.value["metadata"]
        if resource_version is not None and resource_version != now["resourceVersion"]:
            raise ConflictError("the object has been modified")
        after = merged(copy.deepcopy(self.value), body)
        changed = after.get("spec") != self.value.get("spec")
        after["metadata"] |= {
            "generation": now["generation"] + changed,
            "resourceVersion": str(int(now["resourceVersion"]) + (after != self.value)),
        }
        if not dry_run:
            self.value = after
        return copy.deepcopy(after)

    def read(self) -> Json:
        return copy.deepcopy(self.value)
