"""``arena submit`` through the real KFP client, against a stand-in for its server."""

import contextlib
import json
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from content_arena.pipelines.cli.app import app
from content_arena.pipelines.execution import cluster as submission
from content_arena.pipelines.execution import following
from tests.background import serve
from tests.pipelines.kfp_stand_in import Server, StandIn, nodes


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


def test_five_fields_of_cron_are_sent_as_six(stand_in, url):
    assert submit("retrain", "--host", url, "--cron", "*/5 * * * *").exit_code == 0
    (body,) = stand_in.recurring
    assert body["trigger"]["cron_schedule"]["cron"] == "0 */5 * * * *"


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
    run, *lines, end = answer.stderr.strip().splitlines()
    assert run == f"run r1: {url}/#/runs/details/r1"
    # Neither drivers nor executors, and nothing twice.
    assert lines[0] == "Train challenger: running"
    assert lines[1].startswith("Train challenger: failed, 66 s (Error (exit code 2)); `kubectl logs")
    assert "--selector pipeline/runid=r1,content-arena/stage=train_qlora" in lines[1]
    assert len(lines) == 2
    assert "the run ended failed" in end


def test_a_pod_that_waits_is_said_although_its_task_is_called_running():
    now = [0.0]
    follower = following.Follower("r1", "kubeflow", lambda: now[0])

    def lines(state):
        return list(follower.lines([node(one) for one in nodes("train-qlora", state)]))

    assert lines("WAITING") == []
    now[0] = 61.0
    (line,) = lines("WAITING")
    assert "Train challenger: its pod has waited for 60 s; `kubectl describe pods --namespace kubeflow" in line
    now[0] = 600.0
    assert lines("WAITING") == []
    assert lines("RUNNING") == ["Train challenger: running"]
    assert lines("SUCCEEDED") == ["Train challenger: succeeded, 66 s"]


def test_shards_are_told_apart():
    follower = following.Follower("r1", "kubeflow")
    shards = [node(nodes("generate-attacks", "RUNNING")[2] | {"task_id": number}) for number in "ab"]
    assert list(follower.lines(shards)) == ["Attack: running", "Attack 2: running"]


def node(given):
    """A node as the client gives it."""
    times = {name: datetime.fromisoformat(given[name]) for name in ("start_time", "end_time") if name in given}
    children = [SimpleNamespace(**child) for child in given["child_tasks"]]
    absent = {"error": None, "start_time": None, "end_time": None}
    return SimpleNamespace(**absent | given | times | {"child_tasks": children})


def test_stopped_by_a_person_the_run_goes_on_and_that_is_said(stand_in, url, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    stand_in.states = ["RUNNING"]
    monkeypatch.setattr(submission.time, "sleep", interrupted)
    answer = submit("--host", url)
    assert answer.exit_code == 130
    assert f"stopped; the run goes on, and {url}/#/runs/details/r1 shows and ends it" in answer.stderr


def test_a_server_with_users_gets_the_token_and_keeps_pipelines_in_the_namespace(stand_in, url):
    stand_in.token = "right"
    for expected in (1, 2):
        answer = submit("battle", "--host", url, "--namespace", "team-a", "--token", "right", "--no-wait")
        assert answer.exit_code == 0, answer.output
        assert len(stand_in.uploads) == expected
    assert stand_in.namespaces == {"team-a"}
    # The second one is a version of the first.
    assert stand_in.pipelines == {"battle": "id-of-battle"}


def test_a_server_without_users_is_asked_without_a_namespace(stand_in, url):
    assert submit("battle", "--host", url, "--no-wait").exit_code == 0
    assert stand_in.namespaces == {None}


def test_a_token_that_is_not_accepted_is_said(stand_in, url):
    stand_in.token = "right"
    answer = submit("--host", url, "--token", "wrong")
    assert answer.exit_code == 2
    assert "Kubeflow Pipelines does not know you (401)" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_another_server_that_answers_is_one_line():
    with page_server() as url:
        answer = submit("--host", url)
    assert answer.exit_code == 2
    assert f"Kubeflow Pipelines does not answer at {url}" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


@contextlib.contextmanager
def page_server():
    """A server that answers every request with a page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serve(server)
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


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
        (("--cron", "garbage"), "wanted five fields"),
        (("--request", "train=1,2Gi"), "wanted STAGE=CPU,MEMORY"),
        (("--request", "train_qlora=1"), "wanted STAGE=CPU,MEMORY"),
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
