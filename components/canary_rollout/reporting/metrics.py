"""Prometheus metrics of a rollout.

The process of the rollout serves them while it runs, so Prometheus needs no right to read the service. After the end
the record in the cluster holds the same facts.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.measuring.interface import Measurement
from content_arena.components.canary_rollout.plan.state import Phase, State
from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class RolloutMetrics:
    """The figures of one rollout, for one registry of metrics."""

    def __init__(self, service: str, namespace: str, registry: CollectorRegistry | None = None) -> None:
        """Declares the metrics.

        Args:
            service: Name of the InferenceService.
            namespace: Where it is, which need not be where this process runs.
            registry: Where they are kept; one of their own if None.
        """
        from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Info

        self.registry = registry or CollectorRegistry()
        self._about = (namespace, service)
        about = ["namespace", "service"]

        def gauge(name: str, help_text: str, *labels: str) -> Gauge:
            full = f"content_arena_rollout_{name}"
            return Gauge(full, help_text, [*about, *labels], registry=self.registry)

        self._info = Info("content_arena_rollout", "The rollout and its versions.", about, registry=self.registry)
        self._phase = Enum(
            "content_arena_rollout_phase", "Phase of the rollout.", about,
            states=[phase.value for phase in Phase], registry=self.registry,
        )  # fmt: skip
        self._step = gauge("step", "Index of the present step; 0 is staging.")
        self._steps = gauge("steps", "Steps of the plan after staging.")
        self._share = gauge("share", "Share of the traffic that the challenger was last allowed, 0 to 1.")
        self._failures = gauge("failures", "Failed judgements at this step.")
        self._inconclusives = gauge("inconclusives", "Inconclusive judgements in a row at this step.")
        self._waiting = gauge("waiting_for_approval", "1 while the rollout waits for a person's approval.")
        self._going_back = gauge("going_back", "1 while the challenger is being rolled back.")
        self._started = gauge("started_timestamp_seconds", "When the rollout began.")
        self._since = gauge("phase_timestamp_seconds", "When its phase began.")
        self._requests = gauge("judged_requests", "Answers of the challenger to users in this window.")
        self._check = gauge("check", "1 for the verdict that a check has now.", "check", "verdict")
        self._verdicts = Counter(
            "content_arena_rollout_verdicts_total", "Measurements by verdict.", [*about, "verdict"],
            registry=self.registry,
        )  # fmt: skip
        for verdict in Verdict:
            self._verdicts.labels(*self._about, verdict.value)

    def observe(self, state: State, measurement: Measurement | None = None) -> None:
        """Updates the metrics after an iteration of the control loop.

        Args:
            state: As recorded.
            measurement: Of this iteration; None if nothing was measured.
        """
        self._info.labels(*self._about).info(
            {"rollout": state.rollout, "challenger": state.challenger, "champion": state.stable.version}
        )
        self._phase.labels(*self._about).state(state.phase.value)
        for gauge, value in (
            (self._step, state.step),
            (self._steps, len(state.parameters.path) - 1),
            (self._share, state.allowed_share),
            (self._failures, state.failures),
            (self._inconclusives, state.inconclusives),
            (self._waiting, state.phase is Phase.WAITING),
            (self._going_back, state.is_going_back),
            (self._started, state.started_at),
            (self._since, state.since),
        ):
            gauge.labels(*self._about).set(value)
        if measurement is None:
            return
        self._requests.labels(*self._about).set(measurement.requests)
        self._verdicts.labels(*self._about, measurement.verdict.value).inc()
        # Steps have different checks. A check that is no longer made must not keep its last verdict.
        self._check.clear()
        for check in measurement.checks:
            for verdict in Verdict:
                is_so = check.verdict is verdict
                self._check.labels(*self._about, check.label, verdict.value).set(is_so)

    def serve(self, port: int, host: str | None = None) -> int:
        """Serves them at ``/metrics`` until the process ends.

        Args:
            port: TCP port; 0 for any free one.
            host: Address to listen on; every one of the machine if None.

        Returns:
            The port.

        Raises:
            InputError: The port can not be used.
        """
        from prometheus_client import start_http_server

        host = host or ("::" if _is_dual_stack() else "0.0.0.0")  # noqa: S104 - Prometheus comes from outside
        try:
            server, _ = start_http_server(port, host, self.registry)
        except (OSError, OverflowError) as error:
            raise InputError(f"metrics can not be served on port {port} of {host}: {error}") from error
        return server.server_port


def _is_dual_stack() -> bool:
    """Whether listening on all IPv6 addresses includes all IPv4 addresses. Pods may have either."""
    if not socket.has_dualstack_ipv6():
        return False
    with socket.socket(socket.AF_INET6) as probe:
        return not probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
