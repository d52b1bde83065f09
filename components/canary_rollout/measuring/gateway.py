"""Errors that the gateway gave to users and no pod counted, such as refused connections.

Envoy counts them by cluster. Envoy Gateway has one cluster for all backends of a rule, so these counts do not tell the
variants apart. Those of each endpoint do, by the address of the pod: Envoy Gateway exposes them with
``telemetry.metrics.enablePerEndpointStats`` of its EnvoyProxy. Its ``rq_error`` counts a pod's answers of 500 or more
and the 503 that Envoy gives where a pod refuses the connection (seen with Envoy Gateway 1.9).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject
from content_arena.components.canary_rollout.analysis.checks import Window
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.measuring.counters import Counted

ERRORS = "envoy_cluster_endpoint_rq_error"
#: Evaluates a PromQL expression now.
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

    def count(self, pods: Iterable[Json]) -> int | None:
        """Errors of requests to these pods, by any replica of the gateway; None if their endpoints are not counted.

        The count begins with the value at the window's beginning, or else with the first value in the window. Errors
        of pods that have gone are not counted.
        """
        addresses = [pod["status"]["podIP"] for pod in pods if pod.get("status", {}).get("podIP")]
        if not addresses:
            return None
        rows = self._query(f"sum({self._rise(addresses)})")
        # Increases computed by Prometheus need not be whole numbers.
        return round(float(rows[0]["value"][1])) if rows else None

    def _rise(self, addresses: list[str]) -> str:
        # Envoy writes an IPv6 address in brackets. The label regex is anchored at both ends.
        pods = _quoted("|".join(rf"\[?{re.escape(address)}\]?:[0-9]+" for address in addresses))
        route = _quoted(f"httproute/{re.escape(self._namespace)}/.+")
        series = f'{ERRORS}{{envoy_cluster_name=~"{route}", envoy_endpoint_address=~"{pods}"}}'
        base = f"({series} offset {self._span} or min_over_time({series}[{self._span}]))"
        rise = f"clamp_min(last_over_time({series}[{self._span}]) - {base}, 0)"
        return f"{rise} unless resets({series}[{self._span}]) > 0 or increase({series}[{self._span}])"


def with_gateway(counted: Counted, champion: int | None, challenger: int | None) -> Counted:
    """Adds the gateway's errors to the pods' counts, if both variants have them.

    A 5xx answer of a pod is counted by the pod and by the gateway. So the larger number of errors is taken, and not
    the sum.

    Args:
        counted: What the pods counted.
        champion: Errors of the champion at the gateway; None if they are not known.
        challenger: The same of the challenger.
    """
    if champion is None or challenger is None:
        return counted
    unseen = max(0, challenger - counted.challenger.errors)
    reason = f"the gateway counted {challenger} errors of the challenger, its pods {counted.challenger.errors}"
    checks = (Check(Kind.GATEWAY, Subject.CHALLENGER, Verdict.PASS, reason),) if unseen else ()
    return replace(
        counted,
        champion=_with_errors(counted.champion, champion),
        challenger=_with_errors(counted.challenger, challenger),
        checks=(*counted.checks, *checks),
    )


def _with_errors(window: Window, errors: int) -> Window:
    unseen = max(0, errors - window.errors)
    return replace(window, requests=window.requests + unseen, errors=window.errors + unseen)


def _quoted(pattern: str) -> str:
    """A regular expression within a PromQL string, which is unescaped before it is read."""
    return pattern.replace("\\", "\\\\")
