"""What a process that only watches reads: the service's conditions, the record, and who renewed the Lease when."""

from datetime import UTC, datetime

import pytest

from content_arena.components.canary_rollout.controller.observed import Observed, RolloutWatcher
from content_arena.components.canary_rollout.controller.options import ServiceRef
from content_arena.components.canary_rollout.controller.record import RecordStore
from content_arena.components.canary_rollout.kube.client import AwayError
from content_arena.components.canary_rollout.kube.lease import Lease
from content_arena.components.canary_rollout.plan.state import Phase
from content_arena.components.shared.errors import InputError
from tests.components.canary_rollout.rollouts import at
from tests.components.canary_rollout.stand_in.api_server import ApiServer
from tests.components.canary_rollout.stand_in.standard_world import StandardWorld, service


class OnlyThree:
    """The three reads that the Role of the exporter allows; anything else is an error."""

    def __init__(self, api):
        self.service, self.config_map, self.lease = api.service, api.config_map, api.lease


@pytest.fixture
def api():
    return ApiServer(StandardWorld(service()))


@pytest.fixture
def watcher(api):
    return RolloutWatcher(ServiceRef("filter", "arena"), OnlyThree(api))


def record(api, state):
    store = RecordStore(api, "filter")
    store.write(store.read(api.service("filter")), state)


def test_a_service_without_a_rollout(watcher):
    found = watcher.read()
    assert (found.exists, found.state, found.renewed_at) == (True, None, None)
    assert found.conditions["PredictorReady"] == "True"


def test_before_the_first_champion_there_is_no_service(watcher, api):
    def missing(name):
        raise InputError(f"namespace arena has no InferenceService {name}")

    watcher._client.service = missing
    assert watcher.read() == Observed("filter")


def test_the_lease_of_a_rollout_under_way_and_after_its_process_has_let_go(watcher, api):
    record(api, at(Phase.BAKING, step=1))
    lease = Lease(api, "filter")
    before = datetime.now(UTC).timestamp()
    lease.acquire()
    found = watcher.read()
    assert found.state == at(Phase.BAKING, step=1)
    assert before - 1 <= found.renewed_at <= datetime.now(UTC).timestamp()
    lease.release()
    assert watcher.read().renewed_at is None


def test_an_api_server_that_is_away_is_an_error_and_no_empty_answer(watcher, api):
    api.away_until = 10
    with pytest.raises(AwayError):
        watcher.read()
