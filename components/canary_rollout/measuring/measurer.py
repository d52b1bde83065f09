"""Measures both variants in the cluster: users' traffic, probes, versions; and says how the challenger does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from content_arena.components.canary_rollout.analysis.checks import (
    Check,
    Limits,
    judge_probes,
    judge_traffic,
    judge_versions,
    worst,
)
from content_arena.components.canary_rollout.analysis.intervals import share_of
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.measuring.counters import MeasureError, Source
from content_arena.components.canary_rollout.measuring.endpoints import Variant, Variants, variants
from content_arena.components.canary_rollout.measuring.interface import Measurement, Moment
from content_arena.components.canary_rollout.measuring.prober import Prober, Probing
from content_arena.components.shared.errors import ArenaError

_NAMED = 3


class LiveMeasurer:
    """See :class:`~content_arena.components.canary_rollout.measuring.interface.Measurer`.

    What can not be measured is inconclusive with the reason; nothing passes on it.
    """

    def __init__(
        self,
        source: Source,
        prober: Prober,
        limits: Limits | None = None,
        *,
        warmup_seconds: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Takes where figures come from.

        Args:
            source: Of users' traffic.
            prober: Of what is sent to each variant.
            limits: The bounds; the usual ones if None.
            warmup_seconds: So much of a window's beginning is not counted.
            seed: Of the resampling.
        """
        self._source, self._prober = source, prober
        self._limits, self._warmup_seconds, self._seed = limits or Limits(), warmup_seconds, seed

    def measure(self, moment: Moment) -> Measurement:
        """Judges the window so far."""
        both = variants(moment.view, moment.mode, moment.stable, moment.challenger)
        is_ready = moment.mode.shares(moment.view, moment.stable, moment.challenger).ready
        checks = [
            Check("ready", Verdict.PASS, "the challenger's pods are ready")
            if is_ready
            else Check("ready", Verdict.INCONCLUSIVE, "not every pod of the challenger is ready")
        ]
        requests, disturbed = 0, False
        try:
            checks += self._probes(moment, both)
            # Nobody meets a challenger at 0 %, so there is nothing to count.
            if moment.percent > 0:
                requests, disturbed, found = self._traffic(moment, both)
                checks += found
        except ArenaError as error:
            checks.append(Check("measuring", Verdict.INCONCLUSIVE, str(error)))
        return Measurement(worst(checks), _cause(checks, requests), requests, tuple(checks), disturbed)

    def close(self) -> None:
        """Breaks off what is under way."""
        self._prober.close()

    def _traffic(self, moment: Moment, both: Variants) -> tuple[int, bool, list[Check]]:
        begin = moment.window + self._warmup_seconds
        try:
            counted = self._source.count(begin, moment.now, both.champion, both.challenger)
        except MeasureError as error:
            return 0, False, [Check("traffic", Verdict.INCONCLUSIVE, str(error))]
        if moment.now <= begin:
            return 0, False, [Check("traffic", Verdict.INCONCLUSIVE, "the step is warming up, nothing is counted yet")]
        champion, challenger = counted.champion, counted.challenger
        checks = [judge_versions("version", challenger.versions, moment.challenger.version), *counted.checks]
        judged = judge_traffic(champion, challenger, self._limits)
        if moment.percent < 100:
            checks.append(_champions_version("champion's version", champion.versions, moment))
        else:
            # The champion meets nobody any more, and may be gone; what it did before was another window.
            judged = [check for check in judged if ", bound" in check.name]
            checks = [check for check in checks if not check.name.startswith("champion")]
        return challenger.requests, counted.disturbed, [*checks, *judged]

    def _probes(self, moment: Moment, both: Variants) -> list[Check]:
        champion, challenger = self._prober.look(moment.probed, moment.now, both.champion, both.challenger)
        version = judge_versions("version, probes", challenger.versions, moment.challenger.version)
        if moment.percent == 100 and champion.victim is None:
            return [*self._alone(challenger, both.challenger), version]
        probings = (both.champion, champion), (both.challenger, challenger)
        # Why there is nothing stands before what follows from it: a reason names the first few.
        checks = [_missing(variant, probing) for variant, probing in probings if not probing.result]
        checks += [
            version,
            _champions_version("champion's version, probes", champion.versions, moment),
            _answers(champion, challenger, self._limits.error_rate),
        ]
        if champion.result and challenger.result:
            checks += judge_probes(champion.result, challenger.result, self._limits, self._seed)
        return checks

    def _alone(self, challenger: Probing, variant: Variant) -> list[Check]:
        """By the bounds alone: a champion that meets nobody any more may have been scaled to nothing."""
        errors = _answers(None, challenger, self._limits.error_rate)
        if not challenger.result:
            return [_missing(variant, challenger), errors]
        judged = judge_probes(challenger.result, challenger.result, self._limits, self._seed)
        return [errors, *(check for check in judged if ", bound" in check.name)]


def _champions_version(name: str, found: frozenset[str], moment: Moment) -> Check:
    """Whether it is the champion that the challenger is compared with; if not, that is not the challenger's fault."""
    check = judge_versions(name, found, moment.stable.version)
    if check.verdict is Verdict.FAIL:
        # A predictor that is told no version answers with its bundle's digest.
        is_digest = len(found) == 1 and moment.challenger.version not in found
        is_untold = moment.stable.told_version is None and is_digest
        return replace(check, verdict=Verdict.PASS if is_untold else Verdict.INCONCLUSIVE)
    return check


def _answers(champion: Probing | None, challenger: Probing, limit: float) -> Check:
    """A challenger that answers probes with 5xx, where the champion does not, fails before any user meets it."""
    share = share_of(challenger.errors, challenger.answers)
    # Of a champion that is not there, no errors are known that would excuse the challenger's.
    excuse = share_of(champion.errors, champion.answers).low if champion else 0.0
    reason = f"{challenger.errors} of {challenger.answers} probes were answered with 5xx, wanted at most {limit:.4g}"
    # Of a few answers one error would be many: only what is over is judged.
    if share.low is None or excuse is None or not challenger.done.is_set():
        return Check("errors, probes", Verdict.INCONCLUSIVE, "errors, probes: not measured yet")
    verdict = Verdict.PASS
    if share.low > limit:
        verdict = Verdict.FAIL if excuse <= limit else Verdict.INCONCLUSIVE
    return Check("errors, probes", verdict, f"errors, probes: {reason}")


def _missing(variant: Variant, probing: Probing) -> Check:
    reason = f"the probes of the {variant.role} are under way, {probing.answers} requests so far"
    if probing.broke:
        reason = f"the probes of the {variant.role} broke off: {probing.broke}"
    return Check(f"probes of the {variant.role}", Verdict.INCONCLUSIVE, reason)


def _cause(checks: Sequence[Check], requests: int) -> str:
    """The worst checks' reasons, all that fit; or what a pass rests on."""
    verdict = worst(checks)
    if verdict is Verdict.PASS:
        return f"{len(checks)} checks passed, on " + (f"{requests} answers to users" if requests else "probes alone")
    named = list(dict.fromkeys(check.reason for check in checks if check.verdict is verdict))
    more = f"; and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return "; ".join(named[:_NAMED]) + more
