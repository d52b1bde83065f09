"""Object storage follows the registry; both are real."""

import uuid

import pytest

from content_arena.components.promotion.close_run import close_run
from content_arena.components.registry.publish import publish, publish_after
from content_arena.components.registry.registry import Registry
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.storage.store import Store


@pytest.fixture
def root(s3):
    bucket = f"b{uuid.uuid4().hex[:12]}"
    Store.from_environment().make_buckets([bucket])
    return f"s3://{bucket}/content-filter"


def test_champion_and_challenger_are_published_once(registry, register, root, tmp_path):
    registry.promote(register(1), None)
    registry.set_alias(Registry.CHALLENGER, register(2))
    assert publish(registry, root) == [
        f"version 1 is at {root}/1/",
        f"version 2 is at {root}/2/",
        f"{root}/champion is version 1",
    ]
    assert publish(registry, root) == []
    found = Store.from_environment().download(f"{root}/champion", tmp_path / "served")
    assert found.spec.digest == registry.get(1).digest
    assert registry.get(2).tags[Registry.STORAGE_URI] == f"{root}/2/"


def test_the_pointer_follows_promotion_and_rollback(registry, register, root):
    registry.promote(register(1), None)
    publish(registry, root)
    registry.promote(register(2), 1)
    assert publish(registry, root) == [f"version 2 is at {root}/2/", f"{root}/champion is version 2"]
    registry.rollback("worse in the wild")
    assert publish(registry, root) == [f"{root}/champion is version 1"]


def test_without_an_address_nothing_is_published(registry, register, monkeypatch):
    monkeypatch.delenv("CONTENT_ARENA_MODELS_URI", raising=False)
    registry.promote(register(1), None)
    assert publish(registry) == []


def test_the_address_may_come_from_the_environment(registry, register, root, monkeypatch):
    registry.promote(register(1), None)
    monkeypatch.setenv("CONTENT_ARENA_MODELS_URI", root + "/")
    assert publish(registry)[-1] == f"{root}/champion is version 1"


def test_where_all_else_is_done_a_store_that_does_not_answer_is_told(registry, register, root, monkeypatch):
    registry.promote(register(1), None)
    with monkeypatch.context() as away:
        away.setenv("AWS_SECRET_ACCESS_KEY", "another")
        (line,) = publish_after(registry, root)
    assert f"not published at {root} yet" in line
    with monkeypatch.context() as away:
        away.delenv("S3_ENDPOINT_URL")
        away.delenv("AWS_SECRET_ACCESS_KEY")
        (line,) = publish_after(registry, root)
    assert f"not published at {root} yet" in line
    assert publish_after(registry, root)[-1] == f"{root}/champion is version 1"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("SUCCEEDED", "FINISHED"),
        ("COMPLETE", "FINISHED"),
        ("FAILED", "FAILED"),
        ("RUNNING", "KILLED"),
        ("CANCELLED", "KILLED"),
    ],
)
def test_closing_a_run_heals_whatever_its_end_was(uri, registry, register, root, state, status):
    registry.promote(register(1), None)
    registry.promote(register(2), 1)
    # The state after a promotion that was killed before its last call and before it published anything.
    registry.client.delete_registered_model_alias("content-filter", Registry.PREVIOUS)
    registry.set_alias(Registry.CHALLENGER, 2)
    tracking = Tracking(uri, "run")
    done = close_run(state, pipeline_run="run", models_uri=root, tracking_uri=uri)
    assert done[:2] == ["alias challenger was 2, is not set", "alias previous was not set, is 1"]
    assert done[-1] == f"{root}/champion is version 2"
    assert tracking.client.get_run(tracking.run_id).info.status == status
    assert close_run(state, pipeline_run="run", models_uri=root, tracking_uri=uri) == []


def test_closing_a_run_before_there_is_a_champion(uri, capsys):
    assert close_run("FAILED", pipeline_run="run", tracking_uri=uri) == []
    assert "champion is none" in capsys.readouterr().out


def test_a_training_leaves_the_run_open_for_the_stages_after_it(uri, registry, register):
    tracking = Tracking(uri, "run")
    with tracking.training_run("train_qlora"):
        pass
    register(1)
    assert tracking.client.get_run(tracking.run_id).info.status == "RUNNING"
