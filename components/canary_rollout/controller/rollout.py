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
    refuse_missing_runtime,
    refuse_unfinished,
    with_runtime_if_another,
)
from content_arena.components.canary_rollout.controller.goals import (
    AIMS,
    goal_of,
    kept_by,
    settled,
)
from content_arena.components.canary_rollout.controller.moves import RecordedMoves
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
    Goal,
    Patch,
    TrafficError,
    View,
    Wait,
)
from content_arena.components.canary_rollout.traffic.mover import Mover, fingerprint
from content_arena.components.shared.errors import InputError, RegistryError, VictimError

#: Errors of a measurer that make a measurement inconclusive.
_UNMEASURABLE = (ClusterError, InputError, MeasureError, TrafficError, VictimError)


class Rollout:
    """Runs a rollout from its recorded state to its end."""

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
        self._cluster = cluster
        self._moves = RecordedMoves(mover, RecordStore(cluster, service), assert_leadership)
        self._measurer, self._registry, self._recorder = measurer, registry, recorder
        self._pace, self._clock = pace, clock
        self._observer = Observer(cluster, mover.mode, registry)
        self._waiting: Wait | None = None
        self._refusal = ""

    @property
    def state(self) -> State | None:
        """As last read or written; None before that."""
        return self._moves.state

    def begin(
        self, request: RolloutRequest, name: str | None = None, measuring: Mapping[str, Any] | None = None
    ) -> State:
        """Records a new rollout; no traffic is moved yet.

        Args:
            request: What to roll out, and by which plan.
            name: Of the rollout; a new one if None.
            measuring: The measuring config to record, so that a resumed rollout uses the same.

        Raises:
            InputError: A rollout is under way, the challenger already serves, the registry refuses it, or it is to run
                by another runtime, which does not exist, or the service names none to return to.
            TrafficError: The service is in the middle of another change, or cannot have a canary.
        """
        view = self._moves.mover.read()
        record = self._moves.records.read(view.service)
        refuse_unfinished(record)
        stable = self._moves.mover.mode.stable(view, kept_by(record.state))
        request = with_runtime_if_another(request, stable, view.service)
        refuse_missing_runtime(self._cluster, request.challenger)
        challenger = request.challenger
        state = first_state(request, name or new_name(challenger), stable, self._clock.now())
        state = replace(state, fingerprint=fingerprint(view.service), measuring=measuring or {})
        self._moves.mover.mode.next_step(view, Goal(Aim.STAGED), stable, challenger)
        if not request.undo:
            # What users suffer from has to go, whatever the registry says about the version before it.
            self._registry.check(challenger.version, stable.version, request.override)
        self._moves.assert_leadership()
        self._moves.records.write(record, state)
        self._moves.state = state
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

    def reconcile_once(self) -> State:
        """One iteration: one observation and at most one action.

        Returns:
            The state as recorded now.

        Raises:
            AwayError: The API server does not answer; a later iteration may succeed.
            InputError: The service was deleted, or has no rollout.
        """
        view = self._moves.mover.read()
        record = self._moves.records.read(view.service)
        if self.state and not self.state.phase.is_end and record.has_lost(self.state):
            # Requests to an earlier rollout are not carried into this one.
            return self._restore(view, Record(view.service, self.state, stored=record.stored), self.state)
        self._moves.state = existing = record.existing
        if record.state and not record.is_carried_over:
            return self._carry_over(record, record.state)
        if existing.phase.is_end:
            self._recorder.iterated(existing, None)
            return existing
        # What became of a patch that was announced. From here on the record may differ from it by that alone.
        state = settled(existing, view)
        now = self._clock.now()
        measured = self._measure(view, state, now)
        if measured:
            # Measuring takes time, so everything is read again.
            view = self._moves.mover.read()
            record, before = self._moves.records.read(view.service), record
            if record.state != before.state:
                return state
            state = settled(state, view)
        seen = self._observe(view, record, state, now, measured)
        decision = decide(state, seen)
        after, event, is_news = decision.state, "", False
        if after != record.state:
            record = self._moves.record(record, after)
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
            waiting = self._moves.mover.waiting_for(view, goal_of(state), state.stable, state.candidate)
        return self._observer.observe(view, record, state, now, measured, waiting or Wait(""), self._refusal)

    def _restore(self, view: View, record: Record, state: State) -> State:
        """Writes the record again after it was removed, and waits for an approval.

        A promotion or a rollback that is under way goes on without one.
        """
        after = state
        if state.phase not in (Phase.PROMOTING, Phase.ROLLING_BACK):
            edited = f"the record in the ConfigMap {self._moves.records.name} was removed, it is written again"
            after = decide(state, Observation(now=self._clock.now(), edited=edited)).state
        self._moves.record(record, after)
        if after != state:
            self._recorder.record(after, event=self._recorder.entered(view.service, after))
        return after

    def _carry_over(self, record: Record, state: State) -> State:
        """Moves a record of version 0.1.0 from the annotations of the service, which are removed in one patch."""
        LOG.info(
            "the record is moved from the annotations of the InferenceService to ConfigMap %s", self._moves.records.name
        )
        self._moves.record(record, state)
        self._moves.assert_leadership()
        self._moves.records.remove_former(record)
        return state

    def _measure(self, view: View, state: State, now: float) -> Measurement | None:
        if not is_measured(state):
            return None
        if state.undo:
            return Measurement(Verdict.PASS, "an undo is not analysed", 0, ())
        # While a rollout waits, probes are sent once for all windows, since only a failure counts.
        probed = state.since if state.phase is Phase.WAITING else state.window
        moment = Moment(
            state.window, probed, now, state.percent, state.stable, state.candidate, view, self._moves.mover.mode,
            bounds=state.bounds, draw=state.holds,
        )  # fmt: skip
        try:
            return self._measurer.measure(moment)
        except AwayError:
            raise
        except _UNMEASURABLE as error:
            return Measurement(Verdict.INCONCLUSIVE, f"could not be measured: {error}", 0, ())

    def _act(self, decision: Decision, view: View, record: Record) -> str:
        """Carries out the action; returns the text of its Event, empty if there is none."""
        state = decision.state
        # The plan has dealt with the last refusal. From now on only a refusal of this attempt counts.
        self._refusal = ""
        try:
            if decision.action in (Action.REGISTER, Action.REJECT):
                self._moves.assert_leadership()
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
        step = self._moves.step(view, record, state, goal_of(state))
        self._waiting = step if isinstance(step, Wait) else None
        return self._recorder.moved(view.service, step.why) if isinstance(step, Patch) else ""
