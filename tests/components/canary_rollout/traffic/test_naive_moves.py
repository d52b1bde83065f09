"""The simulated cluster of Standard mode loses what a real one loses to naive moves."""

from tests.components.canary_rollout.moves import TWO, entry, naive
from tests.components.canary_rollout.stand_in.standard_world import StandardWorld, service

TAKE_OVER = {"spec": {"predictor": {"name": "v2", "model": {"storageUri": TWO.storage_uri}}, "canary": None}}


def test_a_canary_sized_by_the_minimum_is_overloaded():
    world = naive(StandardWorld(service(), load=6), entry(0), entry(50))
    assert world.crowded > 0


def test_a_naive_canary_takes_a_pod_off_stable():
    assert naive(StandardWorld(service()), entry(0), entry(10)).least_stable == 1


def test_a_naive_promotion_at_half_the_traffic_loses_requests():
    assert naive(StandardWorld(service()), entry(0), entry(50), TAKE_OVER).lost > 0


def test_a_naive_rollback_loses_requests():
    assert naive(StandardWorld(service()), entry(0), entry(50), {"spec": {"canary": None}}).lost > 0


def test_a_careful_promotion_by_hand_loses_none():
    assert naive(StandardWorld(service()), entry(0), entry(50), entry(100), TAKE_OVER).lost == 0


def test_pods_that_pod_security_refuses_do_not_start():
    given = service()
    del given["spec"]["predictor"]["storageContainerName"]
    assert StandardWorld(given).pods_of("v1") == 0
