"""Tracking on a real MLflow database."""

import subprocess
import sys

import pandas as pd
import pytest

from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking.tracking import Tracking, connect


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def labelled(text):
    facts = {"lang": "en", "strategy": "leet_sub", "family": "char", "params": "{}", "seed": 1, "intensity": 0.5}
    costs = {
        "budget": 3,
        "n_queries": 1,
        "edit_distance": 1,
        "pct_changed": 0.1,
        "similarity": 0.9,
        "meaning": float("nan"),
    }
    texts = {"attack_id": text, "base_id": "b", "original_text": "o", "perturbed_text": text, "split": "train"}
    scores = {"victim_version": "1", "threshold": 0.5, "score_before": 0.9, "score_after": 0.1, "status": "success"}
    labels = {"label_gold": "toxic", "label": "toxic", "label_confidence": 0.9, "label_source": "gold", "votes": "{}"}
    return pd.DataFrame([{**facts, **costs, **texts, **scores, **labels, "needs_review": False}])


def test_stages_of_one_pipeline_run_share_one_mlflow_run(uri):
    first, second = Tracking(uri, "run-1"), Tracking(uri, "run-1")
    assert first.run_id == second.run_id != Tracking(uri, "run-2").run_id
    first.log("generate_attacks", {"n": 3}, {"rounds": 2})
    second.log("train_qlora", {"f1": 0.5, "missing": None})
    data = first.client.get_run(first.run_id).data
    assert data.metrics["generate_attacks.n"] == 3
    assert data.params["generate_attacks.rounds"] == "2"
    assert set(second.seconds()) == {"generate_attacks", "train_qlora"}


def test_the_newest_memory_of_an_attacker_is_found_by_what_it_is_about(uri):
    assert Tracking(uri, "run-0").earlier_attacker_memory("ours") is None
    for run, memory in (("run-1", "{1}"), ("run-2", "{2}")):
        Tracking(uri, run).log_attacker_memory("ours", memory)
    Tracking(uri, "run-3").log_attacker_memory("another", "{3}")
    assert Tracking(uri, "run-4").earlier_attacker_memory("ours") == "{2}"
    assert Tracking(uri, "run-2").earlier_attacker_memory("ours") == "{1}", "its own does not count"
    assert Tracking(uri, "run-4").earlier_attacker_memory("another") == "{3}"


def test_a_run_that_the_backend_opened_for_the_task_gets_the_figures_as_well(uri, monkeypatch):
    task_run = Tracking(uri, "opened by the backend").run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", task_run)
    tracking = Tracking(uri, "ours")
    tracking.log("train_qlora", {"f1": 0.5})
    for run_id in (tracking.run_id, task_run):
        assert tracking.client.get_run(run_id).data.metrics["train_qlora.f1"] == 0.5
    assert tracking.run_id != task_run


def test_of_several_shards_the_slowest_ones_seconds_stay(uri, monkeypatch):
    tracking = Tracking(uri, "run-1")
    for seconds in (40.0, 90.0, 60.0):
        monkeypatch.setattr(
            "content_arena.components.shared.mlflow_tracking.tracking.seconds_since_start", lambda took=seconds: took
        )
        tracking.log("generate_attacks", {})
    assert tracking.seconds() == {"generate_attacks": 90.0}


def test_a_training_that_was_killed_is_closed_with_its_run(uri):
    tracking = Tracking(uri, "run-1")
    tags = {"mlflow.parentRunId": tracking.run_id}
    killed, ended = (tracking.client.create_run(tracking.experiment_id, tags=tags).info.run_id for _ in range(2))
    tracking.client.set_terminated(ended, "FINISHED")
    other = Tracking(uri, "run-2")
    tracking.finish("KILLED")
    statuses = [tracking.client.get_run(run).info.status for run in (killed, ended, tracking.run_id, other.run_id)]
    assert statuses == ["KILLED", "FINISHED", "KILLED", "RUNNING"]


def test_artifacts_come_through_the_server(uri, monkeypatch):
    """Links that it signs for its own name of the object storage lead nowhere from another namespace."""
    monkeypatch.delenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", raising=False)
    connect(uri)
    from mlflow.environment_variables import MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD

    assert MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD.get() is False


def test_killed_while_the_database_is_made_the_next_one_works(uri, tmp_path):
    code = """
import os, sys
import mlflow.store.db.utils as utils
from sqlalchemy import event
left = [150]
original = utils.create_sqlalchemy_engine
def mortal(uri):
    engine = original(uri)
    def count(*_):
        left[0] -= 1
        if left[0] == 0:
            os._exit(9)
    event.listen(engine, "before_cursor_execute", count)
    return engine
utils.create_sqlalchemy_engine = mortal
from content_arena.components.shared.mlflow_tracking.tracking import connect
connect(sys.argv[1])
"""
    assert subprocess.run([sys.executable, "-c", code, uri], check=False).returncode == 9
    assert Tracking(uri, "after").run_id


def test_labelled_attacks_of_earlier_runs_come_back_oldest_first(uri):
    for name in ("one", "two", "now"):
        Tracking(uri, name).log_labelled("en", labelled(name))
    Tracking(uri, "other").log_labelled("ko", labelled("korean"))
    found = Tracking(uri, "now").earlier_labelled("en")
    assert [table["perturbed_text"].item() for table in found] == ["one", "two"]


def test_artifacts_lie_beside_the_database(uri, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    Tracking(uri, "one").log_labelled("en", labelled("x"))
    assert not list(elsewhere.iterdir())


def test_no_server_is_said(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(InputError, match="MLFLOW_TRACKING_URI"):
        connect(None)
