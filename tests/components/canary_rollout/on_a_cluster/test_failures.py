"""Failures of the cluster and of the rollout's process, edits and aborts: the outcome, and no answer lost."""

import time

import pytest

from tests.components.canary_rollout.on_a_cluster import outcomes

pytestmark = pytest.mark.slow
_UNREACHABLE = "http://127.0.0.1:9"


@pytest.fixture
def good(installation):
    """A challenger that is as good as the champion."""
    installation.storage.put("2")


def promoted(cli, process):
    assert process.wait() == 0, cli.output
    outcomes.is_promoted(cli)
    assert outcomes.count_answers(cli) == {}


@pytest.mark.usefixtures("good")
@pytest.mark.parametrize(("phase", "step"), [("shifting", 1), ("baking", 1)])
def test_the_api_server_away_for_half_a_minute(cli, phase, step):
    process = cli.begin(bake=15)
    cli.wait_for_phase(phase, step, process)
    cli.api_proxy.cut()
    time.sleep(30)
    assert not process.is_over
    cli.api_proxy.restore()
    promoted(cli, process)
    assert "no traffic is moved meanwhile" in cli.output


@pytest.mark.usefixtures("good")
def test_killed_in_every_step(cli):
    moments = [("staging", 0), ("baking", 0), ("shifting", 1), ("baking", 1), ("shifting", 2), ("baking", 2),
               ("promoting", 2)]  # fmt: skip
    process = cli.begin()
    for phase, step in moments:
        cli.wait_for_phase(phase, step, process)
        process.kill()
        cli.delete_lease()
        process = cli.begin("resume")
    # A window in which the process was killed is measured again.
    promoted(cli, process)


@pytest.mark.usefixtures("good")
def test_a_resume_waits_until_the_lease_of_a_killed_process_has_expired(cli):
    process = cli.begin()
    cli.wait_for_phase("baking", 1, process)
    process.kill()
    promoted(cli, cli.begin("resume"))


def test_killed_during_a_rollback(installation, cli):
    installation.storage.put("2", fault="version=7")
    process = cli.begin()
    cli.wait_for_phase("rolling_back", 0, process)
    process.kill()
    cli.delete_lease()
    assert cli.run("resume").code == 1
    outcomes.is_rolled_back(cli, "answered by version 7, wanted 2")
    assert outcomes.count_answers(cli) == {}


@pytest.mark.usefixtures("good")
def test_two_at_once(cli):
    # A bake that is long enough for the others to start, and to see that the lease is renewed.
    process = cli.begin(bake=20)
    cli.wait_for_phase("baking", 0, process)
    second = cli.run()
    assert second.code == 2
    assert "a rollout of version 2 is under way" in cli.output
    third = cli.run("resume")
    assert third.code == 2
    assert "is rolling out already" in cli.output
    promoted(cli, process)


@pytest.mark.usefixtures("good")
def test_a_person_edits_the_service(installation, cli):
    process = cli.begin(bake=15)
    cli.wait_for_phase("baking", 1, process)
    before = installation.service()["spec"]["predictor"].get("timeout")
    installation.patch({"spec": {"predictor": {"timeout": 77}}})
    assert process.wait() == 3, cli.output
    outcomes.is_held(cli, "edit-1", "spec.predictor.timeout is set to 77")
    assert installation.service()["spec"]["predictor"]["timeout"] == 77
    installation.patch({"spec": {"predictor": {"timeout": before}}})
    assert cli.run("approve").code == 0
    process = cli.begin("resume")
    promoted(cli, process)


@pytest.mark.usefixtures("good")
def test_a_person_aborts(installation, cli):
    process = cli.begin(bake=15)
    cli.wait_for_phase("baking", 1, process)
    assert cli.run("abort", reason="complaints").code == 0
    assert process.wait() == 1, cli.output
    outcomes.is_withdrawn(cli, "aborted: complaints")
    assert outcomes.count_answers(cli) == {}


@pytest.mark.usefixtures("good")
def test_prometheus_away(cli):
    process = cli.run(prometheus=_UNREACHABLE, inconclusives=1)
    assert process.code == 3, cli.output
    outcomes.is_held(cli, "measure-1", "Prometheus")
    assert outcomes.count_answers(cli) == {}
    assert cli.run("abort", reason="no metrics").code == 0
    assert cli.run("resume", prometheus=_UNREACHABLE).code == 1
    outcomes.is_withdrawn(cli, "no metrics")
    assert outcomes.count_answers(cli) == {}


@pytest.mark.usefixtures("good")
def test_no_traffic_at_all(installation, cli):
    lost = outcomes.count_answers(cli)
    installation.users.stop()
    process = cli.run(inconclusives=1)
    assert process.code == 3, cli.output
    outcomes.is_held(cli, "measure-1", "nothing answered")
    assert lost == {}


def test_no_such_service(cli):
    process = cli.run(service="missing")
    assert process.code == 2
    assert "has no InferenceService missing" in cli.output


def test_no_permission(installation, cli):
    cli.delete_role_binding()
    process = cli.run()
    assert process.code == 2
    assert "forbidden" in cli.output
    assert installation.service()["spec"] == installation.before
