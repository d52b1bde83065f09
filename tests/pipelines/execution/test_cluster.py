"""``arena submit`` through the real KFP client, against a stand-in for its server."""

import json

import pytest
from typer.testing import CliRunner

from content_arena.pipelines.cli.app import app
from content_arena.pipelines.execution import cluster as submission
from tests.pipelines.kfp_stand_in import Server, StandIn


@pytest.fixture
def stand_in():
    return StandIn()


@pytest.fixture
def url(stand_in, monkeypatch):
    monkeypatch.setattr(submission.Submission.follow, "__defaults__", (0.01,))
    with Server(stand_in) as server:
        yield server.url


def submit(*arguments):
    return CliRunner().invoke(app, ["submit", *map(str, arguments)])


def test_the_first_submission_uploads_the_pipeline_and_the_next_a_version_of_it(stand_in, url):
    for _ in range(2):
        assert submit("battle", "--host", url, "--no-wait").exit_code == 0
    assert stand_in.uploads[0] == "battle"
    assert stand_in.uploads[1].startswith("battle-")
    versions = [run["pipeline_version_reference"]["pipeline_version_id"] for run in stand_in.runs]
    assert versions == ["id-of-battle-v1", "v2"]


def test_parameters_arrive_with_their_types(stand_in, url):
    answer = submit(
        "arena", "--host", url, "-p", "budget=5", "-p", "lang=ko", "-p", "learning_rate=0.0005",
        "-p", 'held_out_strategies=["space_join"]', "--service-account", "arena-stages", "--json",
    )  # fmt: skip
    assert answer.exit_code == 0, answer.output
    (run,) = stand_in.runs
    assert run["runtime_config"]["parameters"] == {
        "budget": 5, "lang": "ko", "learning_rate": 0.0005, "held_out_strategies": ["space_join"],
    }  # fmt: skip
    assert run["service_account"] == "arena-stages"
    assert json.loads(answer.stdout)["state"] == "SUCCEEDED"


def test_a_followed_run_is_logged_and_its_failure_is_exit_code_one(stand_in, url):
    stand_in.states = ["PENDING", "RUNNING", "RUNNING", "FAILED"]
    answer = submit("--host", url)
    assert answer.exit_code == 1
    assert answer.stderr.count("Train challenger: running") == 1
    assert "the run ended failed" in answer.stderr


def test_a_recurring_run_neither_overlaps_nor_catches_up(stand_in, url):
    answer = submit("retrain", "--host", url, "--every", 86_400, "-p", "max_evasion=0.2", "--json")
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout) == {"recurring_run_id": "rr1"}
    (body,) = stand_in.recurring
    assert body["trigger"]["periodic_schedule"]["interval_second"] in (86_400, "86400")
    assert (int(body["max_concurrency"]), body["no_catchup"]) == (1, True)
    assert body["runtime_config"]["parameters"] == {"max_evasion": 0.2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-p", "round=5"), "no parameter 'round'"),
        (("-p", "budget=many"), "budget is 'many', wanted a whole number"),
        (("-p", "budget=true"), "budget is 'true', wanted a whole number"),
        (("-p", "held_out_strategies=space_join"), "wanted a JSON list"),
        (("--every", "60", "--cron", "0 0 3 * * *"), "not both"),
        (("--label", "team"), "a label is KEY=VALUE"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_uploaded(stand_in, url, arguments, message):
    answer = submit("--host", url, *arguments)
    assert answer.exit_code == 2
    assert message in answer.stderr
    assert not stand_in.uploads


def test_a_server_that_is_not_there_is_named():
    answer = submit("--host", "http://127.0.0.1:9")
    assert answer.exit_code == 2
    assert "does not answer at http://127.0.0.1:9" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
