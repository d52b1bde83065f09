"""Users' traffic as the pods' own metrics show it, for clusters without Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.measuring.counters import (
    Counted,
    MeasureError,
    Reading,
    Tally,
    answers,
    increase,
    judge_queue,
    judge_restarts,
    parse,
    window_of,
)
from content_arena.components.canary_rollout.measuring.endpoints import (
    PodAddresses,
    PodTransport,
    ReachError,
    Variant,
    ready,
)
from content_arena.components.canary_rollout.plan.forecast import LiveRate

_TIMEOUT_SECONDS = 5.0
_CONNECTIONS = 8
#: Part of a window that has to be observed. A process that resumes a rollout has not observed the time before.
_LEAST_WATCHED = 0.5
#: How long the rate of answers is watched, and how many answers tell it.
_RATE_SECONDS, _LEAST_COUNTED = 5.0, 30


class PodMetrics:
    """Scrapes every ready pod of both variants each time it is called.

    It keeps in memory the counts since the window's beginning. After a restart of the rollout it counts from then on,
    and is inconclusive until it has observed enough of the window.
    """

    def __init__(
        self,
        pods: Callable[[str], Sequence[Json]],
        transport: PodTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Sends nothing yet.

        Args:
            pods: Returns the pods that a label selector matches.
            transport: How a pod is accessed; by its address if None.
            sleep: Waits so many seconds.
        """
        self._pods, self._transport, self._sleep = pods, transport or PodAddresses(), sleep
        self._begin = -1.0
        self._tallies: dict[str, Tally] = {}
        self._queues: dict[str, list[float]] = {}

    def rate(self, variant: Variant, now: float) -> LiveRate:
        """See :meth:`~content_arena.components.canary_rollout.measuring.counters.Source.rate`.

        Reads the pods twice. Few answers in between tell little, so the average since the pods started is taken then.
        """
        pods = ready(self._pods(variant.labels)) if variant.labels else []
        before, failed = self._read(pods)
        if not before:
            raise MeasureError("; ".join(failed) or f"no pod of the {variant.role} is ready")
        self._sleep(_RATE_SECONDS)
        after, _ = self._read(pods)
        counted = sum(answers(increase(before[pod], found)) for pod, found in after.items() if pod in before)
        if counted >= _LEAST_COUNTED:
            return LiveRate(counted / _RATE_SECONDS, f"over the last {_RATE_SECONDS:g} s")
        since_start = [
            answers(reading.counters) / max(now - reading.started, _RATE_SECONDS)
            for reading in before.values()
            if reading.started is not None
        ]
        return LiveRate(sum(since_start), "on average since its pods started")

    def count(self, begin: float, now: float, champion: Variant, challenger: Variant) -> Counted:
        """See :meth:`~content_arena.components.canary_rollout.measuring.counters.Source.count`."""
        if begin != self._begin:
            self._begin, self._tallies, self._queues = begin, {}, {}
        unread: list[str] = []
        for variant in (champion, challenger):
            if not variant.labels:
                raise MeasureError(f"the pods of the {variant.role} are not known yet")
            readings, failed = self._read(ready(self._pods(variant.labels)))
            self._tallies.setdefault(variant.labels, Tally(begin)).add(readings, now)
            unread += failed
            waiting = [reading.pending for reading in readings.values() if reading.pending is not None]
            if now > begin and waiting:
                self._queues.setdefault(variant.labels, []).append(max(waiting))
        before, after = self._tallies[champion.labels], self._tallies[challenger.labels]
        ours, theirs = (_mean(self._queues.get(variant.labels, [])) for variant in (challenger, champion))
        watched = _watched(begin, now, max(before.since, after.since))
        checks = [watched, *judge_queue(ours, theirs), *judge_restarts(after.restarts)]
        if unread:
            checks.append(
                Check(Kind.METRICS, Subject.BOTH, Verdict.INCONCLUSIVE, f"metrics of {'; '.join(sorted(unread))}")
            )
        disturbed = watched.verdict is not Verdict.PASS or after.restarts > 0
        return Counted(window_of(before.total), window_of(after.total), tuple(checks), disturbed)

    def _read(self, pods: Sequence[Json]) -> tuple[dict[str, Reading], list[str]]:
        """The reading of each pod, and the reasons for those that could not be read."""
        readings, failed = {}, []
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            for pod, found in zip(pods, pool.map(self._scrape, pods), strict=True):
                if isinstance(found, Reading):
                    readings[pod["metadata"]["name"]] = found
                else:
                    failed.append(f"pod {pod['metadata']['name']} can not be read: {found}")
        return readings, failed

    def _scrape(self, pod: Json) -> Reading | str:
        """The reading of a pod, or why it could not be read."""
        import requests

        try:
            with self._transport.session() as session:
                response = session.get(f"{self._transport.url(pod)}/metrics", timeout=_TIMEOUT_SECONDS)
            if response.status_code != 200:
                return f"HTTP {response.status_code}"
            return parse(response.text)
        except requests.RequestException as error:
            return type(error).__name__
        except (MeasureError, ReachError) as error:
            return str(error)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _watched(begin: float, now: float, since: float) -> Check:
    whole, part = max(0.0, now - begin), max(0.0, now - max(begin, since))
    is_enough = whole > 0 and part >= _LEAST_WATCHED * whole
    reason = f"{part:.0f} of {whole:.0f} s of the window were observed"
    return Check(Kind.WATCHED, Subject.BOTH, Verdict.PASS if is_enough else Verdict.INCONCLUSIVE, reason)
