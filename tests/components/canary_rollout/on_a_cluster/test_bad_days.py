"""Bad days of the cluster, of the component and of people: a stated outcome, and no answer lost."""

import time

import pytest

from tests.components.canary_rollout.on_a_cluster import outcomes

pytestmark = pytest.mark.slow
_NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def good(installation):
    """A challenger that is as good as the champion."""
    installation.storage.put("2")


def promoted(component, process):
    assert process.wait() == 0, component.said
    outcomes.is_promoted(component)
    assert outcomes.count_answers(component) == {}


@pytest.mark.usefixtures("good")
@pytest.mark.parametrize(("phase", "step"), [("shifting", 1), ("baking", 1)])
def test_the_api_server_away_for_half_a_minute(component, phase, step):
    process = component.begin(bake=15)
    component.reaches(phase, step, process)
    component.wire.cut()
    time.sleep(30)
    assert not process.is_over
    component.wire.mend()
    promoted(component, process)
    assert "nothing is moved meanwhile" in component.said


@pytest.mark.usefixtures("good")
def test_killed_in_every_step(component):
    moments = [("staging", 0), ("baking", 0), ("shifting", 1), ("baking", 1), ("shifting", 2), ("baking", 2),
               ("promoting", 2)]  # fmt: skip
    process = component.begin()
    for phase, step in moments:
        component.reaches(phase, step, process)
        process.kill()
        component.forget_the_dead()
        process = component.begin("resume")
    # What was being measured when it was killed is measured again.
    promoted(component, process)


@pytest.mark.usefixtures("good")
def test_a_dead_process_is_followed_once_its_lease_has_run_out(component):
    process = component.begin()
    component.reaches("baking", 1, process)
    process.kill()
    promoted(component, component.begin("resume"))


def test_killed_while_it_takes_a_bad_one_back(installation, component):
    installation.storage.put("2", fault="version=7")
    process = component.begin()
    component.reaches("rolling_back", 0, process)
    process.kill()
    component.forget_the_dead()
    assert component.run("resume").code == 1
    outcomes.is_rolled_back(component, "answered by version 7, wanted 2")
    assert outcomes.count_answers(component) == {}


@pytest.mark.usefixtures("good")
def test_two_at_once(component):
    # Longer than it takes the second and the third to begin, and to see that the lease is renewed.
    process = component.begin(bake=20)
    component.reaches("baking", 0, process)
    second = component.run()
    assert second.code == 2
    assert "a rollout of version 2 is under way" in component.said
    third = component.run("resume")
    assert third.code == 2
    assert "is rolling out already" in component.said
    promoted(component, process)


@pytest.mark.usefixtures("good")
def test_a_person_edits_the_service(installation, component):
    process = component.begin(bake=15)
    component.reaches("baking", 1, process)
    before = installation.service()["spec"]["predictor"].get("timeout")
    installation.patch({"spec": {"predictor": {"timeout": 77}}})
    assert process.wait() == 3, component.said
    outcomes.is_held(component, "edit-1", "spec.predictor.timeout is set to 77")
    assert installation.service()["spec"]["predictor"]["timeout"] == 77
    installation.patch({"spec": {"predictor": {"timeout": before}}})
    assert component.run("approve").code == 0
    process = component.begin("resume")
    promoted(component, process)


@pytest.mark.usefixtures("good")
def test_a_person_aborts(installation, component):
    process = component.begin(bake=15)
    component.reaches("baking", 1, process)
    assert component.run("abort", reason="complaints").code == 0
    assert process.wait() == 1, component.said
    outcomes.is_rolled_back(component, "aborted: complaints")
    assert outcomes.count_answers(component) == {}


@pytest.mark.usefixtures("good")
def test_prometheus_away(component):
    process = component.run(prometheus=_NOBODY, inconclusives=1)
    assert process.code == 3, component.said
    outcomes.is_held(component, "measure-1", "Prometheus")
    assert outcomes.count_answers(component) == {}
    assert component.run("abort", reason="nobody can tell").code == 0
    assert component.run("resume", prometheus=_NOBODY).code == 1
    outcomes.is_rolled_back(component, "nobody can tell")
    assert outcomes.count_answers(component) == {}


@pytest.mark.usefixtures("good")
def test_no_traffic_at_all(installation, component):
    lost = outcomes.count_answers(component)
    installation.users.stop()
    process = component.run(inconclusives=1)
    assert process.code == 3, component.said
    outcomes.is_held(component, "measure-1", "nothing answered")
    assert lost == {}


def test_no_such_service(component):
    process = component.run(service="nobodys")
    assert process.code == 2
    assert "has no InferenceService nobodys" in component.said


def test_no_permission(installation, component):
    component.take_rights_away()
    process = component.run()
    assert process.code == 2
    assert "forbidden" in component.said
    assert installation.service()["spec"] == installation.before
