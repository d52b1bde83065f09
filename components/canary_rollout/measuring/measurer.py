"""Measures both variants in the cluster and judges the challenger: users' traffic, probes, model versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from content_arena.components.canary_rollout.analysis.bounds import Bounds, loosened
from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject, worst
from content_arena.components.canary_rollout.analysis.checks import (
    judge_probes,
    judge_traffic,
    judge_versions,
)
from content_arena.components.canary_rollout.analysis.intervals import share_of
from content_arena.components.canary_rollout.analysis.limits import Limits
from content_arena.components.canary_rollout.analysis.verdict import Lack, Verdict
from content_arena.components.canary_rollout.measuring.counters import MeasureError, Source
from content_arena.components.canary_rollout.measuring.endpoints import Variant, Variants, variants
from content_arena.components.canary_rollout.measuring.interface import Measurement, Moment
from content_arena.components.canary_rollout.measuring.prober import Prober, Probing
from content_arena.components.canary_rollout.traffic.mode import StableSpec
from content_arena.components.shared.errors import ArenaError

#: Reasons that the cause of a verdict quotes.
_QUOTED_REASONS = 3


class LiveMeasurer:
    """Measures in a cluster; see :class:`~content_arena.components.canary_rollout.measuring.interface.Measurer`.

    What can not be measured is inconclusive, with the reason. Nothing passes without a measurement.
    """

    def __init__(
        self,
        source: Source,
        prober: Prober,
        limits: Limits,
        *,
        is_absolute: bool = False,
        warmup_seconds: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Takes the sources of all figures.

        Args:
            source: Counts users' traffic.
            prober: Sends probes to both variants.
            limits: The limits and the margins.
            is_absolute: Whether the limits hold whatever the champion's figures are.
            warmup_seconds: Length of the first part of a window, which is not counted.
            seed: Seed of the resampling.
        """
        self._source, self._prober = source, prober
        self._limits, self._is_absolute = limits, is_absolute
        self._warmup_seconds, self._seed = warmup_seconds, seed

    def measure(self, moment: Moment) -> Measurement:
        """Judges the window so far."""
        both = variants(moment.view, moment.mode, moment.stable, moment.challenger)
        checks = [_readiness(moment)]
        requests, disturbed = 0, False
        try:
            checks += self._judge_probes(moment, both)
            # At 0 % the challenger answers no users, so there is no traffic to count.
            if moment.percent > 0:
                requests, disturbed, found = self._judge_traffic(moment, both)
                checks += found
        except ArenaError as error:
            checks.append(Check(Kind.MEASURING, Subject.BOTH, Verdict.INCONCLUSIVE, str(error)))
        bounds = {} if self._is_absolute else loosened(checks, self._limits)
        return Measurement(
            worst(checks), _cause(checks, requests), requests, tuple(checks), disturbed, bounds, _lacks(checks)
        )

    def close(self) -> None:
        """Stops all probes."""
        self._prober.close()

    def _judge_traffic(self, moment: Moment, both: Variants) -> tuple[int, bool, list[Check]]:
        """The challenger's answers to users, whether some were not counted, and the checks."""
        begin = moment.window + self._warmup_seconds
        try:
            counted = self._source.count(begin, moment.now, both.champion, both.challenger)
        except MeasureError as error:
            return 0, False, [Check(Kind.TRAFFIC, Subject.BOTH, Verdict.INCONCLUSIVE, str(error))]
        if moment.now <= begin:
            reason = "the step is warming up, nothing is counted yet"
            return 0, False, [Check(Kind.TRAFFIC, Subject.BOTH, Verdict.INCONCLUSIVE, reason, grows=True)]
        champion, challenger = counted.champion, counted.challenger
        version = judge_versions(Kind.VERSION, Subject.CHALLENGER, challenger.versions, moment.challenger.version)
        checks = [version, *counted.checks]
        if moment.percent < 100:
            judged = judge_traffic(champion, challenger, self._bounds(moment))
            checks.append(_judge_champions_version(Kind.VERSION, champion.versions, moment))
        else:
            # The champion gets no traffic any more and may be scaled to zero, so there is nothing to compare with.
            judged = judge_traffic(None, challenger, self._bounds(moment))
            checks = [check for check in checks if check.subject != Subject.CHAMPION]
        return challenger.requests, counted.disturbed, [*checks, *judged]

    def _judge_probes(self, moment: Moment, both: Variants) -> list[Check]:
        champion, challenger = self._prober.latest(
            moment.probed, moment.now, both.champion, both.challenger, moment.draw
        )
        version = judge_versions(
            Kind.PROBED_VERSION, Subject.CHALLENGER, challenger.versions, moment.challenger.version
        )
        if moment.percent == 100 and champion.victim is None:
            return [*self._judge_alone(challenger, both.challenger, moment), version]
        probings = (both.champion, champion), (both.challenger, challenger)
        # The cause of a verdict quotes only the first few reasons, so the reasons for missing results come first.
        checks = [_missing(variant, probing) for variant, probing in probings if not probing.result]
        checks += [
            version,
            _judge_champions_version(Kind.PROBED_VERSION, champion.versions, moment),
            _judge_answers(champion, challenger, self._limits.error_rate),
        ]
        if champion.result and challenger.result:
            checks += judge_probes(champion.result, challenger.result, self._bounds(moment), self._seed)
        return checks

    def _bounds(self, moment: Moment) -> Bounds:
        return Bounds(self._limits, self._is_absolute, moment.bounds)

    def _judge_alone(self, challenger: Probing, variant: Variant, moment: Moment) -> list[Check]:
        """Judges by the bounds alone: a champion without traffic may be scaled to zero."""
        errors = _judge_answers(None, challenger, self._limits.error_rate)
        if not challenger.result:
            return [_missing(variant, challenger), errors]
        return [errors, *judge_probes(None, challenger.result, self._bounds(moment), self._seed)]


def _readiness(moment: Moment) -> Check:
    if moment.mode.shares(moment.view, moment.stable, moment.challenger).ready:
        return Check(Kind.READY, Subject.CHALLENGER, Verdict.PASS, "the challenger's pods are ready")
    reason = "not every pod of the challenger is ready"
    return Check(Kind.READY, Subject.CHALLENGER, Verdict.INCONCLUSIVE, reason)


def _judge_champions_version(kind: Kind, found: frozenset[str], moment: Moment) -> Check:
    """Whether the champion's figures are really the champion's. If not, the challenger does not fail for it."""
    check = judge_versions(kind, Subject.CHAMPION, found, moment.stable.version)
    if check.verdict is not Verdict.FAIL:
        return check
    # A predictor without a configured version answers with the digest of its bundle.
    is_digest = len(found) == 1 and moment.challenger.version not in found
    is_unconfigured = StableSpec.of(moment.stable).configured_version is None
    return replace(check, verdict=Verdict.PASS if is_unconfigured and is_digest else Verdict.INCONCLUSIVE)


def _judge_answers(champion: Probing | None, challenger: Probing, limit: float) -> Check:
    """Fails a challenger that answers probes with 5xx while the champion does not, before it gets any traffic."""
    kind, subject = Kind.ANSWERS, Subject.CHALLENGER
    share = share_of(challenger.errors, challenger.answers)
    # Without a champion there are no errors of its own to excuse the challenger's.
    excuse = share_of(champion.errors, champion.answers).low if champion else 0.0
    # A single error among a few answers would be a high rate, so only finished probes are judged.
    if share.low is None or excuse is None or not challenger.done.is_set():
        return Check(kind, subject, Verdict.INCONCLUSIVE, "errors, probes: not measured yet", grows=True)
    verdict = Verdict.PASS
    if share.low > limit:
        verdict = Verdict.FAIL if excuse <= limit else Verdict.INCONCLUSIVE
    reason = f"{challenger.errors} of {challenger.answers} probes were answered with 5xx, wanted at most {limit:.4g}"
    return Check(kind, subject, verdict, f"errors, probes: {reason}")


def _missing(variant: Variant, probing: Probing) -> Check:
    reason = f"the probes of the {variant.role} are under way, {probing.answers} requests so far"
    if probing.failure:
        reason = f"the probes of the {variant.role} failed: {probing.failure}"
    return Check(Kind.PROBES, variant.role, Verdict.INCONCLUSIVE, reason, grows=not probing.failure)


def _lacks(checks: Sequence[Check]) -> Lack | None:
    """What time brings; None if something else is in the way of a verdict, or there is one."""
    if worst(checks) is not Verdict.INCONCLUSIVE:
        return None
    undecided = [check for check in checks if check.verdict is Verdict.INCONCLUSIVE]
    if any(check.kind is Kind.PROBES and check.grows for check in undecided):
        return Lack.PROBES
    return Lack.ANSWERS if all(check.grows for check in undecided) else None


def _cause(checks: Sequence[Check], requests: int) -> str:
    """The first few reasons of the worst checks; for a pass, the amount of evidence."""
    verdict = worst(checks)
    if verdict is Verdict.PASS:
        return f"{len(checks)} checks passed, on " + (f"{requests} answers to users" if requests else "probes alone")
    reasons = list(dict.fromkeys(check.reason for check in checks if check.verdict is verdict))
    more = f"; and {len(reasons) - _QUOTED_REASONS} more" if len(reasons) > _QUOTED_REASONS else ""
    return "; ".join(reasons[:_QUOTED_REASONS]) + more
