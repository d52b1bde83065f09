"""People's requests to a rollout: annotations of the ConfigMap with its record, which kubectl can write too.

| annotation | example | meaning |
|---|---|---|
| `content-arena/approve` | `3/step-25 by alice` | approves gate `step-25` of version 3; removed once used |
| `content-arena/abort` | `3 by alice: complaints` | withdraws version 3; removed once that is done |
| | `3 rejected by alice: rude` | withdraws it and records that it is bad |

Both name the version that they are meant for. A request for another version is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from content_arena.components.canary_rollout.plan.gate import Gate
from content_arena.components.canary_rollout.plan.observation import Abort, AbortKind

APPROVE = "content-arena/approve"
ABORT = "content-arena/abort"
_APPROVAL_FORM = "VERSION/GATE by WHO"
_ABORT_FORM = "VERSION by WHO: WHY or VERSION rejected by WHO: WHY"
_APPROVAL = re.compile(r"(?P<version>[^\s/]+)/(?P<gate>\S+)(?: by (?P<who>.+))?")
_ABORT = re.compile(
    rf"(?P<version>[^\s:]+)(?: (?P<kind>{'|'.join(AbortKind)}))?(?: by (?P<who>[^:]+))?(?::\s*(?P<why>.*))?", re.DOTALL
)


@dataclass(frozen=True)
class OperatorRequests:
    """The requests of people that a rollout has to carry out.

    Attributes:
        approved: The gate that is approved; None if none.
        approver: Name of the person who approved it; empty if not given.
        abort: The request to end the rollout; None if there is none.
        ignored: A line for each annotation that is for another version or cannot be read, with the reason.
    """

    approved: Gate | None = None
    approver: str = ""
    abort: Abort | None = None
    ignored: tuple[str, ...] = ()


def operator_requests(annotations: Mapping[str, str], version: str) -> OperatorRequests:
    """People's requests to the rollout of a version.

    Args:
        annotations: Of the ConfigMap with the rollout's record.
        version: The challenger's.
    """
    ignored: list[str] = []
    approval = _for_version(APPROVE, _APPROVAL, _APPROVAL_FORM, annotations, version, ignored)
    match = _for_version(ABORT, _ABORT, _ABORT_FORM, annotations, version, ignored)
    gate, approver = None, ""
    if approval:
        try:
            gate, approver = Gate.parse(approval["gate"]), (approval["who"] or "").strip()
        except ValueError as error:
            ignored.append(f"annotation {APPROVE} is {annotations[APPROVE]!r}, wanted {_APPROVAL_FORM}: {error}")
    abort = None
    if match:
        why = " ".join((match["why"] or "no reason given").split())
        kind = AbortKind(match["kind"] or AbortKind.WITHDRAW)
        abort = Abort(f"{why} ({(match['who'] or 'somebody').strip()})", kind)
    return OperatorRequests(gate, approver, abort, tuple(ignored))


def approval(version: str, gate: Gate, who: str) -> dict[str, str]:
    """The annotation that approves a gate."""
    return {APPROVE: f"{version}/{gate} by {who}"}


def abort_request(version: str, who: str, why: str, kind: AbortKind = AbortKind.WITHDRAW) -> dict[str, str]:
    """The annotation that aborts a rollout."""
    told = "" if kind is AbortKind.WITHDRAW else f" {kind.value}"
    return {ABORT: f"{version}{told} by {who.replace(':', ' ')}: {why}"}


def _for_version(
    name: str, pattern: re.Pattern[str], wanted: str, found: Mapping[str, str], version: str, ignored: list[str]
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
