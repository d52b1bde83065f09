"""Aborts of a rollback that waits because the service was edited."""

import pytest

from content_arena.components.canary_rollout.plan.decide import Action, Observation, Verdict, decide
from content_arena.components.canary_rollout.plan.observation import Abort, AbortKind
from content_arena.components.canary_rollout.plan.state import Phase
from tests.components.canary_rollout.rollouts import PARAMETERS, START, at, good

baking = at(Phase.BAKING, step=1)
EDITED = "spec.predictor changed"


def held_on_the_way_back(seen):
    """A rollback for what was seen, which waits because the service was edited."""
    back = decide(baking, seen).state
    held = decide(back, Observation(now=back.since + 1, edited=EDITED)).state
    assert (held.phase, held.then, str(held.gate)) == (Phase.WAITING, Phase.ROLLING_BACK, "edit-1")
    return held


def failed():
    return held_on_the_way_back(good(baking, verdict=Verdict.FAIL, cause="5xx"))


def too_late():
    return held_on_the_way_back(good(baking, now=baking.started_at + PARAMETERS.deadline_seconds + 1))


@pytest.mark.parametrize("edited", [EDITED, ""], ids=["edited", "undone"])
@pytest.mark.parametrize("kind", AbortKind)
def test_a_challenger_that_failed_is_still_rejected_for_that(kind, edited):
    held = failed()
    decision = decide(held, Observation(now=held.since + 1, edited=edited, abort=Abort("ann: go on", kind)))
    back = decision.state
    assert (decision.action, back.without_fault, back.is_abandoned) == (Action.ROLL_BACK, False, False)
    assert back.cause == "failed at 25 %: 5xx"
    assert back.reason.startswith("aborted: ann: go on")
    assert back.reason.endswith("it goes back because: failed at 25 %: 5xx")
    gone = decide(back, Observation(now=back.since + 1, withdrawn=True))
    assert gone.action is Action.REJECT
    end = decide(back, Observation(now=back.since + 1, withdrawn=True, rejected=True)).state
    assert (end.phase, end.reason) == (Phase.ROLLED_BACK, "failed at 25 %: 5xx")


def test_a_person_may_reject_a_challenger_that_was_being_withdrawn():
    held = too_late()
    assert held.without_fault
    abort = Abort("ann: rude", AbortKind.REJECT)
    back = decide(held, Observation(now=held.since + 1, edited=EDITED, abort=abort)).state
    assert (back.phase, back.without_fault) == (Phase.ROLLING_BACK, False)
    assert back.cause == f"aborted: ann: rude; the service had been edited: {EDITED}"
    assert decide(back, Observation(now=back.since + 1, withdrawn=True)).action is Action.REJECT


def test_a_rejection_is_not_counted_as_abandoned():
    """An abandoned rollout is begun again by itself, a rejected one is not."""
    abandoned = decide(baking, good(baking, abort=Abort("nobody ran it", AbortKind.ABANDON))).state
    held = decide(abandoned, Observation(now=START + 1, edited=EDITED)).state
    assert held.is_abandoned
    abort = Abort("ann: rude", AbortKind.REJECT)
    back = decide(held, Observation(now=held.since + 1, edited=EDITED, abort=abort)).state
    assert (back.without_fault, back.is_abandoned) == (False, False)


def test_a_plain_abort_of_a_withdrawal_rejects_nothing():
    held = too_late()
    back = decide(held, Observation(now=held.since + 1, edited=EDITED, abort=Abort("ann: go on"))).state
    assert (back.phase, back.without_fault) == (Phase.ROLLING_BACK, True)
    assert decide(back, Observation(now=back.since + 1, withdrawn=True)).state.phase is Phase.WITHDRAWN
