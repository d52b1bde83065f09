"""Errors that the gateway gave to users and no pod counted, such as refused connections.

Envoy counts them by cluster. Envoy Gateway has one cluster for all backends of a rule, so these counts do not tell the
variants apart. Those of each endpoint do, by the address of the pod: Envoy Gateway exposes them with
``telemetry.metrics.enablePerEndpointStats`` of its EnvoyProxy. Its ``rq_error`` counts a pod's answers of 500 or more
on every path, and the 503 that Envoy gives where a pod refuses the connection (seen with Envoy Gateway 1.9).

A pod counts its own answers, with their path. So what it answered with 5xx on any path is subtracted from what the
gateway counted for it, and what remains are errors that no pod answered.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject
from content_arena.components.canary_rollout.analysis.checks import Window
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.measuring.counters import Counted

ERRORS = "envoy_cluster_endpoint_rq_error"
_ADDRESS = "envoy_endpoint_address"
#: Evaluates a PromQL expression at the end of the window.
Query = Callable[[str], list[Json]]


class GatewayErrors:
    """Reads the gateway's errors of a variant from Prometheus, where it has them."""

    def __init__(self, query: Query, namespace: str, span: str) -> None:
        """Sends nothing yet.

        Args:
            query: Evaluates an expression at the end of the window.
            namespace: Namespace of the service, and so of its HTTPRoutes.
            span: Length of the window, as PromQL writes it.
        """
        self._query, self._namespace, self._span = query, namespace, span

    def by_pod(self, pods: Iterable[Json]) -> dict[str, float] | None:
        """Errors of requests to these pods, by any replica of the gateway; None if their endpoints are not counted.

        The count begins with the first value in the window: the pods' own counts begin no later, so that an answer
        that both count is never left over. Errors of pods that have gone are not counted.

        Args:
            pods: As the API server lists them.

        Returns:
            The errors by the pod's name.
        """
        names = {pod["status"]["podIP"]: pod["metadata"]["name"] for pod in pods if pod.get("status", {}).get("podIP")}
        rows = self._query(self._rise(list(names))) if names else []
        if not rows:
            return None
        found: dict[str, float] = defaultdict(float)
        for row in rows:
            address = row["metric"][_ADDRESS].rpartition(":")[0].strip("[]")
            found[names[address]] += float(row["value"][1])
        return dict(found)

    def _rise(self, addresses: list[str]) -> str:
        # Envoy writes an IPv6 address in brackets. The label regex is anchored at both ends.
        pods = _quoted("|".join(rf"\[?{re.escape(address)}\]?:[0-9]+" for address in addresses))
        route = _quoted(f"httproute/{re.escape(self._namespace)}/.+")
        series = f'{ERRORS}{{envoy_cluster_name=~"{route}", {_ADDRESS}=~"{pods}"}}[{self._span}]'
        rise = f"last_over_time({series}) - min_over_time({series}) unless resets({series}) > 0 or increase({series})"
        return f"sum by ({_ADDRESS}) ({rise})"


def unanswered(at_gateway: Mapping[str, float], own: Mapping[str, float]) -> int:
    """Errors that users got from the gateway and that no pod answered.

    A pod that restarts loses what it counted after it was last scraped. Its 5xx of that time can not be subtracted, so
    they count as such errors, whatever path they were on. A 5xx that did not come through the gateway, such as one of a
    scrape, is subtracted all the same. So a pod that answers with 5xx itself may hide as many errors of the gateway.

    Args:
        at_gateway: The gateway's errors by the pod's name.
        own: What each pod says that it answered with 5xx, on every path.
    """
    # Increases computed by Prometheus need not be whole numbers.
    return sum(max(0, round(errors - own.get(pod, 0.0))) for pod, errors in at_gateway.items())


def with_gateway(counted: Counted, champion: int | None, challenger: int | None) -> Counted:
    """Adds the errors that no pod answered to the pods' counts, if both variants' are known.

    Args:
        counted: What the pods counted.
        champion: Such errors of the champion; None if they are not known.
        challenger: The same of the challenger.
    """
    if champion is None or challenger is None:
        return counted
    reason = f"the gateway counted {challenger} errors of the challenger that its pods did not answer"
    checks = (Check(Kind.GATEWAY, Subject.CHALLENGER, Verdict.PASS, reason),) if challenger else ()
    return replace(
        counted,
        champion=_with_errors(counted.champion, champion),
        challenger=_with_errors(counted.challenger, challenger),
        checks=(*counted.checks, *checks),
    )


def _with_errors(window: Window, errors: int) -> Window:
    return replace(window, requests=window.requests + errors, errors=window.errors + errors)


def _quoted(pattern: str) -> str:
    """A regular expression within a PromQL string, which is unescaped before it is read."""
    return pattern.replace("\\", "\\\\")
