"""A challenger that is no good goes back with its cause, and no user is lost over it."""

import pytest

from tests.components.canary_rollout.on_a_cluster import outcomes

pytestmark = pytest.mark.slow


def taken_back(component, *causes, **given):
    # What fails does so at once, and may take its time to be seen.
    process = component.run(**({"bake": 120} | given))
    assert process.code == 1, component.said
    outcomes.is_rolled_back(component, *causes)
    assert outcomes.count_answers(component) == {}


def nobody_notices_any_more(installation):
    end = installation.now()
    installation.wait(lambda: installation.users.versions(end)["1"] > 1_000, "users go on", 60)
    assert installation.users.lost(end) == {}


def test_that_crashes_at_load_and_is_refused_next_time(installation, component):
    installation.storage.put("2")
    installation.storage.tear("2")
    taken_back(component, "the challenger does not start", "kserve-container", "exit code 2", "error: ")
    assert installation.users.versions().keys() == {"1"}
    again = component.run()
    assert again.code == 2
    assert "version 2 was rejected" in component.said


def test_whose_address_does_not_exist(installation, component):
    taken_back(component, "storage-initializer", "exit code 1", "No model found in s3://models/content-filter/2/")
    assert installation.users.versions().keys() == {"1"}


def test_that_is_ready_but_answers_5xx(installation, component):
    installation.storage.put("2", fault="failing")
    taken_back(component, "probes were answered with 5xx")
    assert installation.users.versions().keys() == {"1"}


def test_that_is_slow(installation, component):
    installation.storage.put("2", fault="slow=0.3")
    taken_back(component, "p95, bound", bake=60, limits={"p95_seconds": 0.25})


def test_that_answers_with_the_wrong_version(installation, component):
    installation.storage.put("2", fault="version=7")
    taken_back(component, "answered by version 7, wanted 2")
    assert installation.users.versions().keys() == {"1"}


@pytest.mark.parametrize("champion", [{"bias": -0.3}])
def test_that_lets_more_attacks_past(installation, component):
    installation.storage.put("2")
    taken_back(component, "evasion, champion", limits={"evasion_margin": 0.05})
    assert installation.users.versions().keys() == {"1"}


def test_that_flags_more_harmless_text(installation, component):
    installation.storage.put("2", bias=2.0)
    taken_back(component, "benign flagged, champion")
    assert installation.users.versions().keys() == {"1"}


def test_that_begins_to_die_while_it_has_half_of_the_users(installation, component):
    """Users of a pod that dies are lost, as with any pod; it is taken back at once, and then nobody notices."""
    installation.storage.put("2")
    process = component.begin(bake=60)
    component.reaches("baking", 1, process)
    installation.storage.tear("2")
    installation.kill_pods("2")
    assert process.wait() == 1, component.said
    outcomes.is_rolled_back(component, "the challenger stopped", "exit code 2")
    assert set(outcomes.count_answers(component)) <= {503}
    nobody_notices_any_more(installation)


def test_that_answers_5xx_from_when_it_has_half_of_the_users_on(installation, component, tmp_path):
    """Its own users meet that until their share is taken back, and nobody afterwards."""
    turn = tmp_path / "turn"
    installation.storage.put("2", fault=f"failing-once={turn}")
    process = component.begin(bake=120)
    component.reaches("baking", 1, process)
    installation.wait(lambda: installation.users.versions()["2"] > 100, "users have met it", 60)
    turn.touch()
    assert process.wait() == 1, component.said
    outcomes.is_rolled_back(component, "errors, ")
    assert set(outcomes.count_answers(component)) == {500}
    nobody_notices_any_more(installation)
