"""A bad challenger is rolled back with its cause, and no request is lost. One that can not start is withdrawn."""

import pytest

from tests.components.canary_rollout.on_a_cluster import outcomes

pytestmark = pytest.mark.slow


def rolled_back(cli, *causes, **given):
    # A long bake, so that a failure is found within it.
    process = cli.run(**({"bake": 120} | given))
    assert process.code == 1, cli.output
    outcomes.is_rolled_back(cli, *causes)
    assert outcomes.count_answers(cli) == {}


def no_request_fails_any_more(installation):
    end = installation.now()
    installation.wait(lambda: installation.users.versions(end)["1"] > 1_000, "users go on", 60)
    assert installation.users.lost(end) == {}


def test_that_crashes_at_load_and_is_refused_next_time(installation, cli):
    installation.storage.put("2")
    installation.storage.tear("2")
    rolled_back(cli, "the challenger does not start", "kserve-container", "exit code 2", "error: ")
    assert installation.users.versions().keys() == {"1"}
    again = cli.run()
    assert again.code == 2
    assert "version 2 was rejected" in cli.output


def test_whose_address_does_not_exist(installation, cli):
    process = cli.run()
    assert process.code == 1, cli.output
    outcomes.is_withdrawn(cli, "storage-initializer", "exit code 1", "No model found in s3://models/content-filter/2/")
    assert outcomes.count_answers(cli) == {}
    assert installation.users.versions().keys() == {"1"}


def test_that_is_ready_but_answers_5xx(installation, cli):
    installation.storage.put("2", fault="failing")
    rolled_back(cli, "probes were answered with 5xx")
    assert installation.users.versions().keys() == {"1"}


def test_that_is_slow(installation, cli):
    installation.storage.put("2", fault="slow=0.3")
    rolled_back(cli, "p95, bound", bake=60, limits={"p95_seconds": 0.25})


def test_that_answers_with_the_wrong_version(installation, cli):
    installation.storage.put("2", fault="version=7")
    rolled_back(cli, "answered by version 7, wanted 2")
    assert installation.users.versions().keys() == {"1"}


@pytest.mark.parametrize("champion", [{"bias": -0.3}])
def test_that_lets_more_attacks_past(installation, cli):
    installation.storage.put("2")
    rolled_back(cli, "evasion, champion", limits={"evasion_margin": 0.05})
    assert installation.users.versions().keys() == {"1"}


def test_that_flags_more_harmless_text(installation, cli):
    installation.storage.put("2", bias=2.0)
    rolled_back(cli, "benign flagged, champion")
    assert installation.users.versions().keys() == {"1"}


def test_that_is_killed_while_it_has_half_of_the_traffic(installation, cli):
    """Requests to a pod that is killed are lost, as with any pod. After the rollback no request fails."""
    installation.storage.put("2")
    process = cli.begin(bake=60)
    cli.wait_for_phase("baking", 1, process)
    installation.storage.tear("2")
    installation.kill_pods("2")
    assert process.wait() == 1, cli.output
    outcomes.is_rolled_back(cli, "the challenger stopped", "exit code 2")
    assert set(outcomes.count_answers(cli)) <= {503}
    no_request_fails_any_more(installation)


def test_that_starts_to_answer_5xx_while_it_has_half_of_the_traffic(installation, cli, tmp_path):
    """Requests to the challenger fail until its share is withdrawn, and none afterwards."""
    switch = tmp_path / "switch"
    installation.storage.put("2", fault=f"failing-once={switch}")
    process = cli.begin(bake=120)
    cli.wait_for_phase("baking", 1, process)
    installation.wait(lambda: installation.users.versions()["2"] > 100, "users get its answers", 60)
    switch.touch()
    assert process.wait() == 1, cli.output
    outcomes.is_rolled_back(cli, "errors, ")
    assert set(outcomes.count_answers(cli)) == {500}
    no_request_fails_any_more(installation)
