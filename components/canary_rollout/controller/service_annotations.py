"""The annotations of the service: the recorded state, and people's requests, which kubectl can write too.

| annotation | example | meaning |
|---|---|---|
| `content-arena/rollout` | a JSON | the state; written by the rollout alone |
| `content-arena/approve` | `3/step-25 by alice` | approves gate `step-25` of version 3; removed once used |
| `content-arena/abort` | `3 by alice: complaints` | rolls version 3 back; removed once that is done |

Both requests name the version that they are meant for. A request for another version is ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from content_arena.components.canary_rollout.kube.client import ConflictError, Json, RolloutClient
from content_arena.components.canary_rollout.plan.gate import Gate
from content_arena.components.canary_rollout.plan.state import State, load
from content_arena.components.shared.errors import InputError

ROLLOUT = "content-arena/rollout"
APPROVE = "content-arena/approve"
ABORT = "content-arena/abort"
_ATTEMPTS = 5
_APPROVAL_FORM = "VERSION/GATE by WHO"
_APPROVAL = re.compile(r"(?P<version>[^\s/]+)/(?P<gate>\S+)(?: by (?P<who>.+))?")
_ABORT = re.compile(r"(?P<version>[^\s:]+)(?: by (?P<who>[^:]+))?(?::\s*(?P<why>.*))?", re.DOTALL)


@dataclass(frozen=True)
class OperatorRequests:
    """The requests of people that a rollout has to carry out.

    Attributes:
        approved: The gate that is approved; None if none.
        approver: Name of the person who approved it; empty if not given.
        abort: Reason and author of an abort; None if there is none.
        ignored: A line for each annotation that is for another version or cannot be read, with the reason.
    """

    approved: Gate | None = None
    approver: str = ""
    abort: str | None = None
    ignored: tuple[str, ...] = ()


def recorded(service: Json) -> State | None:
    """The state recorded on a service; None if there has been no rollout.

    Raises:
        StateError: It cannot be read.
    """
    text = _annotations(service).get(ROLLOUT)
    return load(text) if text else None


def record_of(service: Json) -> State:
    """The state recorded on a service.

    Raises:
        InputError: There has been no rollout, or the state cannot be read.
    """
    state = recorded(service)
    if state is None:
        raise no_rollout(service["metadata"]["name"], service["metadata"].get("namespace", "default"))
    return state


def no_rollout(service: str, namespace: str) -> InputError:
    """The error for a service that has had no rollout."""
    start = f"arena rollout start --service {service} --namespace {namespace}"
    return InputError(f"{service} has had no rollout: start one with `{start}`")


def operator_requests(service: Json, version: str) -> OperatorRequests:
    """People's requests to the rollout of a version."""
    found = _annotations(service)
    ignored: list[str] = []
    approval = _for_version(APPROVE, _APPROVAL, _APPROVAL_FORM, found, version, ignored)
    match = _for_version(ABORT, _ABORT, "VERSION by WHO: WHY", found, version, ignored)
    gate, approver = None, ""
    if approval:
        try:
            gate, approver = Gate.parse(approval["gate"]), (approval["who"] or "").strip()
        except ValueError as error:
            ignored.append(f"annotation {APPROVE} is {found[APPROVE]!r}, wanted {_APPROVAL_FORM}: {error}")
    abort = None
    if match:
        why = " ".join((match["why"] or "no reason given").split())
        abort = f"{why} ({(match['who'] or 'somebody').strip()})"
    return OperatorRequests(gate, approver, abort, tuple(ignored))


def approval(version: str, gate: Gate, who: str) -> Json:
    """The patch that approves a gate."""
    return _annotated({APPROVE: f"{version}/{gate} by {who}"})


def abort_patch(version: str, who: str, why: str) -> Json:
    """The patch that aborts a rollout."""
    return _annotated({ABORT: f"{version} by {who.replace(':', ' ')}: {why}"})


def record(before: State | None, after: State) -> Json:
    """The patch that records a state, and removes the requests that were carried out."""
    written: dict[str, str | None] = {ROLLOUT: after.dump()}
    is_edge = before is None or after.phase.is_end
    if is_edge or (before is not None and before.approvals != after.approvals):
        written[APPROVE] = None
    if is_edge:
        written[ABORT] = None
    return _annotated(written)


def annotate(client: RolloutClient, service: str, body: Json) -> None:
    """Writes an annotation, as a person does with kubectl. Tries again if the service was written meanwhile.

    Raises:
        ConflictError: The service was written at every attempt.
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
