"""What a rollout and people tell each other on the service, so that kubectl can do all of it.

| annotation | example | meaning |
|---|---|---|
| `content-arena/rollout` | a JSON | the state; written by the rollout alone |
| `content-arena/approve` | `3/step-25 by alice` | opens gate `step-25` of version 3; taken away once used |
| `content-arena/abort` | `3 by alice: complaints` | rolls version 3 back; taken away once it is back |

Both wishes name the version they are meant for: one that was written for another version does nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from content_arena.components.canary_rollout.kube.client import ConflictError, Json, RolloutClient
from content_arena.components.canary_rollout.plan.state import State, load
from content_arena.components.shared.errors import InputError

ROLLOUT = "content-arena/rollout"
APPROVE = "content-arena/approve"
ABORT = "content-arena/abort"
_ATTEMPTS = 5
_APPROVAL = re.compile(r"(?P<version>[^\s/]+)/(?P<gate>\S+)(?: by (?P<who>.+))?")
_ABORT = re.compile(r"(?P<version>[^\s:]+)(?: by (?P<who>[^:]+))?(?::\s*(?P<why>.*))?", re.DOTALL)


@dataclass(frozen=True)
class OperatorRequests:
    """What people want of a rollout.

    Attributes:
        approved: Gate that is to open; empty if none.
        approver: Who says so.
        abort: Why it is to go back, and who says so; None if nobody does.
        ignored: Every annotation that is not for this version or can not be read, with the reason.
    """

    approved: str = ""
    approver: str = ""
    abort: str | None = None
    ignored: tuple[str, ...] = ()


def recorded(service: Json) -> State | None:
    """The state kept on a service; None if there has been no rollout.

    Raises:
        StateError: It can not be read.
    """
    text = _annotations(service).get(ROLLOUT)
    return load(text) if text else None


def record_of(service: Json) -> State:
    """The state kept on a service.

    Raises:
        InputError: There has been no rollout, or the state can not be read.
    """
    state = recorded(service)
    if state is None:
        name, namespace = service["metadata"]["name"], service["metadata"].get("namespace", "default")
        start = f"arena rollout start --service {name} --namespace {namespace}"
        raise InputError(f"{name} has had no rollout: `{start}` begins one")
    return state


def operator_requests(service: Json, version: str) -> OperatorRequests:
    """What people want of the rollout of a version."""
    found, ignored = _annotations(service), []
    approval = _for_version(APPROVE, _APPROVAL, "VERSION/GATE by WHO", found, version, ignored)
    match = _for_version(ABORT, _ABORT, "VERSION by WHO: WHY", found, version, ignored)
    abort = None
    if match:
        why = " ".join((match["why"] or "no reason given").split())
        abort = f"{why} ({(match['who'] or 'somebody').strip()})"
    approver = (approval["who"] or "").strip() if approval else ""
    return OperatorRequests(approval["gate"] if approval else "", approver, abort, tuple(ignored))


def approval(version: str, gate: str, who: str) -> Json:
    """The patch that approves."""
    return _annotated({APPROVE: f"{version}/{gate} by {who}"})


def abort_patch(version: str, who: str, why: str) -> Json:
    """The patch that aborts."""
    return _annotated({ABORT: f"{version} by {who.replace(':', ' ')}: {why}"})


def record(before: State | None, after: State) -> Json:
    """The patch that records a state, and takes away the wishes it has fulfilled."""
    noted: dict[str, str | None] = {ROLLOUT: after.dump()}
    is_edge = before is None or after.phase.is_end
    if is_edge or (before is not None and before.approvals != after.approvals):
        noted[APPROVE] = None
    if is_edge:
        noted[ABORT] = None
    return _annotated(noted)


def annotate(client: RolloutClient, service: str, body: Json) -> None:
    """Writes an annotation, as a person does with kubectl; whatever else is written meanwhile does not matter.

    Raises:
        ConflictError: The service is written all the time.
    """
    for attempt in range(_ATTEMPTS):
        version = client.service(service)["metadata"]["resourceVersion"]
        try:
            client.patch_service(service, body, version)
        except ConflictError:
            if attempt + 1 == _ATTEMPTS:
                raise
        else:
            return


def _for_version(
    name: str, pattern: re.Pattern[str], wanted: str, found: Json, version: str, ignored: list[str]
) -> re.Match[str] | None:
    text = found.get(name)
    if text is None:
        return None
    match = pattern.fullmatch(text.strip())
    if match is None:
        ignored.append(f"annotation {name} is {text!r}, wanted {wanted}")
        return None
    if match["version"] != version:
        ignored.append(f"annotation {name} is for version {match['version']}, this is version {version}")
        return None
    return match


def _annotations(service: Json) -> Json:
    return service["metadata"].get("annotations") or {}


def _annotated(values: Json) -> Json:
    return {"metadata": {"annotations": values}}
