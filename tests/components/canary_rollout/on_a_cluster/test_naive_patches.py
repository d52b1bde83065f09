"""Naive patches lose requests with the simulated controllers exactly where they do with the real ones."""

import time

import pytest

from tests.components.canary_rollout.on_a_cluster.api import RefusedError
from tests.components.canary_rollout.on_a_cluster.storage import uri

pytestmark = pytest.mark.slow


def canary(percent, **more):
    model = {"name": "kserve-container", "modelFormat": {"name": "content-arena"}, "storageUri": uri("2")}
    model["env"] = [{"name": "CONTENT_ARENA_MODEL_VERSION", "value": "2"}]
    predictor = {"name": "v2", "minReplicas": 1, "model": model} | more
    return {"spec": {"canary": [{"trafficPercent": percent, "predictor": predictor}]}}


def promotion():
    model = {"storageUri": uri("2"), "env": [{"name": "CONTENT_ARENA_MODEL_VERSION", "value": "2"}]}
    return {"spec": {"predictor": {"name": "v2", "model": model}, "canary": None}}


@pytest.fixture
def at_half(installation):
    """Version 2 has half of the traffic, by a naive patch."""
    installation.storage.put("2")
    installation.patch(canary(50))
    installation.wait(lambda: installation.weights() == {"v1": 50, "v2": 50}, "the route says 50/50")
    installation.wait(lambda: installation.users.versions(time.monotonic() - 1).keys() == {"1", "2"}, "both serve")
    return installation


def lost_after(installation, patch, seconds=14):
    begin = time.monotonic()
    installation.patch(patch)
    time.sleep(seconds)
    print(f"answers: {dict(installation.users.statuses(begin))}")
    return installation.users.lost(begin)


@pytest.mark.parametrize("mode", ["Standard"], indirect=True)
class TestStandard:
    def test_promoting_in_one_patch_at_half_loses_requests(self, at_half):
        lost = lost_after(at_half, promotion())
        assert lost.get(500, 0) > 0
        assert set(lost) == {500}
        assert at_half.users.versions(time.monotonic() - 1).keys() == {"2"}

    def test_clearing_the_canary_at_half_loses_requests_for_seconds(self, at_half):
        lost = lost_after(at_half, {"spec": {"canary": None}})
        assert lost.get(500, 0) > 0
        assert lost.get(503, 0) > lost[500]
        assert at_half.users.versions(time.monotonic() - 1).keys() == {"1"}

    def test_a_canary_takes_its_pods_off_stable(self, at_half):
        at_half.wait(lambda: at_half.ready_pods("1") == 1, "stable has lost a pod")
        at_half.patch(canary(0))
        at_half.wait(lambda: at_half.weights() == {"v1": 100, "v2": 0}, "the share is 0")
        time.sleep(3)
        assert at_half.ready_pods("1") == 1
        assert at_half.users.lost() == {}

    def test_the_share_first_loses_nothing(self, at_half):
        assert lost_after(at_half, canary(0), seconds=6) == {}
        assert lost_after(at_half, {"spec": {"canary": None}}) == {}
        at_half.wait(lambda: at_half.ready_pods("1") == 2, "stable has its pods back")
        assert at_half.users.lost() == {}

    def test_what_the_webhook_refuses_is_refused(self, installation):
        entries = lambda *canaries: {"spec": {"canary": [each["spec"]["canary"][0] for each in canaries]}}  # noqa: E731
        for patch, message in (
            (canary(10, maxReplicas=3), "replicas are fixed"),
            (canary(10, minReplicas=3), "must not exceed"),
            (canary(10, name="v1"), "stable predictor's name"),
            (entries(canary(60), canary(60, name="v3")), "sum"),
            (entries(canary(10), canary(10)), "unique"),
        ):
            with pytest.raises(RefusedError, match=message):
                installation.patch(patch)


@pytest.mark.parametrize("mode", ["Knative"], indirect=True)
class TestKnative:
    def test_a_canary_is_refused(self, installation):
        with pytest.raises(RefusedError, match="Standard deployment mode only"):
            installation.patch(canary(10))

    def test_the_share_of_a_canary_that_crashes_is_stables(self, installation):
        installation.storage.put("2")
        installation.storage.tear("2")
        installation.patch(challenged(20))
        installation.wait(
            lambda: "lastFailureInfo" in installation.service()["status"]["modelStatus"], "it is reported"
        )
        serving = installation.service()["status"]["components"]["predictor"]
        assert {entry["revisionName"]: entry["percent"] for entry in serving["traffic"]}.keys() == {
            serving["latestReadyRevision"]
        }
        assert [entry["percent"] for entry in serving["traffic"]] == [20, 80]
        assert serving["latestCreatedRevision"] != serving["latestReadyRevision"]
        assert installation.users.versions().keys() == {"1"}

    def test_clearing_the_percentage_after_a_rollback_promotes_the_rejected(self, installation):
        installation.storage.put("2")
        installation.patch(challenged(50))
        installation.wait(lambda: installation.users.versions(time.monotonic() - 1).keys() == {"1", "2"}, "both")
        installation.patch({"spec": {"predictor": {"canaryTrafficPercent": 0}}})
        installation.wait(lambda: installation.users.versions(time.monotonic() - 1).keys() == {"1"}, "back")
        installation.patch({"spec": {"predictor": {"canaryTrafficPercent": None}}})
        installation.wait(lambda: installation.users.versions(time.monotonic() - 1).keys() == {"2"}, "the rejected")
        assert installation.users.lost() == {}


def challenged(percent):
    model = {"storageUri": uri("2"), "env": [{"name": "CONTENT_ARENA_MODEL_VERSION", "value": "2"}]}
    return {"spec": {"predictor": {"canaryTrafficPercent": percent, "model": model}}}
