"""States of a service and its route that a rollout in Standard mode leaves alone."""

import pytest

from content_arena.components.canary_rollout.traffic.mode import Aim, Goal, TrafficError, View
from content_arena.components.canary_rollout.traffic.routes import weights
from content_arena.components.canary_rollout.traffic.standard import Standard
from tests.components.canary_rollout.moves import TWO, Rollout, entry, naive
from tests.components.canary_rollout.stand_in.standard_world import StandardWorld, service


def test_a_route_that_names_another_service_is_refused():
    world = StandardWorld(service())
    view = View(world.service("filter"), world.route("filter"), world.ready_pods("filter"))
    view.route["spec"]["rules"][0]["backendRefs"].append({"name": "filter-v0-predictor", "weight": 5})
    with pytest.raises(TrafficError, match="filter-v0-predictor"):
        Standard().stable(view)


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
