"""Describes in one line what was changed in a service's spec, and by which writer."""

from __future__ import annotations

import json
from collections.abc import Iterator

from content_arena.components.canary_rollout.kube.client import FIELD_MANAGER, Json

_MAX_CHANGES = 4
_MAX_VALUE = 60
#: Fields that may hold a secret: they are named, and their values are not quoted.
_SECRET = ("env", "args", "command")


def described(before: Json | None, service: Json) -> str:
    """Describes the differences in the spec and names its last writer.

    Args:
        before: The spec as the rollout wrote it; None if this process has not read it.
        service: The service as it is now.
    """
    by = _last_writer(service)
    if before is None:
        return f"its spec is not as the rollout wrote it{by}"
    found = list(_differences("spec", before, service["spec"]))
    more = f" and {len(found) - _MAX_CHANGES} more" if len(found) > _MAX_CHANGES else ""
    return ", ".join(found[:_MAX_CHANGES]) + more + by


def _differences(path: str, before: object, after: object) -> Iterator[str]:
    if before == after:
        return
    if path.rpartition(".")[2] in _SECRET:
        yield f"{path} was changed"
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _differences(f"{path}.{key}", before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{path}[{index}]", old, new)
    elif before is None:
        yield f"{path} is set to {_shown(after)}"
    elif after is None:
        yield f"{path} was removed (was {_shown(before)})"
    else:
        yield f"{path} is {_shown(after)} instead of {_shown(before)}"


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"


def _last_writer(service: Json) -> str:
    """The last writer of the spec apart from the rollout, by ``managedFields``; empty if that is not known."""
    others = [
        entry
        for entry in service["metadata"].get("managedFields") or []
        if entry.get("manager") != FIELD_MANAGER and "f:spec" in entry.get("fieldsV1", {}) and entry.get("time")
    ]
    if not others:
        return ""
    last = max(others, key=lambda entry: entry["time"])
    return f" (by {last['manager']} at {last['time']})"
