"""A route stands still while pods are missing, and a rollback gets through all the same."""

import pytest

from content_arena.components.canary_rollout.traffic.mode import Aim, Goal
from content_arena.components.canary_rollout.traffic.routes import weights
from tests.components.canary_rollout.moves import STEPS, TWO, Rollout, entry, naive
from tests.components.canary_rollout.stand_in.standard_world import StandardWorld, service


def strategy(world):
    return world.stored.value["spec"]["predictor"].get("deploymentStrategy")


@pytest.mark.parametrize("pods", [1, 2, 3, 4])
def test_one_pod_may_be_missing_from_two_on(pods):
    given = service(pods)
    given["spec"]["predictor"]["deploymentStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}
    world = StandardWorld(given)
    rollout = Rollout(world)
    rollout.through(25)
    slack = 1 if 1 < pods < 4 else None
    assert strategy(world)["rollingUpdate"] == {"maxSurge": 1} | ({"maxUnavailable": slack} if slack else {})
    caveats = rollout.mover.mode.caveats(rollout.mover.read(), rollout.stable)
    assert ["two pods or more" in line for line in caveats] == [True] * (pods == 1)
    canary = world.stored.value["spec"]["canary"][0]["predictor"]
    assert canary["deploymentStrategy"]["rollingUpdate"]["maxUnavailable"] == 0, "one without pods is not ready"
    rollout.to(Goal(Aim.ROLLED_BACK))
    assert world.stored.value["spec"] == given["spec"]
    assert world.lost == 0


@pytest.mark.parametrize("pods", [1, 2, 3, 4])
@pytest.mark.parametrize("given", [None, {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}])
def test_stables_own_strategy_is_back_after_a_promotion(pods, given):
    body = service(pods)
    if given:
        body["spec"]["predictor"]["deploymentStrategy"] = given
    world = StandardWorld(body)
    rollout = Rollout(world)
    rollout.through(*STEPS)
    rollout.to(Goal(Aim.PROMOTED))
    assert strategy(world) == given
    assert {name: len(made) for name, made in world.templates.items()} == {
        "filter-v1-predictor": 1, "filter-v2-predictor": 1,
    }  # fmt: skip


@pytest.mark.parametrize("pods", [1, 2, 3, 4])
@pytest.mark.parametrize("missing", [1, 2, 3])
@pytest.mark.parametrize("percent", [25, 100])
def test_a_rollback_reaches_the_route_though_stables_pods_are_missing(pods, missing, percent):
    """The node is full: pods that are gone do not come back until there is room again."""
    world = StandardWorld(service(pods))
    rollout = Rollout(world)
    rollout.through(*(step for step in STEPS if step <= percent))
    missing = min(missing, world.pods_of("v1") - 1)
    world.room = world.pods_of("v1") + world.pods_of("v2") - missing
    world.stop_pods("v1", missing)
    world.tick(5)
    began = world.now
    while rollout.shares().challenger:
        rollout.once(Goal(Aim.ROLLED_BACK))
        assert world.now - began < 30, rollout.mover.mode.caveats(rollout.mover.read(), rollout.stable)
    world.room = 1_000
    rollout.to(Goal(Aim.ROLLED_BACK))
    world.tick(30)
    assert (world.stored.value["spec"], world.lost) == (service(pods)["spec"], 0)
    assert world.pods_of("v1") == pods


@pytest.mark.parametrize("pods", [1, 2, 3, 4])
def test_a_challenger_that_crashes_with_all_traffic_is_withdrawn_on_a_full_node(pods):
    """Its pods are no longer taken off stable's, so that stable is asked for pods that do not fit."""
    world = StandardWorld(service(pods))
    rollout = Rollout(world)
    rollout.through(*STEPS)
    world.room = world.pods_of("v1") + world.pods_of("v2")
    world._broken.add(TWO.storage_uri)
    began = world.now
    while rollout.shares().challenger:
        rollout.once(Goal(Aim.ROLLED_BACK))
        assert world.now - began < 30
    assert world.pods_of("v1") >= 1
    rollout.to(Goal(Aim.ROLLED_BACK))
    assert world.stored.value["spec"] == service(pods)["spec"]


def test_a_route_that_stands_still_is_named():
    world = StandardWorld(service(1))
    rollout = Rollout(world)
    rollout.through(25)
    world.room = 1
    world.stop_pods("v1")
    world.tick(3)
    wanted = rollout.mover.waiting_for(rollout.mover.read(), Goal(Aim.SHIFTED, 50), rollout.stable, TWO)
    view = rollout.mover.read()
    assert "PredictorReady is False (MinimumReplicasUnavailable)" in rollout.mover.mode.caveats(view, rollout.stable)[0]
    assert wanted is not None
    assert wanted.unfollowed == 0


def test_the_real_route_stands_still_under_naive_patches():
    given = service(2)
    given["spec"]["predictor"]["deploymentStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}
    world = naive(StandardWorld(given), entry(0), entry(25))
    world.room = 1
    world.stop_pods("v1")
    naive(world, entry(0))
    assert weights(world.route("filter")) == {"filter-v1-predictor": 75, "filter-v2-predictor": 25}
