"""Input and output of a decision: what was observed, and the actions that may follow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.plan.gate import Gate


class Action(StrEnum):
    """An action that a decision may ask for."""

    STAGE = "stage"
    SHIFT = "shift"
    MEASURE = "measure"
    WAIT = "wait"
    PROMOTE = "promote"
    REGISTER = "register"
    ROLL_BACK = "roll_back"
    REJECT = "reject"
    NOTHING = "nothing"


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What is known about a rollout at one moment. Each default means "not known" or "no".

    Attributes:
        now: Seconds since the epoch.
        share: Percentage of the traffic that the gateway gives to the challenger; None if unknown.
        ready: Whether every requested pod of the challenger is ready.
        failure: Why the challenger's pods will not serve. Empty if there is no sign of that, and also when stable
            already carries the challenger, because a rollback is not possible any more.
        carried: Whether stable carries the challenger's model and has all the traffic.
        registered: Whether the registry has the challenger as its champion.
        withdrawn: Whether stable is as before the rollout, has all the traffic, and no part of the challenger is left.
        rejected: Whether the registry has recorded that this rollout rejected the challenger.
        edited: What somebody else changed in the service's spec since the rollout last wrote it; empty if nothing.
        verdict: Of the window that began at ``State.window``; None if it was not judged.
        cause: Reason of that verdict.
        requests: The challenger's answers to users that were judged in the window.
        disturbed: Whether a part of the window could not be counted. More answers do not make up for that.
        approved: The gate that a person approved; None if none.
        approver: Name of that person.
        abort: Why a person asks for a rollback; None if nobody asks.
        awaited: What the last action waits for; empty if it waits for nothing.
        refused: Why the last action was not allowed, where waiting seldom helps; empty if it was allowed.
    """

    now: float
    share: int | None = None
    ready: bool = False
    failure: str = ""
    carried: bool = False
    registered: bool = False
    withdrawn: bool = False
    rejected: bool = False
    edited: str = ""
    verdict: Verdict | None = None
    cause: str = ""
    requests: int = 0
    disturbed: bool = False
    approved: Gate | None = None
    approver: str = ""
    abort: str | None = None
    awaited: str = ""
    refused: str = ""
