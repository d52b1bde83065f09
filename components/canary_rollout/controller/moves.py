"""Moves of the traffic that are recorded: a patch is announced in the record before it is sent, its outcome after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from content_arena.components.canary_rollout.controller.goals import with_mode_state
from content_arena.components.canary_rollout.controller.record import Record, RecordStore
from content_arena.components.canary_rollout.kube.client import AwayError, ConflictError
from content_arena.components.canary_rollout.log import LOG
from content_arena.components.canary_rollout.plan.state import State
from content_arena.components.canary_rollout.traffic.mode import Goal, Patch, Step, View
from content_arena.components.canary_rollout.traffic.mover import Announcement, Mover


class RecordedMoves:
    """Writes the record of a service's rollout, and moves its traffic.

    Attributes:
        state: As last read or written; None before that.
    """

    def __init__(self, mover: Mover, records: RecordStore, assert_leadership: Callable[[], None]) -> None:
        """Stores its collaborators.

        Args:
            mover: Moves the traffic.
            records: The record of the service's rollouts.
            assert_leadership: Raises if another process holds the lease by now; called before every write.
        """
        self.mover, self.records, self.assert_leadership = mover, records, assert_leadership
        self.state: State | None = None

    def record(self, before: Record, after: State) -> Record:
        """Records a state.

        Raises:
            ConflictError: The record was written meanwhile: it has to be read and the plan has to decide again.
        """
        self.assert_leadership()
        written = self.records.write(before, after)
        self.state = after
        return written

    def step(self, view: View, record: Record, state: State, goal: Goal) -> Step:
        """Takes the next step towards a goal.

        Args:
            view: The service as just read.
            record: The record as just read.
            state: The state of that record.
            goal: What to reach.

        Raises:
            ConflictError: The record was written meanwhile.
            TrafficError: The goal can not be reached from here without losing requests.
            ClusterError: The API server refuses.
        """
        announced, last = state, record

        def announce(made: Announcement) -> None:
            nonlocal announced, last
            announced = with_mode_state(announced, made.patch.mode_state)
            announced = announced.announcing(made.version, made.fingerprint, made.patch.why)
            last = self.record(last, announced)
            self.assert_leadership()

        step = self.mover.step(view, goal, state.stable, state.candidate, announce)
        if isinstance(step, Patch):
            self._record_outcome(last, announced)
        return step

    def _record_outcome(self, record: Record, announced: State) -> None:
        """Records that an announced patch was written. If that fails, the next iteration sees it from the service."""
        if announced.intent is None:
            return
        done = replace(announced, fingerprint=announced.intent.fingerprints[-1], intent=None)
        try:
            self.record(record, done)
        except (AwayError, ConflictError) as error:
            LOG.debug("the outcome of a patch is recorded later: %s", error)
