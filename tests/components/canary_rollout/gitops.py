"""What manifests/gitops.md tells Argo CD to apply and to ignore, read from the guide itself."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.manifests.rendering import MANIFESTS

Json = dict[str, Any]
MANAGER = "argocd-controller"
_GUIDE = (MANIFESTS / "gitops.md").read_text(encoding="utf-8")
_BLOCKS = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", _GUIDE, re.MULTILINE | re.DOTALL)]
(PARTIAL,) = (block for block in _BLOCKS if block.get("kind") == "InferenceService")
(_APPLICATION,) = (block for block in _BLOCKS if block.get("kind") == "Application")
(IGNORED,) = (rule["jsonPointers"] for rule in _APPLICATION["spec"]["ignoreDifferences"])


def rest_of(spec: Json) -> Json:
    """A spec without the fields that are ignored."""
    found = {"spec": copy.deepcopy(spec)}
    for place, last in _places(found):
        place.pop(last, None)
    return found["spec"]


def with_live_values(manifest: Json, live: Json) -> Json:
    """A manifest as Argo CD applies it with ``RespectIgnoreDifferences``: ignored fields are those of the cluster."""
    found = copy.deepcopy(manifest)
    for (place, last), (there, _) in zip(_places(found), _places(live), strict=True):
        place.pop(last, None)
        if last in there:
            place[last] = copy.deepcopy(there[last])
    return found


def _places(body: Json) -> Iterator[tuple[Json, str]]:
    """For each ignored pointer, the object that holds it and its last name."""
    for pointer in IGNORED:
        *parents, last = pointer.strip("/").split("/")
        place = body
        for name in parents:
            place = place[name]
        yield place, last
