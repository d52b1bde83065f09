"""The bounds of a challenger's figures: the limits, and the champion's figures where those are looser.

A limit alone convicts a challenger of what is not its fault: the champion may be as slow, and while a database is away
both answer with errors. Therefore a bound is relative by default. It is the limit, or the champion's figure and its
margin where that is looser. And no figure fails its bound while the champion is outside its own limit over the same
window or texts. The comparison with the champion fails all the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject
from content_arena.components.canary_rollout.analysis.limits import Limits
from content_arena.components.canary_rollout.analysis.verdict import Verdict

#: Names of the limit and the margin of each figure. The margins of the latencies are factors.
NAMES = {
    Subject.ERRORS: ("error_rate", "error_margin"),
    Subject.THROTTLED: ("throttled_rate", "throttled_rate"),
    Subject.P95: ("p95_seconds", "slower"),
    Subject.P99: ("p99_seconds", "slower"),
    Subject.EVASION: ("evasion", "evasion_margin"),
    Subject.BENIGN_FLAGGED: ("benign_flagged", "benign_margin"),
    Subject.F1: ("f1", "f1_margin"),
}
#: Figures of which more is better.
HIGHER_IS_BETTER = frozenset({Subject.F1})


@dataclass(frozen=True)
class Bounds:
    """How the limits apply to a challenger.

    Attributes:
        limits: The limits and the margins.
        is_absolute: Whether the limits hold whatever the champion's figures are.
        passed_with: The looser bounds that the challenger last passed with beside the champion, by subject. They hold
            where there is no champion to compare with. In the unit of the limit.
    """

    limits: Limits = field(default_factory=Limits)
    is_absolute: bool = False
    passed_with: Mapping[str, float] = field(default_factory=dict)

    def limit(self, subject: Subject) -> float:
        """The limit of a figure."""
        value: float = getattr(self.limits, NAMES[subject][0])
        return value

    def margin(self, subject: Subject) -> float:
        """How much worse than the champion's a figure may be; for a latency how many times as slow."""
        value: float = getattr(self.limits, NAMES[subject][1])
        return value

    def alone(self, subject: Subject) -> float:
        """The bound where there is no champion to compare with."""
        limit = self.limit(subject)
        return limit if self.is_absolute else looser(subject, limit, self.passed_with.get(subject, limit))

    def beside(self, subject: Subject, champions: float | None) -> float:
        """The bound beside the champion, with its figure; the limit where that was not measured."""
        limit, margin = self.limit(subject), self.margin(subject)
        if self.is_absolute or champions is None:
            return limit
        if subject in (Subject.P95, Subject.P99):
            return looser(subject, limit, margin * champions)
        return looser(subject, limit, champions - margin if subject in HIGHER_IS_BETTER else champions + margin)


def looser(subject: Subject, limit: float, other: float) -> float:
    """The looser of two bounds; the limit if the other is not finite, or the limit is not a number."""
    if not math.isfinite(other):
        return limit
    is_looser = other < limit if subject in HIGHER_IS_BETTER else other > limit
    return other if is_looser else limit


def with_comparison(bound: Check, compared: Check) -> Check:
    """A bound's check that also passes by the comparison with the champion.

    The bound is the looser of limit and champion, and the comparison has a narrower interval: its probes are compared
    text by text.
    """
    if bound.verdict is not Verdict.INCONCLUSIVE or compared.verdict is not Verdict.PASS:
        return bound
    reason = f"{bound.reason}; no worse than the champion by more than the margin"
    return replace(bound, verdict=Verdict.PASS, reason=reason, grows=False)


def excused(check: Check, champions: Check) -> Check:
    """A check that does not fail while the champion is outside its own limit: what troubles both convicts nobody.

    Args:
        check: Of the challenger.
        champions: The champion's figure against the limit.
    """
    if check.verdict is not Verdict.FAIL or champions.verdict is not Verdict.FAIL:
        return check
    reason = f"{check.reason}; the champion is outside its own bound too: {champions.reason}"
    return replace(check, verdict=Verdict.INCONCLUSIVE, reason=reason, grows=False)


def loosened(checks: Sequence[Check], limits: Limits) -> dict[str, float]:
    """The bounds that are looser than their limits, by subject, in the unit of the limit.

    Where a figure passed by the comparison alone, the end of its interval counts: the same figure has to pass again
    where there is no champion.
    """
    found, bounds = {}, Bounds(limits)
    for check in checks:
        if check.kind is not Kind.BOUND or check.verdict is not Verdict.PASS:
            continue
        subject = Subject(check.subject)
        bound, limit = check.most if subject not in HIGHER_IS_BETTER else check.least, bounds.limit(subject)
        reached = check.low if subject in HIGHER_IS_BETTER else check.high
        if check.slower_than is not None:
            # The share of slower answers is judged; the bound in seconds is what it is slower than.
            bound, reached = check.slower_than, None
        for value in (bound, reached):
            if value is not None:
                limit = looser(subject, limit, value)
        if limit != bounds.limit(subject):
            found[subject.value] = limit
    return found
