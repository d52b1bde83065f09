"""What a plan is told, and what it may answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from content_arena.components.canary_rollout.analysis.verdict import Verdict


class Action(StrEnum):
    """What to do next."""

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
    """What is known at one moment. The defaults are what nothing is known by.

    Attributes:
        now: Seconds since the epoch.
        share: Percentage of the traffic that the gateway gives to the challenger; None if it can not be told.
        ready: Whether every pod of the challenger that was asked for is ready.
        failure: Why the challenger's pods will not serve; empty if nothing says so, or there is no way back any more.
        carried: Whether stable carries the challenger and has all the traffic.
        registered: Whether the registry agrees that the challenger is the champion.
        withdrawn: Whether stable is as before, has all the traffic, and nothing of the challenger is left.
        rejected: Whether the registry agrees that the challenger was rejected.
        edited: What a person changed in the service's spec meanwhile; empty if nothing.
        verdict: On the window that began at ``State.window``; None if it was not judged.
        cause: Why that verdict.
        requests: Answers of the challenger to users that were judged in the window.
        disturbed: Whether not all of the window could be counted, which no further answers mend.
        approved: Gate that a person has opened; empty if none.
        approver: Who opened it.
        abort: Why a person wants it rolled back; None if nobody does.
        awaited: What the last action waits for; empty if for nothing.
        refused: Why the last action was not allowed, where patience seldom helps; empty if it was.
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
    approved: str = ""
    approver: str = ""
    abort: str | None = None
    awaited: str = ""
    refused: str = ""
