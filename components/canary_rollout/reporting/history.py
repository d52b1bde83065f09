"""The history of a rollout: a file of JSON Lines for people and for the timeline page.

A rollout resumes from its record in the cluster alone; nothing reads the history to decide.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from content_arena.components.canary_rollout.analysis.check import Check
from content_arena.components.canary_rollout.analysis.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Record:
    """One iteration of the control loop in which something changed or was measured.

    Attributes:
        at: Seconds since the epoch.
        phase: Of the state, one of :class:`~content_arena.components.canary_rollout.plan.state.Phase`.
        step: Index into the plan's path.
        percent: The share that was last decided for the challenger.
        share: The share that the gateway gives it; None if unknown.
        action: One of :class:`~content_arena.components.canary_rollout.plan.observation.Action`.
        reason: Why it is in this phase.
        verdict: Of the window; None if it was not judged.
        checks: Every check that was made.
        approvals: Gates that people approved so far, ``<gate> by <who>``.
        event: Text of the Kubernetes Event; empty if there was none.
    """

    at: float
    phase: str
    step: int
    percent: int
    share: int | None
    action: str
    reason: str
    verdict: Verdict | None = None
    checks: tuple[Check, ...] = ()
    approvals: tuple[str, ...] = ()
    event: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"checks": [check.as_dict() for check in self.checks], "approvals": list(self.approvals)}

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Record:
        """Reads :meth:`as_dict` back."""
        checks = tuple(Check.from_dict(check) for check in given.get("checks", ()))
        verdict = None if given.get("verdict") is None else Verdict(given["verdict"])
        return cls(**(given | {"checks": checks, "verdict": verdict, "approvals": tuple(given.get("approvals", ()))}))


class History:
    """A file of records that only grows. Several processes may write it one after the other."""

    def __init__(self, path: Path) -> None:
        """Creates the folder if it does not exist."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path

    def append(self, record: Record) -> None:
        """Adds a line. A process that is killed meanwhile leaves a torn line, which readers skip."""
        line = json.dumps(record.as_dict(), separators=(",", ":"), allow_nan=False)
        with self.path.open("a+b") as file:
            torn = file.tell() > 0 and self._last_byte() != b"\n"
            file.write((b"\n" if torn else b"") + line.encode() + b"\n")

    def records(self) -> Sequence[Record]:
        """All complete records, in order."""
        return read(self.path)

    def _last_byte(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(-1, 2)
            return file.read(1)


def read(path: Path) -> list[Record]:
    """The complete records of a file; a line that a killed process left torn is skipped."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            found.append(Record.from_dict(json.loads(line)))
        except ValueError:
            continue
    return found
