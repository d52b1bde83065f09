"""Input and output of a decision: what was observed, and the actions that may follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from content_arena.components.canary_rollout.analysis.verdict import Lack, Verdict
from content_arena.components.canary_rollout.plan.gate import Gate


class AbortKind(StrEnum):
    """What a request to end a rollout says about the version."""

    #: Nothing: it may be rolled out again.
    WITHDRAW = "withdrawn"
    #: It is bad, so it is not rolled out again without a reason.
    REJECT = "rejected"
    #: Nothing: no process ran the rollout any more.
    ABANDON = "abandoned"


@dataclass(frozen=True)
class Abort:
    """A request to end a rollout.

    Attributes:
        reason: Why, and who asks.
        kind: What it says about the version.
    """

    reason: str
    kind: AbortKind = AbortKind.WITHDRAW


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
        failure: Why the challenger's pods will not serve; empty if there is no sign of that. Also empty once the
            challenger has taken over from stable, because a rollback is not possible any more.
        taken_over: Whether the challenger's model is the service's stable one and has all the traffic.
        kept: Whether the version before has its pods still, without traffic.
        registered: Whether the registry has the challenger as its champion.
        withdrawn: Whether stable is as before the rollout, has all the traffic, and no part of the challenger is left.
        rejected: Whether the registry has recorded that this rollout rejected the challenger.
        edited: What was changed in the service's spec since the rollout last wrote it; empty if nothing.
        verdict: Of the window that began at ``State.window``; None if it was not judged.
        cause: Reason of that verdict.
        requests: The challenger's answers to users that were judged in the window.
        disturbed: Whether a part of the window could not be counted. More answers do not make up for that.
        bounds: By subject, those that the challenger passed with because the champion is no better than them.
        lacks: What the verdict lacks where nothing else is in its way; None if time does not bring it.
        approved: The gate that a person approved; None if none.
        approver: Name of that person.
        abort: A request to end the rollout; None if there is none.
        waiting_for: What the last action waits for; empty if it waits for nothing.
        unfollowed: How long the spec has requested shares that the route does not show, though nothing else is
            missing, in seconds.
        refusal: Why the cluster refused the last action, so that waiting seldom helps; empty if it did not.
    """

    now: float
    share: int | None = None
    ready: bool = False
    failure: str = ""
    taken_over: bool = False
    kept: bool = False
    registered: bool = False
    withdrawn: bool = False
    rejected: bool = False
    edited: str = ""
    verdict: Verdict | None = None
    cause: str = ""
    requests: int = 0
    disturbed: bool = False
    bounds: Mapping[str, float] = field(default_factory=dict)
    lacks: Lack | None = None
    approved: Gate | None = None
    approver: str = ""
    abort: Abort | None = None
    waiting_for: str = ""
    unfollowed: float = 0.0
    refusal: str = ""
