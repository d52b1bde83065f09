"""Decides whether the challenger is as good as the champion right now. Pure: measurements in, checks with reasons out.

Every figure has two checks: is it within its bound, and is it within a margin of the champion's over the same window.
Each is decided by a 95 % interval. It passes if all of the interval is inside the range, fails if all of it is outside,
and is inconclusive otherwise, or if nothing was measured. The worst result counts. The bound is relative to the
champion, see :mod:`.bounds`.

A pass is decided once, at the end of a bake. A fail is decided at every iteration, hundreds of times on growing counts,
and one in twenty 95 % intervals misses the true value (repeated significance tests: Armitage, McPherson and Rowe 1969).
So figures of users' traffic fail by 99.9 % intervals only. Over such a series these are right about as often as a
single 95 % interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from content_arena.components.canary_rollout.analysis.bounds import (
    HIGHER_IS_BETTER,
    Bounds,
    excused,
    with_comparison,
)
from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject, name_of
from content_arena.components.canary_rollout.analysis.intervals import (
    Ratio,
    answers_for,
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
    at_least,
    at_least_below,
    at_most,
    at_most_above,
    judge,
    shares,
)
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.shared.figures import Rate

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

    def figure(self, subject: Subject) -> Ratio:
        """The figure with this name."""
        figures = {Subject.EVASION: self.evasion, Subject.BENIGN_FLAGGED: self.benign_flagged, Subject.F1: self.f1}
        return figures[subject]


def judge_versions(kind: Kind, subject: Subject, found: frozenset[str], wanted: str) -> Check:
    """Whether the expected model answered, and no other."""
    if not found:
        return Check(kind, subject, Verdict.INCONCLUSIVE, "nothing answered", grows=True)
    verdict = Verdict.PASS if found == {wanted} else Verdict.FAIL
    return Check(kind, subject, verdict, f"answered by version {', '.join(sorted(found))}, wanted {wanted}")


def judge_traffic(champion: Window | None, challenger: Window, bounds: Bounds) -> list[Check]:
    """Judges users' traffic by the bounds, and compares both variants over the same window.

    A few answers never fail a challenger: the first answers of a process are slow, and come from few users at once.

    Args:
        champion: None where it gets no traffic any more. The bounds alone are judged then.
        challenger: Of the same window.
        bounds: What is allowed.
    """
    checks = [
        *_judge_rate(Subject.ERRORS, champion, challenger, bounds),
        *_judge_rate(Subject.THROTTLED, champion, challenger, bounds),
        *_judge_latency(Subject.P95, champion, challenger, bounds),
        *_judge_latency(Subject.P99, champion, challenger, bounds),
    ]
    alone = both = challenger.requests
    if champion is not None:
        both = min(champion.requests, challenger.requests)
        checks.append(_judge_flagged(champion, challenger, bounds.limits.flagged_margin))
        checks.append(_judge_scores(champion, challenger, bounds.limits.psi))
    # A relative bound needs the champion's answers too.
    least = {Kind.BOUND: alone if bounds.is_absolute else both}
    return [_inconclusive_if_few(check, least.get(check.kind, both)) for check in checks]


def least_answers(limits: Limits) -> float:
    """The least number of the challenger's answers with which users' traffic can pass, if all of them are good.

    The p99 alone needs 381: at most 1 % of the answers may be slower. Infinity if a margin is 0.
    """
    rates = (limits.error_margin, limits.throttled_rate, *(1 - share for share in _QUANTILES.values()))
    return max(map(answers_for, rates))


def judge_probes(champion: Probes | None, challenger: Probes, bounds: Bounds, seed: int = 0) -> list[Check]:
    """Compares the results of the same probes, which were sent directly to the pods of both variants.

    More time does not decide what is inconclusive: the same attempts give the same answers.

    Args:
        champion: Results of the variant that served before; None where it has no pods, so the bounds alone are judged.
        challenger: Results of the variant that is rolled out.
        bounds: What is allowed.
        seed: Seed of the resampling.
    """
    checks = list[Check]()
    for subject in (Subject.EVASION, Subject.BENIGN_FLAGGED, Subject.F1):
        theirs = champion.figure(subject) if champion else None
        checks += _judge_probed(subject, theirs, challenger.figure(subject), bounds, seed)
    return [replace(check, grows=False) for check in checks]


def _judge_probed(subject: Subject, theirs: Ratio | None, ours: Ratio, bounds: Bounds, seed: int) -> list[Check]:
    """Judges a figure of the probes by its bound, and against the champion's on the same texts."""
    is_higher = subject in HIGHER_IS_BETTER

    def within(limit: float) -> Range:
        return (at_least if is_higher else at_most)(Kind.BOUND, subject, limit)

    met = compare(ours, ours if theirs is None else theirs, seed)
    if theirs is None:
        return [judge(within(bounds.alone(subject)), met.ours)]
    allowed = at_least_below if is_higher else at_most_above
    compared = judge(allowed(subject, bounds.margin(subject)), met.difference)
    bound = judge(within(bounds.beside(subject, met.theirs.rate)), met.ours)
    return _beside(bound, compared, judge(within(bounds.limit(subject)), met.theirs), bounds)


def _judge_rate(subject: Subject, champion: Window | None, challenger: Window, bounds: Bounds) -> list[Check]:
    """Judges a share of the answers, by itself and against the champion's."""
    ours, ours_wide = _share(subject, challenger)
    if champion is None:
        return [judge(at_most(Kind.BOUND, subject, bounds.alone(subject)), ours, ours_wide)]
    theirs, theirs_wide = _share(subject, champion)
    difference = at_most_above(subject, bounds.margin(subject))
    compared = judge(difference, apart(ours, theirs), apart(ours_wide, theirs_wide))
    bound = judge(at_most(Kind.BOUND, subject, bounds.beside(subject, theirs.rate)), ours, ours_wide)
    champions = judge(at_most(Kind.BOUND, subject, bounds.limit(subject)), theirs)
    return _beside(bound, compared, champions, bounds)


def _share(subject: Subject, window: Window) -> tuple[Rate, Rate]:
    return shares(window.errors if subject is Subject.ERRORS else window.throttled, window.requests)


def _judge_latency(subject: Subject, champion: Window | None, challenger: Window, bounds: Bounds) -> list[Check]:
    """Judges a quantile of the latency, by itself and against the champion's."""
    if champion is None:
        return [_judge_quantile(Kind.BOUND, subject, challenger, bounds.alone(subject))]
    champions = quantile(champion.edges, champion.latencies, _QUANTILES[subject])
    compared = _judge_quantile(Kind.CHAMPION, subject, challenger, bounds.margin(subject) * champions)
    bound = _judge_quantile(Kind.BOUND, subject, challenger, bounds.beside(subject, champions))
    own = _judge_quantile(Kind.BOUND, subject, champion, bounds.limit(subject), fails_widely=False)
    return _beside(bound, compared, own, bounds)


def _beside(bound: Check, compared: Check, champions: Check, bounds: Bounds) -> list[Check]:
    """Both checks of a figure, once the champion's own figure is taken into account."""
    if bounds.is_absolute:
        return [bound, compared]
    # The comparison is not excused: it is over the same window or texts, so what troubles both is on both of its sides.
    return [excused(with_comparison(bound, compared), champions), compared]


def _judge_quantile(kind: Kind, subject: Subject, window: Window, limit: float, *, fails_widely: bool = True) -> Check:
    """Whether a quantile is within a limit in seconds.

    The 95 % quantile is within the limit if at most 5 % of the answers are slower than it. That share has an interval.

    Counts are known at the edges of the bins only. Answers in the limit's own bin do not count as slower: otherwise a
    challenger that equals the champion could fail by answers whose exact latency is unknown. So the check is as precise
    as the limit's bin is narrow, and exact if the limit is an edge. Example: with bins that widen by a factor of 2.5
    and a champion at 0.11 s, "1.5 times as slow" is 0.165 s, and a challenger passes up to 0.25 s. Beyond the last
    finite edge the result is inconclusive.

    Args:
        kind: Of the check.
        subject: The quantile.
        window: Of the variant that is judged.
        limit: In seconds.
        fails_widely: Whether it fails by the wider interval only, because it is judged again and again.
    """
    name = name_of(kind, subject)
    if not limit > 0 or not math.isfinite(limit):
        reason = f"{name}: no latency of the champion to compare with"
        return Check(kind, subject, Verdict.INCONCLUSIVE, reason, grows=True)
    edge = min(edge for edge in window.edges if edge >= limit)
    if math.isinf(edge):
        # Without any answers there is only the infinite bin.
        reason = f"{name}: {limit:.4g} s is beyond the last bin of latencies, so slower answers can not be counted"
        return Check(kind, subject, Verdict.INCONCLUSIVE, reason, grows=not window.requests)
    slower = sum(count for end, count in zip(window.edges, window.latencies, strict=True) if end > edge)
    found, wide = shares(slower, sum(window.latencies))
    return judge(at_most(kind, subject, 1 - _QUANTILES[subject], edge), found, wide if fails_widely else found)


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
    grows = verdict is Verdict.INCONCLUSIVE
    return Check(Kind.DRIFT, Subject.SCORES, verdict, reason, measured, most=limit, grows=grows)


def _inconclusive_if_few(check: Check, answers: int) -> Check:
    """Turns a failure on too few answers into an inconclusive result."""
    if check.verdict is not Verdict.FAIL or answers >= _LEAST_ANSWERS:
        return check
    reason = f"{check.reason}; fewer than {_LEAST_ANSWERS} answers"
    return replace(check, verdict=Verdict.INCONCLUSIVE, reason=reason, grows=True)
