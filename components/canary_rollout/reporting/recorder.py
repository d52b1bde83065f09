"""Reports what a rollout does: Kubernetes Events, the history file, Prometheus metrics and the log."""

from __future__ import annotations

import time
from collections.abc import Callable

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.log import LOG
from content_arena.components.canary_rollout.measuring.interface import Measurement
from content_arena.components.canary_rollout.plan.observation import Action, Observation
from content_arena.components.canary_rollout.plan.state import State
from content_arena.components.canary_rollout.reporting.events import Events
from content_arena.components.canary_rollout.reporting.history import History, Record

#: A measurement with the same verdict is recorded again after so many seconds.
_REPEAT_SECONDS = 30.0


def _no_metrics(state: State, measured: Measurement | None) -> None:
    """Keeps no metrics."""


class EventRecorder:
    """Reports what happens in a rollout. Keeps in memory only when a measurement was last recorded."""

    def __init__(
        self,
        events: Events,
        history: History | None = None,
        metrics: Callable[[State, Measurement | None], None] = _no_metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Reports nothing yet.

        Args:
            events: Kubernetes Events on the service.
            history: For the timeline page; None to keep none.
            metrics: Takes the state and the measurement of every iteration.
            clock: Seconds since the epoch.
        """
        self._events, self._history, self._metrics, self._clock = events, history, metrics, clock
        self._last: tuple[Verdict | None, float] = (None, float("-inf"))

    def entered(self, service: Json, state: State) -> str:
        """Reports another phase, gate or reason; returns the text of the Event, empty if none could be created."""
        LOG.info("%s", state.summary)
        return self._events.entered(service, state)

    def moved(self, service: Json, why: str) -> str:
        """Reports a patch; returns the text of the Event, empty if none could be created."""
        LOG.info("%s", why)
        return self._events.moved(service, why)

    def iterated(self, state: State, measured: Measurement | None) -> None:
        """Updates the metrics after an iteration of the control loop."""
        self._metrics(state, measured)

    def record(
        self,
        state: State,
        seen: Observation | None = None,
        action: Action = Action.NOTHING,
        measured: Measurement | None = None,
        event: str = "",
        *,
        is_news: bool = True,
    ) -> None:
        """Adds an iteration to the history, if anything in it is new.

        Args:
            state: As recorded after the iteration.
            seen: What was observed.
            action: What was done.
            measured: What was measured; it is new when its verdict changes, and every 30 seconds.
            event: Text of the Event.
            is_news: Whether the state differs from the one before.
        """
        verdict = measured.verdict if measured else None
        before, at = self._last
        is_due = measured is not None and (verdict != before or self._clock() - at >= _REPEAT_SECONDS)
        if not (is_news or event or is_due):
            return
        if measured:
            self._last = verdict, self._clock()
        if self._history:
            self._history.append(
                Record(
                    at=self._clock(),
                    phase=state.phase.value,
                    step=state.step,
                    percent=state.percent,
                    share=seen.share if seen else None,
                    action=action.value,
                    reason=state.reason,
                    verdict=verdict,
                    checks=measured.checks if measured else (),
                    approvals=state.approvals,
                    event=event,
                )
            )
