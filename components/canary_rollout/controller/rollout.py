"""The loop: look, decide, record, act; again and again until the end.

Nothing that counts is kept in memory. Whatever is decided is recorded on the service before it is done, and every deed
may be repeated, so a process killed anywhere is followed by one that goes on.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.controller import annotations
from content_arena.components.canary_rollout.controller.observer import Observer
from content_arena.components.canary_rollout.controller.registry import RolloutRegistry
from content_arena.components.canary_rollout.kube.client import (
    AwayError,
    ClusterError,
    ConflictError,
    Json,
    RolloutClient,
)
from content_arena.components.canary_rollout.measuring.interface import Measurement, Measurer, Moment
from content_arena.components.canary_rollout.plan.decide import Decision, decide, is_measured
from content_arena.components.canary_rollout.plan.observation import Action, Observation
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Phase, State, start
from content_arena.components.canary_rollout.reporting.events import Events
from content_arena.components.canary_rollout.reporting.history import History
from content_arena.components.canary_rollout.reporting.recorder import EventRecorder
from content_arena.components.canary_rollout.traffic.mode import (
    Aim,
    Goal,
    Patch,
    TrafficError,
    View,
    Wait,
)
from content_arena.components.canary_rollout.traffic.mover import Mover, fingerprint
from content_arena.components.shared.errors import ArenaError, InputError, RegistryError

_ATTEMPTS = 5
_AIMS = {
    Phase.STAGING: Aim.STAGED, Phase.SHIFTING: Aim.SHIFTED, Phase.PROMOTING: Aim.PROMOTED,
    Phase.ROLLING_BACK: Aim.ROLLED_BACK,
}  # fmt: skip


@dataclass(frozen=True)
class Pace:
    """How often, and how patiently.

    Attributes:
        interval: Seconds between two looks.
        patience: Seconds that the API server may be away before the rollout is left where it is.
    """

    interval: float = 1.0
    patience: float = 600.0


class Rollout:
    """Carries a rollout from wherever it stands to its end.

    Attributes:
        state: As last read or written; None before that.
    """

    def __init__(
        self,
        cluster: RolloutClient,
        mover: Mover,
        measurer: Measurer,
        registry: RolloutRegistry,
        *,
        service: str,
        instance: str = "",
        assert_leadership: Callable[[], None] = lambda: None,
        history: History | None = None,
        say: Callable[[str], None] = lambda line: None,
        turned: Callable[[State, Measurement | None], None] = lambda state, measured: None,
        pace: Pace = Pace(),
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Does nothing yet.

        Args:
            cluster: Where the service is.
            mover: Moves its traffic.
            measurer: Measures both variants.
            registry: Follows the traffic.
            service: Name of the InferenceService.
            instance: Who tells the Events.
            assert_leadership: Raises if another process rolls out by now; asked before every write.
            history: Where it is told for the page.
            say: Where it is told for whoever watches this process.
            turned: Called after every turn, with what was measured.
            pace: How often, and how patiently.
            clock: Seconds since the epoch.
            sleep: Waits so many seconds.
        """
        self._cluster, self._mover, self._measurer, self._registry = cluster, mover, measurer, registry
        self._service, self._assert_leadership, self._say = service, assert_leadership, say
        self._turned = turned
        self._pace, self._clock, self._sleep = pace, clock, sleep
        self._observer = Observer(cluster, mover.mode, registry, say)
        self._recorder = EventRecorder(Events(cluster, instance, say), history, say, clock)
        self.state: State | None = None
        self._awaited = self._refused = ""

    def begin(
        self, challenger: Challenger, parameters: Parameters, insist: str | None = None, name: str | None = None,
        measuring: Mapping[str, Any] | None = None,
    ) -> State:  # fmt: skip
        """Records a new rollout; nothing is moved yet.

        Args:
            challenger: What to roll out.
            parameters: The plan.
            insist: Why a person wants it although it was rejected before.
            name: Of the rollout; a new one if None.
            measuring: With what it is measured, for whoever resumes it.

        Raises:
            InputError: One is under way, the challenger is what serves, or the registry is against it.
            TrafficError: The service is in the middle of something else, or can have no canary.
        """
        view = self._mover.read()
        refuse_unfinished(view)
        stable = self._mover.mode.stable(view)
        name = name or new_name(challenger)
        state = start(name, challenger.version, challenger.storage_uri, stable, parameters, self._clock())
        state = replace(state, fingerprint=fingerprint(view.service), reason=f"began beside version {stable.version}")
        state = replace(state, measuring=measuring or {})
        self._mover.mode.next_step(view, Goal(Aim.STAGED), stable, challenger)
        self._registry.check(challenger.version, stable.version, insist)
        self._assert_leadership()
        version = view.service["metadata"]["resourceVersion"]
        service = self._cluster.patch_service(self._service, annotations.record(None, state), version)
        self.state = state
        self._recorder.tell(state, event=self._recorder.entered(service, state))
        return state

    def run(self, should_leave: Callable[[State], bool] = lambda state: False) -> State:
        """Turns until the end.

        Args:
            should_leave: Whether to leave it as it is, with whoever comes next to go on.

        Returns:
            The state at the end, or where it was left.

        Raises:
            AwayError: The API server is away, or refuses, for longer than patience lasts.
            ClusterError: It refuses from the beginning.
        """
        away_since: float | None = None
        has_turned = False
        while True:
            try:
                state = self.turn()
                away_since, has_turned = None, True
            except ConflictError:
                # Somebody else wrote: look again.
                pass
            except ClusterError as error:
                # What was allowed a moment ago will be again: a server that starts refuses until it knows its roles.
                if not (isinstance(error, AwayError) or has_turned):
                    raise
                if away_since is None:
                    away_since = self._clock()
                    self._say(f"{error}; nothing is moved meanwhile")
                if self._clock() - away_since > self._pace.patience:
                    raise AwayError(
                        f"{error} for {self._pace.patience:g} s: the rollout is left as it is, "
                        "`arena rollout resume` goes on"
                    ) from error
            else:
                if state.phase.is_end or should_leave(state):
                    return state
            self._sleep(self._pace.interval)

    def turn(self) -> State:
        """One look and at most one deed.

        Returns:
            The state as recorded now.

        Raises:
            AwayError: The API server does not answer; another turn may.
            InputError: The service is gone, or has no rollout.
        """
        view = self._mover.read()
        if self.state and not self.state.phase.is_end and annotations.recorded(view.service) is None:
            return self._remember(view, self.state)
        self.state = state = annotations.record_of(view.service)
        if state.phase.is_end:
            self._turned(state, None)
            return state
        now = self._clock()
        measured = self._measure(view, state, now)
        if measured:
            # Measuring takes its time, and what was looked at before may be old by now.
            view = self._mover.read()
            if annotations.recorded(view.service) != state:
                return state
        awaited = self._awaited
        if not awaited and state.phase in _AIMS:
            # A process that has just taken over has asked for nothing yet.
            awaited = self._mover.awaited(view, _goal(state), state.stable, state.candidate)
        seen = self._observer.observe(view, state, now, measured, awaited, self._refused)
        decision = decide(state, seen)
        after = decision.state
        event, is_news = "", False
        if after != state:
            self._awaited = self._refused = ""
            service = self._record(view, state, after)
            if service is None:
                return state
            self.state = after
            view = replace(view, service=service)
            # While it waits, a window follows the other, and nobody needs to be told.
            is_news = replace(after, window=state.window) != state
            event = self._recorder.entered(service, after) if is_news else ""
        event = self._act(decision, view) or event
        self._recorder.tell(after, seen, decision.action, measured, event, is_news=is_news)
        self._turned(after, measured)
        return after

    def _remember(self, view: View, state: State) -> State:
        """Writes down again what somebody took away, and asks what they meant by it; an end needs no asking."""
        after = state
        if state.phase not in (Phase.PROMOTING, Phase.ROLLING_BACK):
            edited = f"the annotation {annotations.ROLLOUT} was gone, it is written again"
            after = decide(state, Observation(now=self._clock(), edited=edited)).state
        service = self._record(view, state, after)
        if service is None:
            return state
        self.state = after
        if after != state:
            self._recorder.tell(after, event=self._recorder.entered(service, after))
        return after

    def _measure(self, view: View, state: State, now: float) -> Measurement | None:
        if not is_measured(state):
            return None
        # While it waits, windows follow each other and nothing is judged but a failure.
        probed = state.since if state.phase is Phase.WAITING else state.window
        moment = Moment(state.window, probed, now, state.percent, state.stable, state.candidate, view, self._mover.mode)
        try:
            return self._measurer.measure(moment)
        except AwayError:
            raise
        except ArenaError as error:
            return Measurement(Verdict.INCONCLUSIVE, f"could not be measured: {error}", 0, ())

    def _record(self, view: View, before: State, after: State) -> Json | None:
        """Writes a state down; None if somebody wrote something that has to be looked at first."""
        looked = view.service
        for _ in range(_ATTEMPTS):
            self._assert_leadership()
            try:
                version = looked["metadata"]["resourceVersion"]
                return self._cluster.patch_service(self._service, annotations.record(before, after), version)
            except ConflictError:
                now = self._cluster.service(self._service)
                # Mostly a status; all else is for the plan to judge first.
                if (now["spec"], now["metadata"].get("annotations")) != (
                    looked["spec"], looked["metadata"].get("annotations"),
                ):  # fmt: skip
                    return None
                looked = now
        return None

    def _act(self, decision: Decision, view: View) -> str:
        """Does what was decided; what an Event told of it."""
        state = decision.state
        # Decided on already; where it is tried again, only what comes of it now counts.
        self._refused = ""
        try:
            if decision.action in (Action.REGISTER, Action.REJECT):
                self._assert_leadership()
            if decision.action is Action.REGISTER:
                self._registry.promote(state.challenger, state.stable.version)
            elif decision.action is Action.REJECT:
                self._registry.reject(state.challenger, state.stable.version, state.rollout, state.reason)
            elif state.phase in _AIMS:
                return self._move(state, view)
        except (AwayError, ConflictError):
            raise
        except RegistryError as error:
            # The plan waits for it, and asks a person in the end.
            self._awaited = str(error)
        except (TrafficError, ClusterError) as error:
            self._refused = str(error)
        return ""

    def _move(self, state: State, view: View) -> str:
        left = state

        def noted(after: str) -> Json:
            nonlocal left
            self._assert_leadership()
            left = replace(state, fingerprint=after)
            return {annotations.ROLLOUT: left.dump()}

        step = self._mover.step(view, _goal(state), state.stable, state.candidate, noted)
        if isinstance(step, Patch):
            self._awaited, self.state = "", left
            return self._recorder.moved(view.service, step.why)
        self._awaited = step.why if isinstance(step, Wait) else ""
        return ""


def _goal(state: State) -> Goal:
    """Where a phase brings the traffic."""
    aim = _AIMS[state.phase]
    return Goal(aim, {Aim.SHIFTED: state.percent, Aim.PROMOTED: 100}.get(aim, 0))


def new_name(challenger: Challenger) -> str:
    """Names a rollout; no two are the same."""
    return f"{challenger.version}-{uuid.uuid4().hex[:8]}"


def refuse_unfinished(view: View) -> None:
    """Refuses to begin while a rollout is under way.

    Raises:
        InputError: One is.
    """
    state = annotations.recorded(view.service)
    if state is not None and not state.phase.is_end:
        raise InputError(
            f"a rollout of version {state.challenger} is under way ({state.phase.value} at {state.percent} %): "
            "`arena rollout watch` shows how far, `resume` goes on where nobody carries it, `abort` takes it back"
        )
