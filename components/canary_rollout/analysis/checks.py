"""Decides whether the challenger is as good as the champion right now. Pure: measurements in, checks with reasons out.

Every figure has two checks: is it within an absolute bound, and is it within a margin of the champion's over the same
window. Each is decided by a 95 % interval. It passes if all of the interval is inside the range, fails if all of it is
outside, and is inconclusive otherwise, or if nothing was measured. The worst result counts.

A pass is decided once, at the end of a bake. A fail is decided at every iteration, hundreds of times on growing counts,
and one in twenty 95 % intervals misses the true value (repeated significance tests: Armitage, McPherson and Rowe 1969).
So figures of users' traffic fail by 99.9 % intervals only. Over such a series these are right about as often as a
single 95 % interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject, name_of
from content_arena.components.canary_rollout.analysis.intervals import (
    Ratio,
    apart,
    compare,
    highest_psi,
    psi,
    quantile,
)
from content_arena.components.canary_rollout.analysis.limits import Limits
from content_arena.components.canary_rollout.analysis.ranges import (
    FAIL_LEVEL,
    Range,
    at_most,
    at_most_above,
    judge,
    shares,
)
from content_arena.components.canary_rollout.analysis.verdict import Verdict

#: With fewer answers (of either variant where they are compared) nothing fails.
_LEAST_ANSWERS = 30
_QUANTILES = {Subject.P95: 0.95, Subject.P99: 0.99}


@dataclass(frozen=True)
class Window:
    """Real traffic of one variant over one window.

    Attributes:
        requests: Answers to users.
        errors: Those with a status of 500 or more.
        throttled: Those with status 429.
        edges: Upper ends of the latency bins in seconds, rising; the last is infinite.
        latencies: Answers in each bin.
        texts: Texts judged.
        flagged: Those judged toxic.
        scores: Texts in each bin of scores.
        versions: Every ``model_version`` that answered.
    """

    requests: int
    errors: int
    throttled: int
    edges: tuple[float, ...]
    latencies: tuple[int, ...]
    texts: int
    flagged: int
    scores: tuple[int, ...]
    versions: frozenset[str]


@dataclass(frozen=True)
class Probes:
    """Results of the probes that were sent to one variant.

    Attributes:
        evasion: Successes / toxic texts caught before.
        benign_flagged: Flagged / benign texts after the same strategies.
        f1: F1 on unperturbed texts.
        versions: Every ``model_version`` that answered.
    """

    evasion: Ratio
    benign_flagged: Ratio
    f1: Ratio
    versions: frozenset[str]


def judge_versions(kind: Kind, subject: Subject, found: frozenset[str], wanted: str) -> Check:
    """Whether the expected model answered, and no other."""
    if not found:
        return Check(kind, subject, Verdict.INCONCLUSIVE, "nothing answered")
    verdict = Verdict.PASS if found == {wanted} else Verdict.FAIL
    return Check(kind, subject, verdict, f"answered by version {', '.join(sorted(found))}, wanted {wanted}")


def judge_traffic(champion: Window, challenger: Window, limits: Limits) -> list[Check]:
    """Compares users' traffic of both variants over the same window.

    A few answers never fail a challenger: the first answers of a process are slow, and come from few users at once.
    """
    checks = [
        *_judge_rate(Subject.ERRORS, champion, challenger, limits.error_rate, limits.error_margin),
        *_judge_rate(Subject.THROTTLED, champion, challenger, limits.throttled_rate, limits.throttled_rate),
        *_judge_latency(Subject.P95, champion, challenger, limits.p95_seconds, limits.slower),
        *_judge_latency(Subject.P99, champion, challenger, limits.p99_seconds, limits.slower),
        _judge_flagged(champion, challenger, limits.flagged_margin),
        _judge_scores(champion, challenger, limits.psi),
    ]
    both = min(champion.requests, challenger.requests)
    return [_inconclusive_if_few(check, challenger.requests if check.kind is Kind.BOUND else both) for check in checks]


def judge_probes(champion: Probes, challenger: Probes, limits: Limits, seed: int = 0) -> list[Check]:
    """Compares the results of the same probes, which were sent directly to the pods of both variants.

    Args:
        champion: Results of the variant that served before.
        challenger: Results of the variant that is rolled out.
        limits: The bounds.
        seed: Seed of the resampling.
    """
    checks = []
    for subject, ours, theirs, limit, margin in (
        (Subject.EVASION, challenger.evasion, champion.evasion, limits.evasion, limits.evasion_margin),
        (Subject.BENIGN_FLAGGED, challenger.benign_flagged, champion.benign_flagged, limits.benign_flagged,
         limits.benign_margin),
    ):  # fmt: skip
        figure, difference = compare(ours, theirs, seed)
        checks.append(judge(at_most(Kind.BOUND, subject, limit), figure))
        checks.append(judge(at_most_above(subject, margin), difference))
    figure, difference = compare(challenger.f1, champion.f1, seed)
    least = Range(Kind.BOUND, Subject.F1, limits.f1, math.inf, f"at least {limits.f1:.4g}")
    wanted = f"at least {-limits.f1_margin:+.4g} from the champion's"
    no_less = Range(Kind.CHAMPION, Subject.F1, -limits.f1_margin, math.inf, wanted)
    return [*checks, judge(least, figure), judge(no_less, difference)]


def _judge_rate(
    subject: Subject, champion: Window, challenger: Window, limit: float, margin: float
) -> tuple[Check, Check]:
    """Judges a share of the answers, by itself and against the champion's."""
    (ours, ours_wide), (theirs, theirs_wide) = (
        shares(window.errors if subject is Subject.ERRORS else window.throttled, window.requests)
        for window in (challenger, champion)
    )
    difference = judge(at_most_above(subject, margin), apart(ours, theirs), apart(ours_wide, theirs_wide))
    return judge(at_most(Kind.BOUND, subject, limit), ours, ours_wide), difference


def _judge_latency(
    subject: Subject, champion: Window, challenger: Window, limit: float, slower: float
) -> tuple[Check, Check]:
    """Judges a quantile of the latency, by itself and against the champion's."""
    share = _QUANTILES[subject]
    champions = slower * quantile(champion.edges, champion.latencies, share)
    return (
        _judge_quantile(Kind.BOUND, subject, challenger, limit),
        _judge_quantile(Kind.CHAMPION, subject, challenger, champions),
    )


def _judge_quantile(kind: Kind, subject: Subject, window: Window, limit: float) -> Check:
    """Whether a quantile is within a limit in seconds.

    The 95 % quantile is within the limit if at most 5 % of the answers are slower than it. That share has an interval.

    Counts are known at the edges of the bins only. Answers in the limit's own bin do not count as slower: otherwise a
    challenger that equals the champion could fail by answers whose exact latency is unknown. So the check is as precise
    as the limit's bin is narrow, and exact if the limit is an edge. Example: with bins that widen by a factor of 2.5
    and a champion at 0.11 s, "1.5 times as slow" is 0.165 s, and a challenger passes up to 0.25 s. Beyond the last
    finite edge the result is inconclusive.
    """
    name = name_of(kind, subject)
    if not limit > 0 or not math.isfinite(limit):
        return Check(kind, subject, Verdict.INCONCLUSIVE, f"{name}: no latency of the champion to compare with")
    edge = min(edge for edge in window.edges if edge >= limit)
    if math.isinf(edge):
        reason = f"{name}: {limit:.4g} s is beyond the last bin of latencies, so slower answers can not be counted"
        return Check(kind, subject, Verdict.INCONCLUSIVE, reason)
    slower = sum(count for end, count in zip(window.edges, window.latencies, strict=True) if end > edge)
    found, wide = shares(slower, sum(window.latencies))
    return judge(at_most(kind, subject, 1 - _QUANTILES[subject], edge), found, wide)


def _judge_flagged(champion: Window, challenger: Window, margin: float) -> Check:
    """Judges the share of texts flagged as toxic against the champion's."""
    (ours, ours_wide), (theirs, theirs_wide) = (
        shares(window.flagged, window.texts, window.requests) for window in (challenger, champion)
    )
    wanted = f"within {margin:.4g} of the champion's"
    allowed = Range(Kind.DRIFT, Subject.FLAGGED, -margin, margin, wanted)
    return judge(allowed, apart(ours, theirs), apart(ours_wide, theirs_wide))


def _judge_scores(champion: Window, challenger: Window, limit: float) -> Check:
    """Judges the distribution of scores against the champion's."""
    before, after = champion.scores, challenger.scores
    value, noise = psi(before, after, (champion.requests, challenger.requests))
    verdict = Verdict.INCONCLUSIVE
    # On few texts the index is mostly noise, and even more so if users send the same text again.
    if noise <= limit / 2:
        if value <= limit:
            verdict = Verdict.PASS
        elif value > highest_psi(limit, noise, len(before), FAIL_LEVEL):
            verdict = Verdict.FAIL
    counts = f"{sum(before)} and {sum(after)} texts in {champion.requests} and {challenger.requests} requests"
    name = name_of(Kind.DRIFT, Subject.SCORES)
    reason = f"{name}: PSI {value:.4g} on {counts} (noise {noise:.4g}), wanted at most {limit:g}"
    measured = value if math.isfinite(value) else None
    return Check(Kind.DRIFT, Subject.SCORES, verdict, reason, measured, most=limit)


def _inconclusive_if_few(check: Check, answers: int) -> Check:
    """Turns a failure on too few answers into an inconclusive result."""
    if check.verdict is not Verdict.FAIL or answers >= _LEAST_ANSWERS:
        return check
    reason = f"{check.reason}; fewer than {_LEAST_ANSWERS} answers"
    return replace(check, verdict=Verdict.INCONCLUSIVE, reason=reason)
