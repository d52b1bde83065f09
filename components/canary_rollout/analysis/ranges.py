"""Judges whether a figure is within a range, by the figure's interval. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject, name_of
from content_arena.components.canary_rollout.analysis.intervals import share_of
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.shared.figures import Rate

#: Level of the intervals by which users' traffic fails; it passes by 95 % intervals.
FAIL_LEVEL = 0.999


@dataclass(frozen=True)
class Range:
    """The range in which a figure has to be.

    Attributes:
        kind: The question of the check.
        subject: The figure.
        lowest: Lower limit, or minus infinity.
        highest: Upper limit, or infinity.
        wanted: The limits as text.
        slower_than: For a latency: the figure is the share of answers slower than this, in seconds.
    """

    kind: Kind
    subject: Subject
    lowest: float
    highest: float
    wanted: str
    slower_than: float | None = None


def at_most(kind: Kind, subject: Subject, limit: float, slower_than: float | None = None) -> Range:
    """A range without a lower limit."""
    return Range(kind, subject, -math.inf, limit, f"at most {limit:.4g}", slower_than)


def at_least(kind: Kind, subject: Subject, limit: float) -> Range:
    """A range without an upper limit."""
    return Range(kind, subject, limit, math.inf, f"at least {limit:.4g}")


def at_least_below(subject: Subject, margin: float) -> Range:
    """A range for the difference from the champion's figure, without an upper limit."""
    return Range(Kind.CHAMPION, subject, -margin, math.inf, f"at least {-margin:+.4g} from the champion's")


def at_most_above(subject: Subject, margin: float) -> Range:
    """A range for the difference from the champion's figure, without a lower limit."""
    return Range(Kind.CHAMPION, subject, -math.inf, margin, f"at most {margin:+.4g} from the champion's")


def shares(count: int, total: int, draws: int | None = None) -> tuple[Rate, Rate]:
    """A share with the interval by which it passes, and with the wider one by which it fails."""
    return share_of(count, total, draws), share_of(count, total, draws, FAIL_LEVEL)


def judge(allowed: Range, found: Rate, wide: Rate | None = None) -> Check:
    """Passes if the interval is inside the range, and fails if the wide interval (or else the same) is outside.

    What is inconclusive may be decided by more trials (``Check.grows``).
    """
    kind, subject, lowest, highest = allowed.kind, allowed.subject, allowed.lowest, allowed.highest
    name = name_of(kind, subject, allowed.slower_than)
    least, most = (bound if math.isfinite(bound) else None for bound in (lowest, highest))
    limits = {"least": least, "most": most, "slower_than": allowed.slower_than}
    if found.rate is None or found.low is None or found.high is None:
        reason = f"{name}: not measured, wanted {allowed.wanted}"
        return Check(kind, subject, Verdict.INCONCLUSIVE, reason, grows=True, **limits)
    # Compared this way round, so that NaN neither passes nor fails.
    verdict = Verdict.INCONCLUSIVE
    if found.low >= lowest and found.high <= highest:
        verdict = Verdict.PASS
    elif _is_outside(wide or found, lowest, highest):
        verdict = Verdict.FAIL
    # The lower end for no hits at all is 0, but rounding errors can make it something like 1e-18.
    shown = f"{found.rate:.4g} [{round(found.low, 12):.4g}, {round(found.high, 12):.4g}] on {found.n}"
    too_few = verdict is Verdict.INCONCLUSIVE and lowest <= found.rate <= highest
    reason = f"{name}: {shown}, wanted {allowed.wanted}" + (": inside, but too few to be certain" if too_few else "")
    grows = verdict is Verdict.INCONCLUSIVE
    return Check(kind, subject, verdict, reason, found.rate, found.low, found.high, grows=grows, **limits)


def _is_outside(found: Rate, lowest: float, highest: float) -> bool:
    return found.low is not None and found.high is not None and (found.low > highest or found.high < lowest)
