"""Whether the challenger is as good as the champion right now. Pure: what was measured in, verdicts with reasons out.

Every check asks two things of a figure: is it within an absolute bound, and within a margin of the champion's over the
same window. Each is answered by a 95 % interval: all of it inside is a pass, all of it outside a fail, anything else
inconclusive. So is whatever was not measured. The worst answer counts.

A pass is looked for once, at the end of a bake; a fail at every turn, hundreds of times on counts that grow, and one
in twenty intervals lies (repeated significance tests: Armitage, McPherson and Rowe 1969). So what users' traffic counts
fails by 99.9 % intervals only, which together hold over such a series about as one of 95 % does by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from content_arena.components.canary_rollout.analysis.intervals import (
    Ratio,
    apart,
    compared,
    highest_psi,
    psi,
    quantile,
    share_of,
)
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.shared.figures import Rate

#: Fewer answers, of either variant where they are compared, fail nothing.
_LEAST_ANSWERS = 30
#: Of the intervals by which users' traffic fails.
_SURE = 0.999
_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


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
    """What a battle against one variant's own Service gave.

    Attributes:
        evasion: Successes / toxic texts caught before.
        benign_flagged: Flagged / benign texts after the same strategies.
        f1: On texts that nobody perturbed.
        versions: Every ``model_version`` that answered.
    """

    evasion: Ratio
    benign_flagged: Ratio
    f1: Ratio
    versions: frozenset[str]


@dataclass(frozen=True)
class Limits:
    """The bounds; shares in [0, 1]. A margin is how much worse than the champion's a figure may be.

    A tight bound takes many answers: one of 1 % can be passed from 381 answers on, all of them good.

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


@dataclass(frozen=True)
class Check:
    """One answer.

    Attributes:
        name: What was asked.
        verdict: The answer.
        reason: Both values and the limit, for people.
        value: The figure; None where there is none, or it was not measured.
        low: Lower end of its interval.
        high: Upper end.
        least: What it has to be at least; None if it may be as low as it likes.
        most: What it may be at most; None if it may be as high as it likes.
    """

    name: str
    verdict: Verdict
    reason: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    least: float | None = None
    most: float | None = None


def worst(checks: Sequence[Check]) -> Verdict:
    """The verdict of all together; inconclusive if nothing was checked."""
    found = {check.verdict for check in checks}
    return next((verdict for verdict in _WORST_FIRST if verdict in found), Verdict.INCONCLUSIVE)


def judge_versions(name: str, found: frozenset[str], wanted: str) -> Check:
    """Whether the right model answered, and no other."""
    if not found:
        return Check(name, Verdict.INCONCLUSIVE, "nothing answered")
    verdict = Verdict.PASS if found == {wanted} else Verdict.FAIL
    return Check(name, verdict, f"answered by version {', '.join(sorted(found))}, wanted {wanted}")


def judge_traffic(champion: Window, challenger: Window, limits: Limits) -> list[Check]:
    """Real traffic of both variants over the same window.

    A handful of answers fails nobody: the first ones of a process are slow, come together, and are of few users.
    """
    checks = []
    for name, limit, margin in (
        ("errors", limits.error_rate, limits.error_margin),
        ("throttled", limits.throttled_rate, limits.throttled_rate),
    ):
        (ours, surely), (theirs, they_surely) = (
            _shares(getattr(window, name), window.requests) for window in (challenger, champion)
        )
        checks.append(_below(f"{name}, bound", ours, limit, surely))
        checks.append(_difference_below(f"{name}, champion", apart(ours, theirs), margin, apart(surely, they_surely)))
    for name, share, limit in (("p95", 0.95, limits.p95_seconds), ("p99", 0.99, limits.p99_seconds)):
        checks.append(_slow(f"{name}, bound", challenger, share, limit))
        checks.append(
            _slow(
                f"{name}, champion",
                challenger,
                share,
                limits.slower * quantile(champion.edges, champion.latencies, share),
            )
        )
    (ours, surely), (theirs, they_surely) = (
        _shares(window.flagged, window.texts, window.requests) for window in (challenger, champion)
    )
    checks.append(_difference_within("flagged", apart(ours, theirs), limits.flagged_margin, apart(surely, they_surely)))
    checks.append(_psi("scores", champion, challenger, limits.psi))
    both = min(champion.requests, challenger.requests)
    return [_on_enough(check, challenger.requests if ", bound" in check.name else both) for check in checks]


def judge_probes(champion: Probes, challenger: Probes, limits: Limits, seed: int = 0) -> list[Check]:
    """The same texts, sent straight to both variants.

    Args:
        champion: What they gave there.
        challenger: What they gave here.
        limits: The bounds.
        seed: Of the resampling.
    """
    checks = []
    for name, ours, theirs, limit, margin in (
        ("evasion", challenger.evasion, champion.evasion, limits.evasion, limits.evasion_margin),
        ("benign flagged", challenger.benign_flagged, champion.benign_flagged, limits.benign_flagged,
         limits.benign_margin),
    ):  # fmt: skip
        figure, difference = compared(ours, theirs, seed)
        checks.append(_below(f"{name}, bound", figure, limit))
        checks.append(_difference_below(f"{name}, champion", difference, margin))
    figure, difference = compared(challenger.f1, champion.f1, seed)
    checks.append(_inside("F1, bound", figure, limits.f1, math.inf, f"at least {limits.f1:.4g}"))
    wanted = f"at least {-limits.f1_margin:+.4g} from the champion's"
    checks.append(_inside("F1, champion", difference, -limits.f1_margin, math.inf, wanted))
    return checks


def _shares(count: int, total: int, draws: int | None = None) -> tuple[Rate, Rate]:
    """A share with the interval that passes it, and with the one that fails it."""
    return share_of(count, total, draws), share_of(count, total, draws, _SURE)


def _on_enough(check: Check, answers: int) -> Check:
    if check.verdict is not Verdict.FAIL or answers >= _LEAST_ANSWERS:
        return check
    reason = f"{check.reason}; fewer than {_LEAST_ANSWERS} answers"
    return replace(check, verdict=Verdict.INCONCLUSIVE, reason=reason)


def _below(name: str, found: Rate, limit: float, surely: Rate | None = None) -> Check:
    return _inside(name, found, -math.inf, limit, f"at most {limit:.4g}", surely)


def _difference_below(name: str, found: Rate, margin: float, surely: Rate | None = None) -> Check:
    return _inside(name, found, -math.inf, margin, f"at most {margin:+.4g} from the champion's", surely)


def _difference_within(name: str, found: Rate, margin: float, surely: Rate | None = None) -> Check:
    return _inside(name, found, -margin, margin, f"within {margin:.4g} of the champion's", surely)


def _inside(
    name: str, found: Rate, lowest: float, highest: float, wanted: str, surely: Rate | None = None
) -> Check:  # fmt: skip
    """Passes by one interval, and fails by the other where there is one."""
    # Written so that NaN is neither.
    least, most = (bound if math.isfinite(bound) else None for bound in (lowest, highest))
    if found.rate is None or found.low is None or found.high is None:
        return Check(name, Verdict.INCONCLUSIVE, f"{name}: not measured, wanted {wanted}", least=least, most=most)
    verdict = Verdict.INCONCLUSIVE
    if found.low >= lowest and found.high <= highest:
        verdict = Verdict.PASS
    elif _is_outside(surely or found, lowest, highest):
        verdict = Verdict.FAIL
    # The lower end of nothing of many is nothing, whatever the arithmetic makes of it.
    shown = f"{found.rate:.4g} [{round(found.low, 12):.4g}, {round(found.high, 12):.4g}] on {found.n}"
    too_few = verdict is Verdict.INCONCLUSIVE and lowest <= found.rate <= highest
    reason = f"{name}: {shown}, wanted {wanted}" + (": good, and too few to be sure" if too_few else "")
    return Check(name, verdict, reason, found.rate, found.low, found.high, least, most)


def _is_outside(found: Rate, lowest: float, highest: float) -> bool:
    return found.low is not None and found.high is not None and (found.low > highest or found.high < lowest)


def _slow(name: str, window: Window, share: float, limit: float) -> Check:
    """A quantile is within a limit if no more than the rest is slower; that is a share, and has an interval.

    Counts are known at the edges of the bins only. What shares the limit's bin is not taken for slower, or an equal
    challenger could be held for what nobody can tell; so a limit is as exact as its bin is narrow, and on an edge it is
    exact. With bins of a factor of 2.5 and a champion at 0.11 s, "1.5 times as slow" is 0.165 s, and what passes is up
    to 0.25 s. Beyond the last edge nothing is known, so nothing is judged there.
    """
    if not limit > 0 or not math.isfinite(limit):
        return Check(name, Verdict.INCONCLUSIVE, f"{name}: there is nothing to compare with")
    edge = min(edge for edge in window.edges if edge >= limit)
    if math.isinf(edge):
        reason = f"{name}: {limit:.4g} s is beyond the last bin of latencies, so nobody knows what is slower"
        return Check(name, Verdict.INCONCLUSIVE, reason)
    slower = sum(count for end, count in zip(window.edges, window.latencies, strict=True) if end > edge)
    found, surely = _shares(slower, sum(window.latencies))
    return _below(f"{name}, share slower than {edge:g} s", found, 1 - share, surely)


def _psi(name: str, champion: Window, challenger: Window, limit: float) -> Check:
    before, after = champion.scores, challenger.scores
    value, noise = psi(before, after, (champion.requests, challenger.requests))
    verdict = Verdict.INCONCLUSIVE
    # On few texts the index is mostly chance, and more than that where users send the same text: that tells nothing.
    if noise <= limit / 2:
        if value <= limit:
            verdict = Verdict.PASS
        elif value > highest_psi(limit, noise, len(before), _SURE):
            verdict = Verdict.FAIL
    counts = f"{sum(before)} and {sum(after)} texts in {champion.requests} and {challenger.requests} requests"
    reason = f"{name}: PSI {value:.4g} on {counts} (chance {noise:.4g}), wanted at most {limit:g}"
    return Check(name, verdict, reason, value if math.isfinite(value) else None, most=limit)
