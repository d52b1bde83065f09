"""Moves in Standard mode, in a simulated cluster that counts lost requests."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.canary_rollout.kube.client import ClusterError, ConflictError
from content_arena.components.canary_rollout.traffic.mode import Aim, Done, Goal, Patch, TrafficError, View, Wait
from content_arena.components.canary_rollout.traffic.mover import fingerprint
from content_arena.components.canary_rollout.traffic.routes import weights
from content_arena.components.canary_rollout.traffic.standard import Standard
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


def test_a_canary_sized_by_the_minimum_is_overloaded():
    world = naive(StandardWorld(service(), load=6), entry(0), entry(50))
    assert world.crowded > 0


def test_a_route_that_names_another_service_is_refused():
    world = StandardWorld(service())
    view = View(world.service("filter"), world.route("filter"), world.ready_pods("filter"))
    view.route["spec"]["rules"][0]["backendRefs"].append({"name": "filter-v0-predictor", "weight": 5})
    with pytest.raises(TrafficError, match="filter-v0-predictor"):
        Standard().stable(view)


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


# The simulated cluster loses what a real one loses to naive moves.


def naive(world, *patches):
    for body in patches:
        world.stored.patch(body)
        world.tick(20)
    return world


def entry(percent):
    model = {"name": "kserve-container", "storageUri": TWO.storage_uri}
    return {"spec": {"canary": [{"trafficPercent": percent, "predictor": {"name": "v2", "model": model}}]}}


TAKE_OVER = {"spec": {"predictor": {"name": "v2", "model": {"storageUri": TWO.storage_uri}}, "canary": None}}


def test_a_naive_canary_takes_a_pod_off_stable():
    assert naive(StandardWorld(service()), entry(0), entry(10)).least_stable == 1


def test_a_naive_promotion_at_half_the_traffic_loses_requests():
    assert naive(StandardWorld(service()), entry(0), entry(50), TAKE_OVER).lost > 0


def test_a_naive_rollback_loses_requests():
    assert naive(StandardWorld(service()), entry(0), entry(50), {"spec": {"canary": None}}).lost > 0


def test_a_careful_promotion_by_hand_loses_none():
    assert naive(StandardWorld(service()), entry(0), entry(50), entry(100), TAKE_OVER).lost == 0


# States that the rollout leaves alone.


def test_no_route_is_refused_with_what_to_enable():
    world = StandardWorld(service())
    with pytest.raises(TrafficError, match="enableGatewayApi"):
        Standard().stable(View(world.service("filter"), None))


@pytest.mark.parametrize("part", ["transformer", "explainer"])
def test_a_service_whose_route_names_something_else_is_refused(part):
    world = StandardWorld(service())
    world.stored.patch({"spec": {part: {"containers": []}}})
    with pytest.raises(TrafficError, match=f"has a {part}"):
        Rollout(world)


def test_a_canary_of_another_writer_is_refused():
    world = naive(StandardWorld(service()), entry(10))
    with pytest.raises(TrafficError, match=r"a canary of no rollout \(v2\)"):
        Rollout(world)


def test_a_promotion_without_all_traffic_is_refused():
    rollout = Rollout(StandardWorld(service()))
    rollout.through(50)
    with pytest.raises(TrafficError, match="does not have 100 %"):
        rollout.once(Goal(Aim.PROMOTED))


def test_a_stable_that_became_another_is_refused():
    world = StandardWorld(service())
    rollout = Rollout(world)
    world.stored.patch({"spec": {"predictor": {"model": {"storageUri": "s3://elsewhere"}}}})
    with pytest.raises(TrafficError, match="s3://elsewhere"):
        rollout.once(Goal(Aim.STAGED))


def test_a_canary_that_became_another_is_refused():
    rollout = Rollout(StandardWorld(service()))
    rollout.through()
    other = entry(0)
    other["spec"]["canary"][0]["predictor"]["model"]["storageUri"] = "s3://elsewhere"
    rollout.world.stored.patch(other)
    with pytest.raises(TrafficError, match="s3://elsewhere"):
        rollout.once(Goal(Aim.SHIFTED, 1))


def test_a_deleted_canary_is_not_created_again_with_a_share():
    rollout = Rollout(StandardWorld(service()))
    rollout.through()
    rollout.world.stored.patch({"spec": {"canary": None}})
    with pytest.raises(TrafficError, match="was removed"):
        rollout.once(Goal(Aim.SHIFTED, 1))


def test_traffic_is_not_sent_back_to_a_stable_without_pods():
    rollout = Rollout(StandardWorld(service()))
    rollout.through(50)
    mover = rollout.mover
    view = mover.read()
    without = View(view.service, view.route, {"filter-v2-predictor": 1}, True)
    assert "no ready pod" in mover.mode.next_step(without, Goal(Aim.ROLLED_BACK), rollout.stable, TWO).why


def test_a_route_that_is_not_accepted_has_no_weights():
    route = StandardWorld(service()).route("filter")
    assert weights(route) == {"filter-v1-predictor": 100}
    route["metadata"]["generation"] += 1
    assert weights(route) is None
    route["status"]["parents"] = []
    assert weights(route) is None
    assert weights(None) is None


# How patches are written.


def test_a_patch_is_announced_with_the_fingerprint_that_it_leads_to():
    world = StandardWorld(service())
    rollout = Rollout(world)
    before, announced = rollout.mover.read(), []
    step = rollout.mover.step(before, Goal(Aim.STAGED), rollout.stable, TWO, announced.append)
    assert isinstance(step, Patch)
    (made,) = announced
    assert (made.patch, made.fingerprint) == (step, fingerprint(world.service("filter")))
    assert made.version == before.service["metadata"]["resourceVersion"]


def test_a_patch_whose_announcement_fails_is_not_written():
    world = StandardWorld(service())
    rollout = Rollout(world)
    before = rollout.mover.read()

    def fails(announcement):
        raise ConflictError("the record was written")

    with pytest.raises(ConflictError):
        rollout.mover.step(before, Goal(Aim.STAGED), rollout.stable, TWO, fails)
    assert world.service("filter") == before.service


def test_a_conflict_with_a_status_is_tried_again():
    world = StandardWorld(service())
    rollout = Rollout(world)
    view = rollout.mover.read()
    world.stored.patch({"status": {"url": "http://changed"}})
    assert isinstance(rollout.mover.step(view, Goal(Aim.STAGED), rollout.stable, TWO), Patch)


def test_a_conflict_with_an_edit_of_the_spec_is_not():
    world = StandardWorld(service())
    rollout = Rollout(world)
    view = rollout.mover.read()
    world.stored.patch({"spec": {"predictor": {"minReplicas": 4}}})
    assert "written by others" in rollout.mover.step(view, Goal(Aim.STAGED), rollout.stable, TWO).why
    assert world.stored.value["spec"]["predictor"]["minReplicas"] == 4


# A route that stands still while PredictorReady is False.


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


def test_pods_that_pod_security_refuses_do_not_start():
    given = service()
    del given["spec"]["predictor"]["storageContainerName"]
    assert StandardWorld(given).pods_of("v1") == 0


def test_autoscalers_are_left_behind():
    world = StandardWorld(service())
    rollout = Rollout(world)
    rollout.through(*STEPS)
    rollout.to(Goal(Aim.PROMOTED))
    assert world.hpas == {"filter-v1-predictor", "filter-v2-predictor"}


# KServe does not store what it does not know.


def test_a_dry_run_that_lacks_what_was_sent_is_an_error():
    world = StandardWorld(service())
    rollout = Rollout(world)
    rollout.once(Goal(Aim.STAGED))
    world.tick(10)
    patch_service = world.patch_service

    def prunes(name, body, version, *, dry_run=False):
        return patch_service(name, {"spec": {"predictor": body["spec"].get("predictor")}}, version, dry_run=dry_run)

    world.patch_service = prunes
    with pytest.raises(ClusterError, match=r"would not store spec\.canary of InferenceService filter"):
        rollout.once(Goal(Aim.STAGED))
