"""Decides whether the challenger is as good as the champion right now. Pure: measurements in, checks with reasons out.

Every figure is asked two things: is it within an absolute bound, and is it within a margin of the champion's over the
same window. Each question is answered by a 95 % interval. All of it inside is a pass, all of it outside a fail, and
anything else is inconclusive, as is whatever was not measured. The worst answer counts.

A pass is decided once, at the end of a bake. A fail is looked for at every iteration, hundreds of times on growing
counts, and one in twenty intervals misses (repeated significance tests: Armitage, McPherson and Rowe 1969). So figures
of users' traffic fail by 99.9 % intervals only. Over such a series these hold about as often as a single 95 % interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject, name_of
from content_arena.components.canary_rollout.analysis.intervals import (
    Ratio,
    apart,
    compared,
    highest_psi,
    psi,
    quantile,
)
from content_arena.components.canary_rollout.analysis.ranges import SURE, Range, at_most, judge, no_more_above, shares
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


@dataclass(frozen=True)
class Limits:
    """The bounds of all figures; shares are in [0, 1]. A margin is how much worse than the champion a figure may be.

    A tight bound takes many answers: 1 % can be passed from 381 answers on, if all of them are good.

    Attributes:
        error_rate: Of answers to users.
        error_margin: Above the champion's.
        p95_seconds: 95 % of answers are at most this slow.
        p99_seconds: 99 % of answers are at most this slow.
        slower: Times as slow as the champion's p95 and p99.
        throttled_rate: Answers of 429.
        flagged_margin: The share of texts flagged may differ so much, either way.
        psi: Population stability index of the score distributions.
        evasion: Of the probes.
        evasion_margin: Above the champion's.
        benign_flagged: Of the probes.
        benign_margin: Above the champion's.
        f1: Of the probes, at least.
        f1_margin: Below the champion's.
    """

    error_rate: float = 0.01
    error_margin: float = 0.01
    p95_seconds: float = 0.5
    p99_seconds: float = 1.0
    slower: float = 1.5
    throttled_rate: float = 0.05
    flagged_margin: float = 0.1
    psi: float = 0.25
    evasion: float = 0.3
    evasion_margin: float = 0.05
    benign_flagged: float = 0.4
    benign_margin: float = 0.05
    f1: float = 0.6
    f1_margin: float = 0.05


def judge_versions(kind: Kind, subject: Subject, found: frozenset[str], wanted: str) -> Check:
    """Whether the expected model answered, and no other."""
    if not found:
        return Check(kind, subject, Verdict.INCONCLUSIVE, "nothing answered")
    verdict = Verdict.PASS if found == {wanted} else Verdict.FAIL
    return Check(kind, subject, verdict, f"answered by version {', '.join(sorted(found))}, wanted {wanted}")


def judge_traffic(champion: Window, challenger: Window, limits: Limits) -> list[Check]:
    """Compares users' traffic of both variants over the same window.

    A few answers never fail a challenger: the first ones of a process are slow, come together and are of few users.
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
    return [_on_enough(check, challenger.requests if check.kind is Kind.BOUND else both) for check in checks]


def judge_probes(champion: Probes, challenger: Probes, limits: Limits, seed: int = 0) -> list[Check]:
    """Compares what both variants made of the same texts, which were sent straight to their pods.

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
        figure, difference = compared(ours, theirs, seed)
        checks.append(judge(at_most(Kind.BOUND, subject, limit), figure))
        checks.append(judge(no_more_above(subject, margin), difference))
    figure, difference = compared(challenger.f1, champion.f1, seed)
    least = Range(Kind.BOUND, Subject.F1, limits.f1, math.inf, f"at least {limits.f1:.4g}")
    wanted = f"at least {-limits.f1_margin:+.4g} from the champion's"
    no_less = Range(Kind.CHAMPION, Subject.F1, -limits.f1_margin, math.inf, wanted)
    return [*checks, judge(least, figure), judge(no_less, difference)]


def _judge_rate(
    subject: Subject, champion: Window, challenger: Window, limit: float, margin: float
) -> tuple[Check, Check]:
    """A share of the answers, by itself and beside the champion's."""
    (ours, ours_surely), (theirs, theirs_surely) = (
        shares(window.errors if subject is Subject.ERRORS else window.throttled, window.requests)
        for window in (challenger, champion)
    )
    difference = judge(no_more_above(subject, margin), apart(ours, theirs), apart(ours_surely, theirs_surely))
    return judge(at_most(Kind.BOUND, subject, limit), ours, ours_surely), difference


def _judge_latency(
    subject: Subject, champion: Window, challenger: Window, limit: float, slower: float
) -> tuple[Check, Check]:
    """A quantile of the latency, by itself and beside the champion's."""
    share = _QUANTILES[subject]
    champions = slower * quantile(champion.edges, champion.latencies, share)
    return (
        _judge_quantile(Kind.BOUND, subject, challenger, limit),
        _judge_quantile(Kind.CHAMPION, subject, challenger, champions),
    )


def _judge_quantile(kind: Kind, subject: Subject, window: Window, limit: float) -> Check:
    """Whether a quantile is within a limit in seconds.

    It is if no more than the rest of the answers is slower than the limit, and that is a share with an interval.

    Counts are known at the edges of the bins only. Answers in the limit's own bin are not taken for slower: otherwise a
    challenger that equals the champion could be blamed for answers whose exact latency is unknown. So a limit is as
    exact as its bin is narrow, and exact on an edge. Example: with bins that widen by a factor of 2.5 and a champion at
    0.11 s, "1.5 times as slow" is 0.165 s, and a challenger passes up to 0.25 s. Beyond the last finite edge nothing is
    known, so the result is inconclusive.
    """
    name = name_of(kind, subject)
    if not limit > 0 or not math.isfinite(limit):
        return Check(kind, subject, Verdict.INCONCLUSIVE, f"{name}: there is nothing to compare with")
    edge = min(edge for edge in window.edges if edge >= limit)
    if math.isinf(edge):
        reason = f"{name}: {limit:.4g} s is beyond the last bin of latencies, so it is not known what is slower"
        return Check(kind, subject, Verdict.INCONCLUSIVE, reason)
    slower = sum(count for end, count in zip(window.edges, window.latencies, strict=True) if end > edge)
    found, surely = shares(slower, sum(window.latencies))
    return judge(at_most(kind, subject, 1 - _QUANTILES[subject], edge), found, surely)


def _judge_flagged(champion: Window, challenger: Window, margin: float) -> Check:
    """The share of texts judged toxic, beside the champion's."""
    (ours, ours_surely), (theirs, theirs_surely) = (
        shares(window.flagged, window.texts, window.requests) for window in (challenger, champion)
    )
    wanted = f"within {margin:.4g} of the champion's"
    allowed = Range(Kind.DRIFT, Subject.FLAGGED, -margin, margin, wanted)
    return judge(allowed, apart(ours, theirs), apart(ours_surely, theirs_surely))


def _judge_scores(champion: Window, challenger: Window, limit: float) -> Check:
    """The distribution of scores, beside the champion's."""
    before, after = champion.scores, challenger.scores
    value, noise = psi(before, after, (champion.requests, challenger.requests))
    verdict = Verdict.INCONCLUSIVE
    # On few texts the index is mostly chance. Where users send the same text again it is even more so.
    if noise <= limit / 2:
        if value <= limit:
            verdict = Verdict.PASS
        elif value > highest_psi(limit, noise, len(before), SURE):
            verdict = Verdict.FAIL
    counts = f"{sum(before)} and {sum(after)} texts in {champion.requests} and {challenger.requests} requests"
    name = name_of(Kind.DRIFT, Subject.SCORES)
    reason = f"{name}: PSI {value:.4g} on {counts} (chance {noise:.4g}), wanted at most {limit:g}"
    measured = value if math.isfinite(value) else None
    return Check(Kind.DRIFT, Subject.SCORES, verdict, reason, measured, most=limit)


def _on_enough(check: Check, answers: int) -> Check:
    """Turns a failure on too few answers into an inconclusive result."""
    if check.verdict is not Verdict.FAIL or answers >= _LEAST_ANSWERS:
        return check
    reason = f"{check.reason}; fewer than {_LEAST_ANSWERS} answers"
    return replace(check, verdict=Verdict.INCONCLUSIVE, reason=reason)
