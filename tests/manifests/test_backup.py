"""Backup and restore by the commands of the manifests' containers: PostgreSQL, two S3 servers, and MLflow on them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from content_arena.components.shared.errors import InputError
from content_arena.components.shared.storage.backup import Backups, main
from content_arena.components.shared.storage.store import Store, StoreError, client
from tests.manifests.postgresql_server import psql, running
from tests.manifests.rendering import Renderer, pods
from tests.manifests.test_s3_keys import Server

NOW = datetime(2026, 11, 30, 2, 17, tzinfo=UTC)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[dict[str, str]]:
    """A server with an empty database mlflow; the environment that names it as the manifests do."""
    with running() as environment:
        yield environment


@pytest.fixture(scope="module")
def server(manifests: Renderer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The object storage, as the StatefulSet runs it, with its buckets."""
    started = Server(manifests, tmp_path_factory.mktemp("seaweedfs"))
    try:
        started.wait()
        Store(client(started.environment("admin"))).make_buckets(["mlflow", "models"])
        yield started
    finally:
        started.close()


@pytest.fixture
def kept(s3_server: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    """Another server for the backups, with a bucket for this test; the variables that name them."""
    bucket = f"b{abs(hash(request.node.name)) % 10**9}"
    return {"BACKUP_BUCKET": bucket, **{f"BACKUP_{name}": value for name, value in s3_server.items()}}


def run(manifests: Renderer, folder: str, replaced: Path, environment: dict[str, str], skip: int = 0) -> list[str]:
    """Runs the containers of a workload one after the other, as kubelet would; returns what they print."""
    (pod,) = pods(manifests.objects(folder))
    printed = []
    for container in pod.containers[skip:]:
        words = [word.replace("/backup", str(replaced)) for word in (*container["command"], *container["args"])]
        words[0] = {"python": sys.executable}.get(words[0], words[0])
        done = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert not done.stderr
        assert not any(value in done.stdout for name, value in environment.items() if "SECRET" in name)
        printed.append(done.stdout)
    return printed


def tracked(postgresql: dict[str, str], server: Server, arguments: str) -> Any:
    """Lets an MLflow of its own do something, with the environment that its Deployment has; what it prints as JSON."""
    keys = server.environment("mlflow")
    environment = os.environ | postgresql | keys | {
        "MLFLOW_TRACKING_URI": "postgresql+psycopg2:///", "MLFLOW_S3_ENDPOINT_URL": server.url,
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", _MLFLOW, arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


_MLFLOW = """
import json, sys
import mlflow
client = mlflow.MlflowClient()
if sys.argv[1] == "write":
    experiment = client.create_experiment("battles", artifact_location="s3://mlflow/battles")
    run = client.create_run(experiment)
    client.log_metric(run.info.run_id, "evasion", 0.125)
    client.log_text(run.info.run_id, "the attacks", "attacks.jsonl")
    client.set_terminated(run.info.run_id)
    client.create_registered_model("content-filter")
    for number in (1, 2):
        client.create_model_version("content-filter", f"s3://mlflow/battles/{number}", run.info.run_id)
    client.set_registered_model_alias("content-filter", "champion", "2")
experiment = client.get_experiment_by_name("battles")
(run,) = client.search_runs([experiment.experiment_id])
print(json.dumps({
    "champion": client.get_model_version_by_alias("content-filter", "champion").version,
    "run": run.info.run_id, "evasion": run.data.metrics["evasion"], "status": run.info.status,
    "attacks": mlflow.artifacts.load_text(run.info.artifact_uri + "/attacks.jsonl"),
}))
"""


@pytest.mark.slow
def test_everything_is_deleted_and_comes_back(manifests, postgresql, server, kept, tiny_bundle, tmp_path):
    before = tracked(postgresql, server, "write")
    assert (str(before["champion"]), before["attacks"]) == ("2", "the attacks")
    stages = Store.from_environment(server.environment("stages"))
    stages.publish(tiny_bundle, "s3://models/content-filter/2")
    stages.point("s3://models/content-filter/champion", "2")

    everything = postgresql | server.environment("admin") | kept
    run(manifests, "jobs/backup", tmp_path, everything)
    (tmp_path / "mlflow.dump").unlink()
    psql(postgresql | {"PGDATABASE": "postgres"}, "drop database mlflow")
    psql(postgresql | {"PGDATABASE": "postgres"}, "create database mlflow")
    admin = client(server.environment("admin"))
    for bucket in ("mlflow", "models"):
        for item in admin.list_objects(bucket, recursive=True):
            admin.remove_object(bucket, item.object_name)
        admin.remove_bucket(bucket)

    run(manifests, "jobs/restore", tmp_path, everything)
    assert tracked(postgresql, server, "read") == before
    # Over what is there, as after the tables were made by an MLflow that has started meanwhile.
    run(manifests, "jobs/restore", tmp_path, everything)
    assert tracked(postgresql, server, "read") == before
    loaded = Store.from_environment(server.environment("predictor"))
    found = loaded.download("s3://models/content-filter/champion", tmp_path / "models")
    assert found.spec.digest == tiny_bundle.spec.digest


def test_a_database_that_is_away_makes_no_backup(manifests, tmp_path):
    (pod,) = pods(manifests.objects("jobs/backup"))
    words = [
        word.replace("/backup", str(tmp_path)) for word in (*pod.containers[0]["command"], *pod.containers[0]["args"])
    ]
    away = os.environ | {"PGHOST": "127.0.0.1", "PGPORT": "9", "PGUSER": "mlflow", "PGDATABASE": "mlflow"}
    if shutil.which(words[0]) is None:
        pytest.skip("needs PostgreSQL's client: apt-get install postgresql-client")
    # A pod's containers begin after its init containers have succeeded.
    assert subprocess.run(words, env=away, capture_output=True).returncode != 0
    assert pod.spec["initContainers"][0]["name"] == "dump"


@pytest.fixture
def backups(kept: dict[str, str], s3_server: dict[str, str]) -> Backups:
    return Backups(client(s3_server), kept["BACKUP_BUCKET"])


@pytest.fixture
def source(s3_server: dict[str, str], kept: dict[str, str], tmp_path: Path) -> tuple[Any, str, Path]:
    """A client, a bucket with three objects of two contents, and a dump."""
    server, bucket = client(s3_server), f"{kept['BACKUP_BUCKET']}-source"
    Store(server).make_buckets([bucket])
    for name, text in (("a/1", "one"), ("a/2", "one"), ("b \u00e9", "two")):
        (tmp_path / "object").write_text(text)
        server.fput_object(bucket, name, str(tmp_path / "object"))
    (tmp_path / "dump").write_text("tables")
    return server, bucket, tmp_path / "dump"


def contents(backups: Backups) -> set[str]:
    return backups._contents()


def test_what_did_not_change_is_kept_once(backups, source):
    server, bucket, dump = source
    backups.save(server, dump, [bucket], NOW)
    assert len(contents(backups)) == 3
    server.remove_object(bucket, "a/2")
    backups.save(server, dump, [bucket], NOW + timedelta(days=1))
    assert len(contents(backups)) == 3
    first, second = (backups.read(name) for name in backups.names())
    assert set(first.buckets[bucket]) - set(second.buckets[bucket]) == {"a/2"}
    assert backups.read("latest") == second


def test_old_backups_go_with_what_only_they_had_and_the_newest_stays(backups, source, tmp_path):
    server, bucket, dump = source
    backups.save(server, dump, [bucket], NOW)
    server.remove_object(bucket, "b \u00e9")
    kept = backups.save(server, dump, [bucket], NOW + timedelta(days=1))
    assert backups.forget(NOW + timedelta(days=1)) == ["20261130T021700Z"]
    assert contents(backups) == kept.contents
    assert backups.forget(NOW + timedelta(days=400)) == []
    backups.restore(kept, server, tmp_path / "again")
    assert (tmp_path / "again").read_text() == "tables"


def test_a_damaged_content_is_not_restored(backups, source, s3_server, tmp_path):
    server, bucket, dump = source
    made = backups.save(server, dump, [bucket], NOW)
    (tmp_path / "other").write_text("other")
    server.fput_object(backups._bucket, f"contents/{made.buckets[bucket]['a/1'].sha256}", str(tmp_path / "other"))
    with pytest.raises(StoreError, match="is damaged"):
        backups.restore(made, server, tmp_path / "again")


def test_a_backup_that_is_none_is_refused(backups, source):
    server, bucket, dump = source
    backups.save(server, dump, [bucket], NOW)
    with pytest.raises(InputError, match=r"no backup 2020 in bucket .*: it has 20261130T021700Z"):
        backups.read("2020")


def test_the_command_line_lists_and_names_what_is_missing(backups, source, kept, s3_server, capsys):
    server, bucket, dump = source
    backups.save(server, dump, [bucket], NOW)
    assert main(["list"], kept) == 0
    assert capsys.readouterr().out == f"20261130T021700Z: database 6 bytes, 3 objects of {bucket}\n"
    for missing, said in (
        ("BACKUP_BUCKET", "BACKUP_BUCKET is missing"),
        ("BACKUP_AWS_ACCESS_KEY_ID", "needs AWS_ACCESS"),
    ):
        assert main(["list"], {name: value for name, value in kept.items() if name != missing}) == 2
        assert said in capsys.readouterr().err
    assert main(["save", str(dump), bucket, "--keep-days", "0"], {**kept, **s3_server}) == 2
    assert "has to be 1 or more" in capsys.readouterr().err
