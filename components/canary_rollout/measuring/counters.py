"""Turns a predictor's cumulative counters into the traffic of one variant in one window. Pure.

Pods and Prometheus expose the same series, so windows are made from both in the same way.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject
from content_arena.components.canary_rollout.analysis.checks import Window
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.measuring.endpoints import Variant
from content_arena.components.canary_rollout.plan.forecast import LiveRate
from content_arena.components.shared.errors import ArenaError

REQUESTS = "content_arena_api_requests_total"
LATENCIES = "content_arena_api_request_duration_seconds_bucket"
FLAGGED = "content_arena_model_flagged_total"
SCORES = "content_arena_model_score_bucket"
#: Counts the probes of a rollout, which no other metric counts.
PROBES = "content_arena_probe_requests_total"
#: The labels that a window needs. All other labels are summed over.
LABELS = {
    REQUESTS: ("path", "status", "model_version"),
    LATENCIES: ("path", "le"),
    FLAGGED: ("is_toxic", "model_version"),
    SCORES: ("le",),
}
PENDING = "content_arena_model_pending_texts"
#: A quarter of the short texts at which a predictor of two threads refuses requests. As an average over a window it is
#: more than a burst.
LONGEST_QUEUE = 1_024.0
#: Ends of the paths on which texts are judged: V1, V2, and V2 over gRPC. Other paths are health checks and scrapes.
PREDICTIONS = (":predict", "/infer", "/ModelInfer")
STARTED = "process_start_time_seconds"
#: Seconds. Linux gives the start of a process with this precision.
STARTED_WITHIN = 1.0

#: A metric's name and its labels in alphabetical order.
Series = tuple[str, tuple[tuple[str, str], ...]]
Counters = Mapping[Series, float]


class MeasureError(ArenaError):
    """Something could not be measured. The message names it and its source."""


@dataclass(frozen=True)
class Reading:
    """One scrape of one process.

    Attributes:
        started: When the process began, seconds since the epoch by its own clock; None if that is not exposed.
        counters: Its counters.
        pending: Texts in its queue; None if that is not exposed.
    """

    started: float | None
    counters: Counters
    pending: float | None = None


@dataclass(frozen=True)
class Counted:
    """Users' traffic of both variants over the same window.

    Attributes:
        champion: Traffic of the variant that served before.
        challenger: Traffic of the variant that is rolled out.
        checks: Whether the counts are complete.
        disturbed: Whether a part of the window was not counted and cannot be any more.
    """

    champion: Window
    challenger: Window
    checks: tuple[Check, ...] = ()
    disturbed: bool = False


class Source(Protocol):
    """A source of counts of users' traffic."""

    def rate(self, variant: Variant, now: float) -> LiveRate:
        """How many answers users get from one variant now.

        Raises:
            MeasureError: That can not be told.
        """
        ...

    def count(self, begin: float, now: float, champion: Variant, challenger: Variant) -> Counted:
        """What both variants did from ``begin`` to ``now``. Called repeatedly while a window grows.

        A call before ``begin`` only prepares for the window, and its counts are 0.

        Raises:
            MeasureError: The counts can not be read.
        """
        ...


def parse(exposition: str) -> Reading:
    """Reads what a predictor serves at ``/metrics``.

    Raises:
        MeasureError: It is not Prometheus' text format.
    """
    from prometheus_client.parser import text_string_to_metric_families

    started, pending, counters = None, None, {}
    try:
        for family in text_string_to_metric_families(exposition):
            for sample in family.samples:
                if sample.name in LABELS and is_prediction(sample.labels):
                    counters[sample.name, tuple(sorted(sample.labels.items()))] = float(sample.value)
                elif sample.name == STARTED:
                    started = float(sample.value)
                elif sample.name == PENDING:
                    pending = float(sample.value)
    except ValueError as error:
        raise MeasureError(f"its metrics are not in Prometheus' text format ({type(error).__name__})") from error
    return Reading(started, counters, pending)


def judge_queue(pending: float | None, champions: float | None = None) -> list[Check]:
    """Judges whether a challenger keeps up with its requests. Returns no check if its queue is not known.

    More requests than either variant can answer are no fault of the challenger.

    Args:
        pending: Texts in the queue of its busiest pod, on average over the window; None if that is not known.
        champions: The same of the champion.
    """
    if pending is None:
        return []
    verdict = Verdict.PASS if pending <= LONGEST_QUEUE else Verdict.FAIL
    reason = f"queue: {pending:.0f} texts on average, wanted at most {LONGEST_QUEUE:.0f}"
    if verdict is Verdict.FAIL and champions is not None and champions > LONGEST_QUEUE:
        verdict, reason = Verdict.INCONCLUSIVE, f"{reason}; the champion has {champions:.0f}"
    return [Check(Kind.QUEUE, Subject.CHALLENGER, verdict, reason, pending, most=LONGEST_QUEUE)]


def judge_restarts(restarts: int) -> list[Check]:
    """Says that answers were not counted. Returns no check if no container restarted.

    Args:
        restarts: Of the challenger's containers in the window.
    """
    if not restarts:
        return []
    reason = f"restarts of the challenger's containers: {restarts}; their last answers were not counted"
    return [Check(Kind.RESTARTS, Subject.CHALLENGER, Verdict.INCONCLUSIVE, reason)]


def is_prediction(labels: Mapping[str, str]) -> bool:
    """Whether a series counts requests for predictions."""
    return "path" not in labels or labels["path"].endswith(PREDICTIONS)


def has_restarted(before: Reading, after: Reading) -> bool:
    """Whether a process restarted between two readings: its start time differs, or a counter fell."""
    if before.started is not None and after.started is not None and before.started != after.started:
        return True
    return any(after.counters.get(series, 0.0) < value for series, value in before.counters.items())


def increase(before: Reading, after: Reading) -> Counters:
    """What was counted between two readings; after a restart, what was counted since then."""
    old = {} if has_restarted(before, after) else before.counters
    return {series: value - old.get(series, 0.0) for series, value in after.counters.items()}


class Tally:
    """What the pods of one variant counted since a given moment.

    A pod's first reading is the baseline that is subtracted from later ones. If the pod started after that moment, the
    baseline is 0. What a process counted between its last reading and its end is lost.
    """

    def __init__(self, begin: float) -> None:
        """Counts from ``begin`` on, seconds since the epoch."""
        self._begin = begin
        self._last: dict[str, Reading] = {}
        self._total: dict[Series, float] = defaultdict(float)
        self.since = math.inf
        self.restarts = 0

    @property
    def total(self) -> Counters:
        """All counts, including those of deleted pods."""
        return self._total

    def add(self, readings: Mapping[str, Reading], now: float) -> None:
        """Adds what each pod counted since it was last read.

        Args:
            readings: By the name of the pod; only pods that could be read.
            now: Seconds since the epoch.
        """
        if now <= self._begin:
            self._last |= readings
            self.since = now
            return
        self.since = min(self.since, now)
        for pod, reading in readings.items():
            before = self._last.get(pod)
            self._last[pod] = reading
            if before is not None:
                self.restarts += has_restarted(before, reading)
                counted = increase(before, reading)
            else:
                is_new = reading.started is not None and reading.started >= self._begin - STARTED_WITHIN
                counted = reading.counters if is_new else {}
            for series, value in counted.items():
                self._total[series] += value


def answers(counters: Counters) -> float:
    """Answers to users."""
    return sum(value for (name, _), value in counters.items() if name == REQUESTS)


def window_of(counters: Counters) -> Window:
    """Counts as the analysis reads them. Missing parts are empty."""
    edges, latencies = _bins(counters, LATENCIES)
    return Window(
        requests=_sum(counters, REQUESTS),
        errors=_sum(counters, REQUESTS, lambda labels: labels["status"].startswith("5")),
        throttled=_sum(counters, REQUESTS, lambda labels: labels["status"] == "429"),
        edges=edges,
        latencies=latencies,
        texts=_sum(counters, FLAGGED),
        flagged=_sum(counters, FLAGGED, lambda labels: labels["is_toxic"] == "true"),
        scores=_bins(counters, SCORES)[1],
        versions=frozenset(
            dict(labels)["model_version"]
            for (name, labels), value in counters.items()
            if name in (REQUESTS, FLAGGED) and value > 0
        ),
    )


def _sum(
    counters: Counters, wanted: str, holds: Callable[[Mapping[str, str]], bool] = lambda labels: True
) -> int:  # fmt: skip
    # Increases computed by Prometheus need not be whole numbers.
    return round(sum(value for (name, labels), value in counters.items() if name == wanted and holds(dict(labels))))


def _bins(counters: Counters, wanted: str) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Upper ends of a histogram's bins, and the count in each; a single infinite bin if there are none."""
    below: dict[float, float] = defaultdict(float, {math.inf: 0.0})
    for (name, labels), value in counters.items():
        if name == wanted:
            below[float(dict(labels)["le"])] += value
    edges = tuple(sorted(below))
    sums = [round(below[edge]) for edge in edges]
    return edges, tuple(max(0, after - before) for before, after in zip([0, *sums], sums, strict=False))
