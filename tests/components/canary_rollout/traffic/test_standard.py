"""Moves in Standard mode, in a simulated cluster that counts lost requests."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.canary_rollout.traffic.mode import Aim, Done, Goal, Wait
from tests.components.canary_rollout.moves import NEXT, SETTLE, STEPS, TWO, Rollout
from tests.components.canary_rollout.stand_in.standard_world import StandardWorld, service


def promoted(world):
    spec = world.stored.value["spec"]
    return spec["predictor"]["name"], spec["predictor"]["model"]["storageUri"], spec.get("canary")


@pytest.mark.parametrize("min_replicas", [1, 2, 5])
def test_a_promotion_loses_nothing_and_takes_nothing_from_stable(min_replicas):
    given = service(min_replicas)
    world = StandardWorld(given)
    rollout = Rollout(world)
    rollout.through(*STEPS)
    assert world.least_stable == min_replicas
    assert world.pods_of("v2") == min_replicas
    rollout.to(Goal(Aim.PROMOTED))
    world.tick(20)
    assert promoted(world) == ("v2", TWO.storage_uri, None)
    assert world.lost == 0
    after = world.stored.value["spec"]["predictor"]
    assert (after["minReplicas"], after["maxReplicas"]) == (min_replicas, 6)
    assert after["model"]["env"] == [
        {"name": "OTHER", "value": "kept"},
        {"name": "CONTENT_ARENA_MODEL_VERSION", "value": "2"},
    ]
    assert world.pods_of("v2") == min_replicas


@pytest.mark.parametrize("percents", [(), (1,), (1, 25, 50), STEPS], ids=str)
def test_a_rollback_restores_everything(percents):
    given = service()
    world = StandardWorld(given)
    rollout = Rollout(world)
    rollout.through(*percents)
    rollout.to(Goal(Aim.ROLLED_BACK))
    world.tick(20)
    assert world.stored.value["spec"] == given["spec"]
    assert (world.lost, world.least_stable, world.pods_of("v1")) == (0, 2, 2)


@pytest.mark.parametrize("load", [3, 4, 6])
def test_a_challengers_pods_are_enough_for_its_share_under_an_autoscaler(load):
    given = service(min_replicas=2)
    world = StandardWorld(given, load=load)
    world.tick(10)
    rollout = Rollout(world)
    rollout.through(*STEPS)
    assert world.pods_of("v2") == load
    rollout.to(Goal(Aim.PROMOTED))
    world.tick(600)
    after = world.stored.value["spec"]["predictor"]
    assert (after["minReplicas"], after["maxReplicas"]) == (2, 6)
    assert (world.lost, world.crowded, world.pods_of("v2")) == (0, 0, load)


@pytest.mark.parametrize("percents", [(1, 25, 50), STEPS], ids=str)
def test_a_rollback_overloads_no_pod_under_an_autoscaler(percents):
    """Even if stable had so little traffic for so long that its autoscaler would have removed pods."""
    given = service(min_replicas=2)
    world = StandardWorld(given, load=5)
    world.tick(10)
    rollout = Rollout(world)
    rollout.through(*percents)
    world.tick(600)
    rollout.to(Goal(Aim.ROLLED_BACK))
    assert world.stored.value["spec"] == given["spec"]
    world.tick(600)
    assert (world.lost, world.crowded, world.pods_of("v1")) == (0, 0, 5)


def test_no_user_gets_a_staged_challenger():
    world = StandardWorld(service())
    rollout = Rollout(world)
    rollout.through()
    world.tick(50)
    assert world.met.get("filter-v2-predictor", 0) == 0
    assert world.pods_of("v2") == 1


def test_a_challenger_that_never_gets_ready_takes_no_pod_and_no_traffic():
    world = StandardWorld(service(), broken=[TWO.storage_uri])
    rollout = Rollout(world)
    for _ in range(50):
        assert not isinstance(rollout.once(Goal(Aim.STAGED)), Done)
    rollout.to(Goal(Aim.ROLLED_BACK))
    assert world.stored.value["spec"] == service()["spec"]
    assert (world.lost, world.least_stable) == (0, 2)


def test_a_name_is_taken_again_once_the_status_no_longer_lists_it():
    """Until then the status tells of the canary that had the name before, and the guard refuses another."""
    rollout = Rollout(StandardWorld(service(min_replicas=2)))
    rollout.once(Goal(Aim.STAGED))
    for _ in range(50):
        view = rollout.mover.read()
        view.service["status"]["canaryStatuses"] = [{"name": "v2", "ready": True, "trafficPercent": 100}]
        step = rollout.mover.mode.next_step(view, Goal(Aim.STAGED), rollout.stable, TWO)
        rollout.world.tick()
    assert step == Wait("status.canaryStatuses still lists an earlier v2")
    rollout.to(Goal(Aim.STAGED))


lags = st.fixed_dictionaries(
    {"start": st.integers(0, 6), "route_lag": st.integers(0, 4), "gateway_lag": st.integers(0, SETTLE - 1)}
)
challengers = st.sampled_from([TWO, NEXT])
#: For each step: a pause in seconds, and whether the process is killed.
seconds = st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60)


@settings(max_examples=60)
@given(lags, seconds, st.integers(1, 4), st.sampled_from([1, 25, 50, 100]), challengers)
def test_nothing_is_lost_however_slow_the_cluster_and_often_killed(lag, days, min_replicas, last, challenger):
    """On the way up and on the way back."""
    given_service = service(min_replicas)
    world = StandardWorld(given_service, **lag)
    rollout = Rollout(world, challenger)
    goals = iter([Goal(Aim.STAGED), *(Goal(Aim.SHIFTED, step) for step in STEPS if step <= last)])
    goal = next(goals)
    for pause, is_killed in days:
        if isinstance(rollout.once(goal), Done):
            goal = next(goals, goal)
        world.tick(pause)
        if is_killed:
            rollout.kill()
    rollout.to(Goal(Aim.ROLLED_BACK))
    assert world.stored.value["spec"] == given_service["spec"]
    assert (world.lost, world.least_stable) == (0, min_replicas)


@pytest.mark.parametrize("route_lag", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("pause", [0, 1, 2, 3, 4, 5])
def test_a_share_that_is_withdrawn_at_once_loses_nothing(route_lag, pause):
    """The share has not reached the route yet when its pods are about to be removed."""
    world = StandardWorld(service(2), route_lag=route_lag)
    rollout = Rollout(world)
    rollout.to(Goal(Aim.STAGED))
    rollout.once(Goal(Aim.SHIFTED, 25))
    world.tick(pause)
    rollout.to(Goal(Aim.ROLLED_BACK))
    world.tick(10)
    assert (world.lost, world.least_stable) == (0, 2)


@settings(max_examples=30)
@given(lags, seconds, challengers)
def test_a_promotion_that_is_killed_is_finished_by_the_next(lag, days, challenger):
    world = StandardWorld(service(), **lag)
    rollout = Rollout(world, challenger)
    rollout.through(*STEPS)
    for pause, is_killed in days:
        rollout.once(Goal(Aim.PROMOTED))
        world.tick(pause)
        if is_killed:
            rollout.kill()
    rollout.to(Goal(Aim.PROMOTED))
    assert world.stored.value["spec"]["predictor"]["model"]["runtime"] == (challenger.runtime or "content-arena")
    assert promoted(world) == ("v2", TWO.storage_uri, None)
    assert world.lost == 0


def test_autoscalers_are_left_behind():
    world = StandardWorld(service())
    rollout = Rollout(world)
    rollout.through(*STEPS)
    rollout.to(Goal(Aim.PROMOTED))
    assert world.hpas == {"filter-v1-predictor", "filter-v2-predictor"}
