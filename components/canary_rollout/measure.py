"""Measures both variants in the cluster: users' traffic, probes, versions; and says how the challenger does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from content_arena.components.canary_rollout.analysis import (
    Check,
    Limits,
    judge_probes,
    judge_traffic,
    judge_versions,
    worst,
)
from content_arena.components.canary_rollout.comparison import share_of
from content_arena.components.canary_rollout.counters import MeasureError, Source
from content_arena.components.canary_rollout.measurement import Measurement
from content_arena.components.canary_rollout.observation import Verdict
from content_arena.components.canary_rollout.prober import Prober, Probing
from content_arena.components.canary_rollout.state import Stable
from content_arena.components.canary_rollout.traffic import Challenger, Mode, View
from content_arena.components.canary_rollout.variants import Variant, variants
from content_arena.components.shared.errors import ArenaError

_NAMED = 3


class LiveMeasurer:
    """See :class:`~content_arena.components.canary_rollout.measurement.Measurer`.

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

    def measure(
        self,
        window: float,
        now: float,
        percent: int,
        stable: Stable,
        challenger: Challenger,
        view: View,
        mode: Mode,
    ) -> Measurement:
        """Judges the window so far."""
        ours, theirs = variants(view, mode, stable, challenger)
        is_ready = mode.shares(view, stable, challenger).ready
        checks = [
            Check("ready", Verdict.PASS, "the challenger's pods are ready")
            if is_ready
            else Check("ready", Verdict.INCONCLUSIVE, "not every pod of the challenger is ready")
        ]
        requests = 0
        try:
            checks += self._probes(window, now, percent, stable, challenger, ours, theirs)
            # Nobody meets a challenger at 0 %, so there is nothing to count.
            if percent > 0:
                requests, found = self._traffic(window, now, percent, stable, challenger, ours, theirs)
                checks += found
        except ArenaError as error:
            checks.append(Check("measuring", Verdict.INCONCLUSIVE, str(error)))
        return Measurement(worst(checks), _cause(checks, requests), requests, tuple(checks))

    def close(self) -> None:
        """Breaks off what is under way."""
        self._prober.close()

    def _traffic(
        self, window: float, now: float, percent: int, stable: Stable, challenger: Challenger, ours: Variant,
        theirs: Variant,
    ) -> tuple[int, list[Check]]:  # fmt: skip
        begin = window + self._warmup_seconds
        try:
            counted = self._source.count(begin, now, ours, theirs)
        except MeasureError as error:
            return 0, [Check("traffic", Verdict.INCONCLUSIVE, str(error))]
        if now <= begin:
            return 0, [Check("traffic", Verdict.INCONCLUSIVE, "the step is warming up, nothing is counted yet")]
        checks = [*counted.checks, judge_versions("version", counted.challenger.versions, challenger.version)]
        judged = judge_traffic(counted.champion, counted.challenger, self._limits)
        if percent < 100:
            checks.append(_champions_version("champion's version", counted.champion.versions, stable, challenger))
        else:
            # The champion meets nobody any more; what it did before was another window.
            judged = [check for check in judged if ", bound" in check.name]
        return counted.challenger.requests, [*checks, *judged]

    def _probes(
        self, window: float, now: float, percent: int, stable: Stable, challenger: Challenger, ours: Variant,
        theirs: Variant,
    ) -> list[Check]:  # fmt: skip
        champions, challengers = self._prober.look(window, now, ours, theirs)
        if percent == 100 and champions.victim is None:
            return self._alone(challenger, theirs, challengers)
        checks = [
            judge_versions("version, probes", challengers.versions, challenger.version),
            _champions_version("champion's version, probes", champions.versions, stable, challenger),
            _answers(champions, challengers, self._limits.error_rate),
        ]
        if champions.result and challengers.result:
            return [*checks, *judge_probes(champions.result, challengers.result, self._limits, self._seed)]
        return [*checks, *(_missing(variant, probing) for variant, probing in ((ours, champions), (theirs, challengers))
                           if not probing.result)]  # fmt: skip

    def _alone(self, challenger: Challenger, theirs: Variant, challengers: Probing) -> list[Check]:
        """By the bounds alone: a champion that meets nobody any more may have been scaled to nothing."""
        checks = [
            judge_versions("version, probes", challengers.versions, challenger.version),
            _answers(None, challengers, self._limits.error_rate),
        ]
        if not challengers.result:
            return [*checks, _missing(theirs, challengers)]
        judged = judge_probes(challengers.result, challengers.result, self._limits, self._seed)
        return [*checks, *(check for check in judged if ", bound" in check.name)]


def _champions_version(name: str, found: frozenset[str], stable: Stable, challenger: Challenger) -> Check:
    """Whether it is the champion that the challenger is compared with; if not, that is not the challenger's fault."""
    check = judge_versions(name, found, stable.version)
    if check.verdict is Verdict.FAIL:
        # A predictor that is told no version answers with its bundle's digest.
        is_untold = stable.told_version is None and len(found) == 1 and challenger.version not in found
        return replace(check, verdict=Verdict.PASS if is_untold else Verdict.INCONCLUSIVE)
    return check


def _answers(champions: Probing | None, challengers: Probing, limit: float) -> Check:
    """A challenger that answers probes with 5xx, where the champion does not, fails before any user meets it."""
    theirs = share_of(challengers.errors, challengers.answers)
    # Of a champion that is not there, no errors are known that would excuse the challenger's.
    excuse = share_of(champions.errors, champions.answers).low if champions else 0.0
    reason = f"{challengers.errors} of {challengers.answers} probes were answered with 5xx, wanted at most {limit:.4g}"
    # Of a few answers one error would be many: only what is over is judged.
    if theirs.low is None or excuse is None or not challengers.done.is_set():
        return Check("errors, probes", Verdict.INCONCLUSIVE, "errors, probes: not measured yet")
    verdict = Verdict.PASS
    if theirs.low > limit:
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
        return f"{len(checks)} checks passed, on {requests} answers to users"
    named = [check.reason for check in checks if check.verdict is verdict]
    more = f"; and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return "; ".join(named[:_NAMED]) + more
