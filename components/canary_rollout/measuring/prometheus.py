"""Users' traffic as Prometheus has recorded it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from content_arena.components.canary_rollout.analysis.check import Check, Kind
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.measuring.counters import (
    LABELS,
    PENDING,
    PREDICTIONS,
    PROBES,
    REQUESTS,
    STARTED,
    STARTED_WITHIN,
    Counted,
    Counters,
    MeasureError,
    Series,
    judge_queue,
    judge_restarts,
    window_of,
)
from content_arena.components.canary_rollout.measuring.endpoints import Variant, ready
from content_arena.components.canary_rollout.measuring.gateway import GatewayErrors, unanswered, with_gateway
from content_arena.components.canary_rollout.plan.forecast import LiveRate
from content_arena.components.shared.errors import InputError

_TIMEOUT_SECONDS = 10.0
#: Four times the usual scrape interval. Older counts mean that a pod is not scraped any more; a pod that has been ready
#: for less time may not have been scraped yet.
_STALE_SECONDS = 120.0
_RATE_MINUTES = 15
_WANTED = "wanted something like http://prometheus:9090 (it is not shown here, since it may hold a password)"
_FRESHEST = "content_arena_model_flagged_total"


class Prometheus:
    """Queries the HTTP API of Prometheus. Series need a label ``pod``, which the Prometheus operator sets.

    A client library for this API would add plotting packages for the sake of one request.
    """

    def __init__(self, url: str, namespace: str, pods: Callable[[str], Sequence[Json]]) -> None:
        """Sends nothing yet.

        Args:
            url: Like http://prometheus.monitoring:9090; may hold a path, a user and a password.
            namespace: Namespace of the service.
            pods: Returns the pods that a label selector matches. Each of them has to be scraped.

        Raises:
            InputError: It is not an HTTP address.
        """
        import requests

        try:
            parts = urlsplit(url)
        except ValueError as error:
            # The address and the parser's message are not shown: both may hold a password.
            raise InputError(f"that is not the address of a Prometheus, {_WANTED}") from error
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise InputError(f"that is not the address of a Prometheus, {_WANTED}")
        self._url, self._namespace, self._pods = url.rstrip("/"), namespace, pods
        # The host only: the address may hold a password, and reasons are recorded on the service.
        self._place = f"Prometheus at {parts.hostname}"
        self._session = requests.Session()

    def rate(self, variant: Variant, now: float) -> LiveRate:
        """See :meth:`~content_arena.components.canary_rollout.measuring.counters.Source.rate`."""
        rows = self._query(f"sum(rate({self._series(REQUESTS, variant)}[{_RATE_MINUTES}m]))", now)
        if not rows:
            raise MeasureError(f"{self._place} has no counts of the {variant.role}'s pods")
        return LiveRate(float(rows[0]["value"][1]), f"over the last {_RATE_MINUTES} min")

    def count(self, begin: float, now: float, champion: Variant, challenger: Variant) -> Counted:
        """See :meth:`~content_arena.components.canary_rollout.measuring.counters.Source.count`."""
        for variant in (champion, challenger):
            if not variant.pod_names:
                raise MeasureError(f"the pods of the {variant.role} are not known yet")
        if now <= begin:
            return Counted(window_of({}), window_of({}))
        scraped = {variant: self._scraped(variant, now) for variant in (champion, challenger)}
        checks = [self._freshness(variant, times, now) for variant, times in scraped.items()]
        before, after = (window_of(self._increases(variant, begin, now)) for variant in (champion, challenger))
        ours, theirs = (self._queue(variant, begin, now) for variant in (challenger, champion))
        restarts = self._restarts(challenger, begin, now)
        checks += [*judge_queue(ours, theirs), *judge_restarts(restarts)]
        counted = Counted(before, after, tuple(checks), restarts > 0)
        unseen = [self._unanswered(variant, times, begin, now) for variant, times in scraped.items()]
        return with_gateway(counted, *unseen)

    def _unanswered(self, variant: Variant, scraped: Mapping[str, float], begin: float, now: float) -> int | None:
        """Errors that users got from the gateway and that no pod of the variant answered; None if that is not known.

        Args:
            variant: Whose pods.
            scraped: When each pod that is scraped was last scraped.
            begin: Of the window.
            now: Its end.
        """
        pods = self._pods(variant.labels)
        # What a pod answered since it was last scraped is not in its counts yet, and would be taken for such errors.
        end = min([now, *(scraped[name] for pod in pods if (name := pod["metadata"]["name"]) in scraped)])
        if end <= begin:
            return None
        gateway = GatewayErrors(lambda expression: self._query(expression, end), self._namespace, _span(begin, end))
        errors = gateway.by_pod(pods)
        return None if errors is None else unanswered(errors, self._own_errors(variant, begin, now))

    def _own_errors(self, variant: Variant, begin: float, now: float) -> dict[str, float]:
        """What each pod answered with 5xx, on every path and to probes as well."""
        found: dict[str, float] = defaultdict(float)
        for metric in (REQUESTS, PROBES):
            series = self._of_pods(metric, variant, 'status=~"5.."')
            for row in self._query(f"sum by (pod) ({self._rise(series, variant, begin, now)})", now):
                found[row["metric"]["pod"]] += float(row["value"][1])
        return found

    def _increases(self, variant: Variant, begin: float, now: float) -> Counters:
        found: dict[Series, float] = {}
        for metric, labels in LABELS.items():
            for row in self._query(self._increase(metric, variant, begin, now), now):
                wanted = tuple(sorted((name, row["metric"].get(name, "")) for name in labels))
                found[metric, wanted] = float(row["value"][1])
        return found

    def _increase(self, metric: str, variant: Variant, begin: float, now: float) -> str:
        """PromQL for the increase of a counter of predictions in the window, summed over the pods."""
        rise = self._rise(self._series(metric, variant), variant, begin, now)
        return f"sum by ({', '.join(LABELS[metric])}) ({rise})"

    def _rise(self, series: str, variant: Variant, begin: float, now: float) -> str:
        """PromQL for the increase of counters of a variant's pods in the window.

        PromQL's ``increase`` alone is not enough. It extrapolates beyond its samples, and it misses the first value of
        a new series, such as the first error of a pod. So the value at the window's beginning is subtracted from the
        last value. If there is no such value, the baseline is 0 if the pod was scraped before or started within the
        window, and otherwise the first value. ``increase`` is used only for a pod that restarted.
        """
        span = _span(begin, now)
        started = self._series(STARTED, variant)
        known = f"count by (pod) ({self._series(_FRESHEST, variant)} offset {span})"
        new = f"count by (pod) (last_over_time({started}[{span}]) >= {begin - STARTED_WITHIN:.3f})"
        last, first = f"last_over_time({series}[{span}])", f"min_over_time({series}[{span}])"
        base = f"({series} offset {span} or ({first} unless on (pod) ({known} or {new})) or 0 * {last})"
        return f"clamp_min({last} - {base}, 0) unless resets({series}[{span}]) > 0 or increase({series}[{span}])"

    def _queue(self, variant: Variant, begin: float, now: float) -> float | None:
        span = _span(begin, now)
        rows = self._query(f"max(avg_over_time({self._series(PENDING, variant)}[{span}]))", now)
        return float(rows[0]["value"][1]) if rows else None

    def _restarts(self, variant: Variant, begin: float, now: float) -> int:
        """How often the start time of a process changed. What it counted after its last scrape is lost."""
        span = _span(begin, now)
        rows = self._query(f"sum(changes({self._series(STARTED, variant)}[{span}]))", now)
        return round(float(rows[0]["value"][1])) if rows else 0

    def _scraped(self, variant: Variant, now: float) -> dict[str, float]:
        """When each pod that is scraped now was last scraped, in seconds since the epoch."""
        rows = self._query(f"max by (pod) (timestamp({self._series(_FRESHEST, variant)}))", now)
        return {row["metric"].get("pod", ""): float(row["value"][1]) for row in rows}

    def _freshness(self, variant: Variant, scraped: Mapping[str, float], now: float) -> Check:
        """Whether every pod that answers users is scraped. Counts of only some of them are not the variant's."""
        if not scraped:
            return Check(
                Kind.COUNTS,
                variant.role,
                Verdict.INCONCLUSIVE,
                f"{self._place} has no counts of the {variant.role}'s pods",
            )
        ages = {pod: now - time for pod, time in scraped.items()}
        serving = {pod["metadata"]["name"] for pod in ready(self._pods(variant.labels), now - _STALE_SECONDS)}
        unseen = sorted(serving - set(ages))
        if unseen:
            return Check(
                Kind.COUNTS, variant.role, Verdict.INCONCLUSIVE, f"{self._place} has no counts of {', '.join(unseen)}"
            )
        # The counts of a deleted pod do not get any newer.
        age = max((seen for pod, seen in ages.items() if pod in serving), default=min(ages.values()))
        verdict = Verdict.PASS if age <= _STALE_SECONDS else Verdict.INCONCLUSIVE
        return Check(
            Kind.COUNTS, variant.role, verdict, f"the {variant.role}'s counts in {self._place} are {age:.0f} s old"
        )

    def _series(self, metric: str, variant: Variant) -> str:
        """A metric of the variant's pods; if it has paths, for predictions alone."""
        paths = [f'path=~".+({"|".join(PREDICTIONS)})"'] if "path" in LABELS.get(metric, ()) else []
        return self._of_pods(metric, variant, *paths)

    def _of_pods(self, metric: str, variant: Variant, *matchers: str) -> str:
        # Backslashes are doubled: PromQL unescapes the string before it reads the regular expression.
        pods = variant.pod_names.replace("\\", "\\\\")
        wanted = ", ".join([f'namespace="{self._namespace}"', f'pod=~"{pods}"', *matchers])
        return f"{metric}{{{wanted}}}"

    def _query(self, expression: str, now: float) -> list[Json]:
        import requests

        # By POST: with the names of many pods an expression is longer than the address that a gateway takes.
        query = {"query": expression, "time": f"{now:.3f}"}
        try:
            response = self._session.post(
                f"{self._url}/api/v1/query", data=query, timeout=_TIMEOUT_SECONDS, allow_redirects=False
            )
            if response.is_redirect:
                # It would be followed by GET, without the expression.
                raise MeasureError(f"{self._place} redirects (HTTP {response.status_code}): give its new address")
            answer = response.json()
        except requests.JSONDecodeError as error:
            raise MeasureError(f"{self._place} answers HTTP {response.status_code} and no JSON") from error
        except requests.RequestException as error:
            raise MeasureError(f"{self._place} does not answer ({type(error).__name__})") from error
        if not isinstance(answer, dict) or answer.get("status") != "success":
            message = answer.get("error", "nothing") if isinstance(answer, dict) else "nothing"
            raise MeasureError(f"{self._place} refuses (HTTP {response.status_code}): {message}")
        result: list[Json] = answer["data"]["result"]
        return result


def _span(begin: float, now: float) -> str:
    """The length of a window, as PromQL writes it."""
    return f"{max(1, round(1000 * (now - begin)))}ms"
