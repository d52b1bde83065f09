"""A real MLflow database, written with the calls the stages make."""

import time

import pytest

from content_arena.components.metrics_exporter.collector import families
from content_arena.components.metrics_exporter.snapshot import Reader, Snapshot
from content_arena.components.registry.gates import DEFAULT_GATES
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking import database
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from tests import mlflow_server

DAY = 86_400


def test_everything_the_stages_left_is_found(history):
    snapshot = Reader(history.uri).read()
    assert [run.status for run in snapshot.runs] == ["running", "finished", "failed", "finished"]
    assert {alias: found.version for alias, found in snapshot.aliases.items()} == {
        "champion": history.champion,
        "challenger": history.challenger,
        "previous": history.previous,
    }
    assert set(snapshot.registered) == {1, 2, 3}
    assert all(abs(time.time() - moment) < 600 for moment in snapshot.registered.values())
    assert [gate.gate for gate in snapshot.verdict] == [gate.metric for gate in DEFAULT_GATES]
    assert [gate.gate for gate in snapshot.verdict if not gate.passed] == ["evasion"]
    assert snapshot.training.is_running
    assert snapshot.training.metrics["eval_f1"] == 0.79


def test_every_family_has_a_sample(history):
    assert [family.name for family in families(Reader(history.uri).read()) if not family.samples] == []


def test_a_training_is_over_when_its_pipeline_run_is(history):
    # Its own run stays open: the run of a pod that was killed is never closed.
    tracking = Tracking(history.uri, "run-4")
    assert tracking.run_id == history.open_run
    tracking.finish("FAILED")
    try:
        assert not Reader(history.uri).read().training.is_running
    finally:
        tracking.client.update_run(history.open_run, status="RUNNING")


def test_a_new_arena_is_empty_and_reading_makes_nothing(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with pytest.raises(InputError, match="does not exist"):
        Reader(uri).read()
    assert list(tmp_path.iterdir()) == []
    client = Tracking(uri, "run").client
    client.delete_experiment(client.get_experiment_by_name("content-arena").experiment_id)
    assert Reader(uri).read() == Snapshot()


def test_settled_runs_are_read_again_after_a_day(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    now = time.time()
    clock = [now]
    tracking = Tracking(uri, "new")

    def begin(days_ago, name):
        tags = {"content_arena.pipeline_run": name}
        started = int((now - days_ago * DAY) * 1000)
        return tracking.client.create_run(tracking.experiment_id, start_time=started, tags=tags).info.run_id

    old, older = begin(20, "old"), begin(30, "older")
    reader = Reader(uri, clock=lambda: clock[0])
    assert [run.run_id for run in reader.read().runs] == [tracking.run_id, old, older]
    tracking.client.set_terminated(old, "FAILED")
    tracking.finish("FINISHED")
    young = begin(1, "young")

    def status():
        return {run.run_id: run.status for run in reader.read().runs}

    assert status() == {tracking.run_id: "finished", young: "running", old: "running", older: "running"}
    tracking.client.delete_run(older)
    clock[0] += DAY
    assert status() == {tracking.run_id: "finished", young: "running", old: "failed"}


@pytest.mark.slow
def test_a_server_answers_what_its_database_holds(history):
    with mlflow_server.serving(database.path_of(history.uri).parent) as uri:
        assert Reader(uri).read() == Reader(history.uri).read()
