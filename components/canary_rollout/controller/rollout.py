"""The control loop: observe, decide, record, act, until the end.

The loop keeps nothing in memory that it needs. A decision is recorded before it is carried out, a patch of the service
is announced in the record before it is sent, and every action may be repeated. So after a process was killed, another
one can resume its rollout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.controller.beginning import (
    RolloutRequest,
    first_state,
    new_name,
    refuse_unfinished,
)
from content_arena.components.canary_rollout.controller.goals import (
    AIMS,
    goal,
    goal_of,
    kept_by,
    settled,
    with_mode_state,
)
from content_arena.components.canary_rollout.controller.observer import Observer
from content_arena.components.canary_rollout.controller.pace import DEFAULT_PACE, SYSTEM_CLOCK, Clock, Pace
from content_arena.components.canary_rollout.controller.record import Record, RecordStore
from content_arena.components.canary_rollout.controller.registry import RolloutRegistry
from content_arena.components.canary_rollout.kube.client import (
    AwayError,
    ClusterError,
    ConflictError,
    RolloutClient,
)
from content_arena.components.canary_rollout.log import LOG
from content_arena.components.canary_rollout.measuring.counters import MeasureError
from content_arena.components.canary_rollout.measuring.interface import Measurement, Measurer, Moment
from content_arena.components.canary_rollout.plan.decide import Decision, decide, is_measured
from content_arena.components.canary_rollout.plan.observation import Action, Observation
from content_arena.components.canary_rollout.plan.state import Phase, State
from content_arena.components.canary_rollout.reporting.recorder import EventRecorder
from content_arena.components.canary_rollout.traffic.mode import (
    Aim,
    Done,
    Goal,
    Patch,
    Step,
    TrafficError,
    View,
    Wait,
)
from content_arena.components.canary_rollout.traffic.mover import Announcement, Mover, fingerprint
from content_arena.components.shared.errors import InputError, RegistryError, VictimError

#: Errors of a measurer that make a measurement inconclusive.
_UNMEASURABLE = (ClusterError, InputError, MeasureError, TrafficError, VictimError)


class Rollout:
    """Runs a rollout from its recorded state to its end.

    Attributes:
        state: As last read or written; None before that.
    """

    def __init__(
        self,
        cluster: RolloutClient,
        mover: Mover,
        measurer: Measurer,
        registry: RolloutRegistry,
        recorder: EventRecorder,
        *,
        service: str,
        assert_leadership: Callable[[], None] = lambda: None,
        pace: Pace = DEFAULT_PACE,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Stores its collaborators; nothing is read or written yet.

        Args:
            cluster: Where the service is.
            mover: Moves its traffic.
            measurer: Measures both variants.
            registry: Updated as the traffic moves.
            recorder: Reports what happens.
            service: Name of the InferenceService.
            assert_leadership: Raises if another process holds the lease by now; called before every write.
            pace: How often the loop runs, and how long it waits for the API server.
            clock: The time.
        """
        self._mover, self._measurer, self._registry = mover, measurer, registry
        self._recorder, self._assert_leadership = recorder, assert_leadership
        self._records = RecordStore(cluster, service)
        self._pace, self._clock = pace, clock
        self._observer = Observer(cluster, mover.mode, registry)
        self.state: State | None = None
        self._waiting: Wait | None = None
        self._refusal = ""

    def begin(
        self, request: RolloutRequest, name: str | None = None, measuring: Mapping[str, Any] | None = None
    ) -> State:
        """Records a new rollout; no traffic is moved yet.

        Args:
            request: What to roll out, and by which plan.
            name: Of the rollout; a new one if None.
            measuring: The measuring config to record, so that a resumed rollout uses the same.

        Raises:
            InputError: A rollout is under way, the challenger already serves, or the registry refuses it.
            TrafficError: The service is in the middle of another change, or cannot have a canary.
        """
        view, challenger = self._mover.read(), request.challenger
        record = self._records.read(view.service)
        refuse_unfinished(record)
        stable = self._mover.mode.stable(view, kept_by(record.state))
        state = first_state(request, name or new_name(challenger), stable, self._clock.now())
        state = replace(state, fingerprint=fingerprint(view.service), measuring=measuring or {})
        self._mover.mode.next_step(view, Goal(Aim.STAGED), stable, challenger)
        if not request.undo:
            # What users suffer from has to go, whatever the registry says about the version before it.
            self._registry.check(challenger.version, stable.version, request.override)
        self._assert_leadership()
        self._records.write(record, state)
        self.state = state
        self._recorder.record(state, event=self._recorder.entered(view.service, state))
        return state

    def run(self, should_leave: Callable[[State], bool] = lambda state: False) -> State:
        """Iterates until the end of the rollout.

        Args:
            should_leave: Whether to return early; a later process resumes the rollout.

        Returns:
            The state at the end, or where it was left.

        Raises:
            AwayError: The API server is unavailable, or refuses, for longer than ``pace.patience``.
            ClusterError: It refuses in the first iteration.
        """
        # A refusal in the first iteration means a missing right. A later one may pass: an API server that restarts
        # refuses everything until it has loaded its roles.
        retried: type[ClusterError] = AwayError
        away_since: float | None = None
        while True:
            try:
                state = self.reconcile_once()
            except ConflictError:
                # Service or record was written meanwhile. The next iteration reads both again.
                pass
            except retried as error:
                if away_since is None:
                    away_since = self._clock.now()
                    LOG.warning("%s; no traffic is moved meanwhile", error)
                if self._clock.now() - away_since > self._pace.patience:
                    raise AwayError(
                        f"{error} for {self._pace.patience:g} s: the rollout stays as it is, "
                        "`arena rollout resume` goes on with it"
                    ) from error
            else:
                retried, away_since = ClusterError, None
                if state.phase.is_end or should_leave(state):
                    return state
            self._clock.sleep(self._pace.interval)

    def let_go(self, why: str) -> State:
        """Lets go of the version before, which the last promotion has kept at 0 %. It may be repeated.

        Args:
            why: Why now, for people.

        Returns:
            The state as recorded now.

        Raises:
            ClusterError: The API server refuses.
            TrafficError: The service is in a state that no rollout produces; it is not changed.
        """
        while True:
            view = self._mover.read()
            record = self._records.read(view.service)
            self.state = state = record.existing
            if not state.kept_until:
                return state
            state = settled(state, view)
            try:
                step = self._step(state, goal(Aim.ALONE, state), view, record)
            except ConflictError:
                step = Wait("the service is being written by others")
            if isinstance(step, Done):
                record = self._records.read(view.service)
                after = replace(settled(record.existing, view), kept_until=0.0)
                self._record(record, after)
                LOG.info("version %s is no longer kept: %s", after.stable.version, why)
                return after
            if isinstance(step, Patch):
                self._recorder.moved(view.service, f"{step.why}: {why}")
            self._clock.sleep(self._pace.interval)

    def reconcile_once(self) -> State:
        """One iteration: one observation and at most one action.

        Returns:
            The state as recorded now.

        Raises:
            AwayError: The API server does not answer; a later iteration may succeed.
            InputError: The service was deleted, or has no rollout.
        """
        view = self._mover.read()
        record = self._records.read(view.service)
        if self.state and not self.state.phase.is_end and record.has_lost(self.state):
            # Requests to an earlier rollout are not carried into this one.
            return self._restore(view, Record(view.service, self.state, stored=record.stored), self.state)
        self.state = record.existing
        if record.state and not record.is_carried_over:
            return self._carry_over(record, record.state)
        if self.state.phase.is_end:
            self._recorder.iterated(self.state, None)
            return self.state
        # What became of a patch that was announced. From here on the record may differ from it by that alone.
        state = settled(self.state, view)
        now = self._clock.now()
        measured = self._measure(view, state, now)
        if measured:
            # Measuring takes time, so everything is read again.
            view = self._mover.read()
            record, before = self._records.read(view.service), record
            if record.state != before.state:
                return state
            state = settled(state, view)
        seen = self._observe(view, record, state, now, measured)
        decision = decide(state, seen)
        after, event, is_news = decision.state, "", False
        if after != record.state:
            record = self._record(record, after)
        if after != state:
            self._waiting, self._refusal = None, ""
            # While a rollout waits, a new measuring window alone is not worth an Event.
            is_news = replace(after, window=state.window) != state
            event = self._recorder.entered(view.service, after) if is_news else ""
        event = self._act(decision, view, record) or event
        self._recorder.record(after, seen, decision.action, measured, event, is_news=is_news)
        self._recorder.iterated(after, measured)
        return after

    def _observe(
        self, view: View, record: Record, state: State, now: float, measured: Measurement | None
    ) -> Observation:
        waiting = self._waiting
        if waiting is None and state.phase in AIMS:
            # A process that has just resumed the rollout has not acted yet, so it has no result of a last action.
            waiting = self._mover.waiting_for(view, goal_of(state), state.stable, state.candidate)
        return self._observer.observe(view, record, state, now, measured, waiting or Wait(""), self._refusal)

    def _restore(self, view: View, record: Record, state: State) -> State:
        """Writes the record again after it was removed, and waits for an approval.

        A promotion or a rollback that is under way goes on without one.
        """
        after = state
        if state.phase not in (Phase.PROMOTING, Phase.ROLLING_BACK):
            edited = f"the record in the ConfigMap {self._records.name} was removed, it is written again"
            after = decide(state, Observation(now=self._clock.now(), edited=edited)).state
        self._record(record, after)
        if after != state:
            self._recorder.record(after, event=self._recorder.entered(view.service, after))
        return after

    def _carry_over(self, record: Record, state: State) -> State:
        """Moves a record of version 0.1.0 from the annotations of the service, which are removed in one patch."""
        LOG.info("the record is moved from the annotations of the InferenceService to ConfigMap %s", self._records.name)
        self._record(record, state)
        self._assert_leadership()
        self._records.remove_former(record)
        return state

    def _measure(self, view: View, state: State, now: float) -> Measurement | None:
        if not is_measured(state):
            return None
        if state.undo:
            return Measurement(Verdict.PASS, "an undo is not analysed", 0, ())
        # While a rollout waits, probes are sent once for all windows, since only a failure counts.
        probed = state.since if state.phase is Phase.WAITING else state.window
        moment = Moment(
            state.window, probed, now, state.percent, state.stable, state.candidate, view, self._mover.mode,
            bounds=state.bounds, draw=state.holds,
        )  # fmt: skip
        try:
            return self._measurer.measure(moment)
        except AwayError:
            raise
        except _UNMEASURABLE as error:
            return Measurement(Verdict.INCONCLUSIVE, f"could not be measured: {error}", 0, ())

    def _record(self, before: Record, after: State) -> Record:
        """Records a state.

        Raises:
            ConflictError: The record was written meanwhile: it has to be read and the plan has to decide again.
        """
        self._assert_leadership()
        written = self._records.write(before, after)
        self.state = after
        return written

    def _act(self, decision: Decision, view: View, record: Record) -> str:
        """Carries out the action; returns the text of its Event, empty if there is none."""
        state = decision.state
        # The plan has dealt with the last refusal. From now on only a refusal of this attempt counts.
        self._refusal = ""
        try:
            if decision.action in (Action.REGISTER, Action.REJECT):
                self._assert_leadership()
            if decision.action is Action.REGISTER and state.undo:
                self._registry.undo(state.challenger, state.stable.version, state.rollout, state.undo)
            elif decision.action is Action.REGISTER:
                self._registry.promote(state.challenger, state.stable.version)
            elif decision.action is Action.REJECT:
                cause = state.cause or state.reason
                self._registry.reject(state.challenger, state.stable.version, state.rollout, cause)
            elif state.phase in AIMS:
                return self._move(state, view, record)
        except (AwayError, ConflictError):
            raise
        except RegistryError as error:
            # The plan waits for the registry, and after its time limit for a person's approval.
            self._waiting = Wait(str(error))
        except (TrafficError, ClusterError) as error:
            self._refusal = str(error)
        return ""

    def _move(self, state: State, view: View, record: Record) -> str:
        step = self._step(state, goal_of(state), view, record)
        self._waiting = step if isinstance(step, Wait) else None
        return self._recorder.moved(view.service, step.why) if isinstance(step, Patch) else ""

    def _step(self, state: State, wanted: Goal, view: View, record: Record) -> Step:
        """Takes the next step towards a goal: announces a patch, writes it, and records its outcome."""
        announced, last = state, record

        def announce(made: Announcement) -> None:
            nonlocal announced, last
            announced = with_mode_state(announced, made.patch.mode_state)
            announced = announced.announcing(made.version, made.fingerprint, made.patch.why)
            last = self._record(last, announced)
            self._assert_leadership()

        step = self._mover.step(view, wanted, state.stable, state.candidate, announce)
        if isinstance(step, Patch):
            self._record_outcome(last, announced)
        return step

    def _record_outcome(self, record: Record, announced: State) -> None:
        """Records that an announced patch was written. If that fails, the next iteration sees it from the service."""
        if announced.intent is None:
            return
        done = replace(announced, fingerprint=announced.intent.fingerprints[-1], intent=None)
        try:
            self._record(record, done)
        except (AwayError, ConflictError) as error:
            LOG.debug("the outcome of a patch is recorded later: %s", error)
