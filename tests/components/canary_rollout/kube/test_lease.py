"""One process at a time: a live holder is not disturbed, and a dead one is replaced."""

import threading

import pytest

from content_arena.components.canary_rollout.kube.client import AwayError
from content_arena.components.canary_rollout.kube.lease import HeldError, Lease
from tests.components.canary_rollout.stand_in.api_server import ApiServer


class World:
    """A clock, and other processes that act while it runs."""

    def __init__(self):
        self.now, self.others = 0.0, []

    def sleep(self, seconds):
        self.now += seconds
        for other in self.others:
            other()


@pytest.fixture
def world():
    return World()


@pytest.fixture
def api(world):
    return ApiServer(world)


@pytest.fixture
def lease(world, api):
    return lambda holder: Lease(api, "filter", holder=holder, seconds=30, clock=lambda: world.now, sleep=world.sleep)


def holder_of(api):
    return api.leases["rollout-filter"]["spec"]["holderIdentity"]


def test_a_free_lease_is_taken(api, lease):
    lease("a").acquire()
    spec = api.leases["rollout-filter"]["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", 30, 0)


def test_a_live_holder_keeps_it_and_the_second_process_gets_its_name(world, api, lease):
    first = lease("a")
    first.acquire()
    world.others.append(lambda: world.now % 5 == 0 and first.renew())
    with pytest.raises(HeldError, match="a is rolling out already") as refused:
        lease("b").acquire()
    assert (refused.value.exit_code, holder_of(api)) == (2, "a")
    assert world.now <= 5, "refused within one renewal"


def test_a_dead_holders_lease_is_taken_once_it_has_expired(world, api, lease):
    lease("a").acquire()
    lease("b").acquire()
    assert holder_of(api) == "b"
    assert 30 < world.now < 35
    assert api.leases["rollout-filter"]["spec"]["leaseTransitions"] == 1


def test_a_released_lease_is_free_at_once(world, api, lease):
    first = lease("a")
    first.acquire()
    first.release()
    lease("b").acquire()
    assert (holder_of(api), world.now) == ("b", 0)


def test_a_process_that_lost_it_is_refused_before_its_next_write(world, lease):
    first = lease("a")
    first.acquire()
    world.now += 31
    lease("b").acquire()
    with pytest.raises(HeldError, match="b runs this rollout by now"):
        first.ensure()


def test_a_process_that_was_cut_off_goes_on_if_it_was_not_replaced(world, api, lease):
    first = lease("a")
    first.acquire()
    api.away_until = world.now + 60
    world.now += 40
    with pytest.raises(AwayError):
        first.ensure()
    world.now += 30
    first.ensure()
    assert holder_of(api) == "a"


def test_releasing_does_not_release_the_next_holders_lease(world, api, lease):
    first = lease("a")
    first.acquire()
    world.now += 31
    lease("b").acquire()
    first.release()
    assert holder_of(api) == "b"


def test_of_two_processes_at_the_same_moment_one_wins(world, api, lease):
    """The other process writes between this one's read and its write."""
    read = api.lease

    def slow(name):
        found = read(name)
        api.lease = read
        lease("a").acquire()
        return found

    api.lease = slow
    with pytest.raises(HeldError, match="just now"):
        lease("b").acquire()
    assert holder_of(api) == "a"


def test_it_is_renewed_in_the_background_and_released(api):
    class Now:
        now = 0.0

    api.world = Now()
    written, write = threading.Event(), api.write_lease
    count = []

    def counted(body):
        count.append(body)
        if len(count) >= 3:
            written.set()
        return write(body)

    api.write_lease = counted
    with Lease(api, "filter", holder="a", seconds=1):
        assert written.wait(30), "never renewed"
        assert holder_of(api) == "a"
    assert holder_of(api) == ""


def test_waiting_for_a_holder_is_logged(lease, caplog):
    lease("a").acquire()
    with caplog.at_level("INFO", logger="content_arena.rollout"):
        lease("b").acquire()
    assert caplog.messages == ["a holds the Lease rollout-filter: waiting to see whether it is renewed within 30 s"]
