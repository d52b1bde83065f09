"""Tells what a rollout does to everybody who wants to know: Events, the history for the page, whoever watches."""

from __future__ import annotations

from collections.abc import Callable

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.measuring.interface import Measurement
from content_arena.components.canary_rollout.plan.observation import Action, Observation
from content_arena.components.canary_rollout.plan.state import State
from content_arena.components.canary_rollout.reporting.events import Events
from content_arena.components.canary_rollout.reporting.history import History, Record

#: A measurement is told again after so many seconds, though nothing came of it.
_TELL_SECONDS = 30.0


class EventRecorder:
    """Tells; what it remembers is only when it last told a measurement."""

    def __init__(
        self, events: Events, history: History | None, say: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        """Tells nothing yet.

        Args:
            events: Kubernetes' own, on the service.
            history: For the page; None where nobody keeps one.
            say: For whoever watches this process.
            clock: Seconds since the epoch.
        """
        self._events, self._history, self._say, self._clock = events, history, say, clock
        self._told: tuple[Verdict | None, float] = (None, float("-inf"))

    def entered(self, service: Json, state: State) -> str:
        """Another phase, gate or reason; what the Event said of it."""
        self._say(state.summary)
        return self._events.entered(service, state)

    def moved(self, service: Json, why: str) -> str:
        """A patch; what the Event said of it."""
        self._say(why)
        return self._events.moved(service, why)

    def tell(
        self,
        state: State,
        seen: Observation | None = None,
        action: Action = Action.NOTHING,
        measured: Measurement | None = None,
        event: str = "",
        *,
        is_news: bool = True,
    ) -> None:
        """A turn for the history, if there is anything to tell of it.

        Args:
            state: As recorded after it.
            seen: What was known.
            action: What was done.
            measured: What was measured; told when its verdict changes, and now and then.
            event: What an Event told of it.
            is_news: Whether the state is another one than before.
        """
        verdict = measured.verdict if measured else None
        before, at = self._told
        is_due = measured is not None and (verdict != before or self._clock() - at >= _TELL_SECONDS)
        if not (is_news or event or is_due):
            return
        if measured:
            self._told = verdict, self._clock()
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
