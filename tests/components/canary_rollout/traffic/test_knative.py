"""Moves in Knative mode, in a simulated cluster that records which model users get."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.canary_rollout.plan.state import Challenger
from content_arena.components.canary_rollout.traffic.mode import Aim, Done, Goal, TrafficError, Wait
from tests.components.canary_rollout.moves import NEXT, SETTLE, STEPS, TWO, Rollout
from tests.components.canary_rollout.stand_in.knative_world import KnativeWorld, service

ONE = "s3://models/content-filter/1"


def most(world):
    """The largest share that the challenger ever had, and its present share."""
    shares = [met.get(TWO.storage_uri, 0) for met in world.met]
    return max(shares), shares[-1]


@pytest.mark.parametrize("percent", [0, *STEPS])
def test_the_share_never_exceeds_the_goal(percent):
    world = KnativeWorld(service())
    rollout = Rollout(world)
    rollout.through(*(step for step in STEPS if step <= percent))
    assert most(world) == (percent, percent)
    assert rollout.shares().challenger == percent


def test_a_promotion_loses_nothing():
    world = KnativeWorld(service())
    rollout = Rollout(world)
    rollout.through(*STEPS)
    rollout.to(Goal(Aim.PROMOTED))
    world.tick(20)
    predictor = world.stored.value["spec"]["predictor"]
    assert (predictor["model"]["storageUri"], predictor.get("canaryTrafficPercent")) == (TWO.storage_uri, None)
    assert predictor["model"]["env"] == [{"name": "CONTENT_ARENA_MODEL_VERSION", "value": "2"}]
    assert (world.lost, most(world)) == (0, (100, 100))


@pytest.mark.parametrize("percents", [(), (1,), (1, 25, 50), STEPS], ids=str)
def test_clearing_the_percentage_after_a_rollback_promotes_nothing(percents):
    world = KnativeWorld(service())
    rollout = Rollout(world)
    rollout.through(*percents)
    rollout.to(Goal(Aim.ROLLED_BACK))
    assert world.stored.value["spec"] == service()["spec"]
    world.stored.patch({"spec": {"predictor": {"canaryTrafficPercent": None}}})
    world.tick(20)
    assert (world.lost, most(world)[1]) == (0, 0)
    assert world.stored.value["metadata"]["annotations"] == service()["metadata"]["annotations"]


def test_stables_share_is_not_mistaken_for_a_crashing_challengers():
    world = KnativeWorld(service(), broken=[TWO.storage_uri])
    rollout = Rollout(world)
    rollout.once(Goal(Aim.STAGED))
    # An edit by hand: the percentage seems to be the challenger's.
    world.stored.patch({"spec": {"predictor": {"canaryTrafficPercent": 20}}})
    world.tick(10)
    traffic = world.stored.value["status"]["components"]["predictor"]["traffic"]
    assert [(entry["revisionName"], entry["percent"]) for entry in traffic] == [("00001", 20), ("00001", 80)]
    shares = rollout.shares()
    assert (shares.challenger, shares.ready) == (0, False)


def test_a_challenger_that_crashes_is_withdrawn():
    world = KnativeWorld(service(), broken=[TWO.storage_uri])
    rollout = Rollout(world)
    for _ in range(20):
        assert not isinstance(rollout.once(Goal(Aim.STAGED)), Done)
    rollout.to(Goal(Aim.ROLLED_BACK))
    assert world.stored.value["spec"] == service()["spec"]
    assert (world.lost, most(world)) == (0, (0, 0))


def test_users_who_are_sent_to_the_revision_before_stables_come_back_to_stable():
    """Knative split the traffic before it made the challenger's revision, and KServe took that for a rollback."""
    world = KnativeWorld(service(), revision_lag=1)
    first = Rollout(world)
    first.through(*STEPS)
    first.to(Goal(Aim.PROMOTED))
    before = world.stored.value["spec"]
    second = Rollout(world, Challenger("3", "s3://models/content-filter/3"))
    for _ in range(20):
        step = second.once(Goal(Aim.STAGED))
    assert world.met[-1] == {ONE: 100}
    assert isinstance(step, Wait)
    assert step.unfollowed > 0
    assert second.shares().challenger is None
    second.to(Goal(Aim.ROLLED_BACK))
    world.tick(20)
    assert world.met[-1] == {TWO.storage_uri: 100}
    assert (world.stored.value["spec"], world.lost) == (before, 0)


lags = st.fixed_dictionaries(
    {"start": st.integers(0, 6), "status_lag": st.integers(0, 3), "gateway_lag": st.integers(0, SETTLE - 1)}
)
challengers = st.sampled_from([TWO, NEXT])
#: For each step: a pause in seconds, and whether the process is killed.
seconds = st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60)


@settings(max_examples=60)
@given(lags, seconds, st.sampled_from([1, 25, 50, 100]), st.booleans(), challengers)
def test_nothing_is_lost_however_slow_the_cluster_and_often_killed(lag, days, last, is_broken, challenger):
    world = KnativeWorld(service(), **lag, broken=[TWO.storage_uri] if is_broken else [])
    rollout = Rollout(world, challenger)
    goals = iter([Goal(Aim.STAGED), *(Goal(Aim.SHIFTED, step) for step in STEPS if step <= last)])
    goal = next(goals)
    for pause, is_killed in days:
        if isinstance(rollout.once(goal), Done):
            goal = next(goals, goal)
        world.tick(pause)
        if is_killed:
            rollout.kill()
        assert most(world)[0] <= goal.percent, "more users met it than the step allows"
    reached = most(world)[0] if world.met else 0
    rollout.to(Goal(Aim.ROLLED_BACK))
    world.tick(20)
    assert world.stored.value["spec"] == service()["spec"]
    assert (world.lost, most(world)[1]) == (0, 0)
    assert most(world)[0] <= max(reached, goal.percent), "on the way back it met more users than before"


@settings(max_examples=30)
@given(lags, seconds, challengers)
def test_a_promotion_that_is_killed_is_finished_by_the_next(lag, days, challenger):
    world = KnativeWorld(service(), **lag)
    rollout = Rollout(world, challenger)
    rollout.through(*STEPS)
    for pause, is_killed in days:
        rollout.once(Goal(Aim.PROMOTED))
        world.tick(pause)
        if is_killed:
            rollout.kill()
    rollout.to(Goal(Aim.PROMOTED))
    assert world.stored.value["spec"]["predictor"]["model"]["runtime"] == (challenger.runtime or "content-arena")
    assert (world.lost, most(world)) == (0, (100, 100))


# The simulated cluster shows the mistakes that the moves avoid.


def test_clearing_the_percentage_after_a_rollback_to_zero_promotes_the_rejected():
    world = KnativeWorld(service())
    Rollout(world).through(1)
    world.stored.patch({"spec": {"predictor": {"canaryTrafficPercent": 0}}})
    world.tick(20)
    world.stored.patch({"spec": {"predictor": {"canaryTrafficPercent": None}}})
    world.tick(20)
    assert most(world) == (100, 100)


def test_a_new_model_without_a_percentage_goes_straight_to_all():
    world = KnativeWorld(service())
    world.stored.patch({"spec": {"predictor": {"model": {"storageUri": TWO.storage_uri}}}})
    world.tick(20)
    assert most(world) == (100, 100)


# States that the rollout leaves alone.


def test_a_split_that_no_rollout_made_is_refused():
    world = KnativeWorld(service())
    world.stored.patch({"spec": {"predictor": {"canaryTrafficPercent": 10}}})
    world.tick(5)
    with pytest.raises(TrafficError, match="in the middle of a change"):
        Rollout(world)


def test_a_model_that_became_another_is_refused():
    world = KnativeWorld(service())
    rollout = Rollout(world)
    world.stored.patch({"spec": {"predictor": {"model": {"storageUri": "s3://elsewhere"}}}})
    with pytest.raises(TrafficError, match="s3://elsewhere"):
        rollout.once(Goal(Aim.ROLLED_BACK))


def test_a_percentage_that_was_cleared_is_refused():
    rollout = Rollout(KnativeWorld(service()))
    rollout.through(1)
    rollout.world.stored.patch({"spec": {"predictor": {"canaryTrafficPercent": None}}})
    with pytest.raises(TrafficError, match="cleared"):
        rollout.once(Goal(Aim.SHIFTED, 25))


def test_a_promotion_without_all_traffic_is_refused():
    rollout = Rollout(KnativeWorld(service()))
    rollout.through(1)
    with pytest.raises(TrafficError, match="does not have 100 %"):
        rollout.once(Goal(Aim.PROMOTED))


@pytest.mark.parametrize("status_lag", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("pause", [0, 1, 2, 3, 4, 5])
def test_a_share_that_is_withdrawn_at_once_loses_nothing(status_lag, pause):
    world = KnativeWorld(service(), status_lag=status_lag)
    rollout = Rollout(world)
    rollout.to(Goal(Aim.STAGED))
    rollout.once(Goal(Aim.SHIFTED, 25))
    world.tick(pause)
    rollout.to(Goal(Aim.ROLLED_BACK))
    world.tick(10)
    assert world.lost == 0
