"""`arena home`: a home that is looked at, cleaned, moved, copied, and one whose server is away."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from content_arena.components.registry.registry import Registry
from content_arena.components.shared.mlflow_tracking import database
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.pipelines.cli.app import app
from content_arena.pipelines.execution import home_contents
from content_arena.pipelines.execution.home import ArenaHome
from tests.components.shared.mlflow_tracking.test_tracking import labelled
from tests.pipelines.command import arena as arena_process
from tests.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory):
    """A home with five versions: 1 and 2 served, 3 is the challenger, 4 and 5 were refused; and with old runs."""
    home = tmp_path_factory.mktemp("lived-in") / "home"
    uri = database.uri_of(home / "mlflow.db")
    tracking, registry = Tracking(uri, "run"), Registry(uri)
    for seed in range(1, 6):
        bundle = make_tiny_bundle(home.parent / f"bundle-{seed}", weights_seed=seed)
        registry.register(bundle, tracking.run_id)
    registry.promote(1, None)
    registry.promote(2, 1)
    registry.set_alias(Registry.CHALLENGER, 3)
    tracking.log_labelled("en", labelled("a text"))
    for name, days in (("runs/old", 3), ("runs/new", 1), ("checkpoints/stale", 9), ("checkpoints/fresh", 1)):
        put(home / name / "file.bin", days)
    put(home / "base_models" / "multilingual-e5-small-ko-1" / "weights.bin", 1)
    put(home / "artifacts" / "models" / "m-never-registered" / "artifacts" / "model.onnx", 1)
    put(home / "mlflow.db.123.unfinished", 1)
    put(home / "errors.log", 1)
    put(home / "battles" / "failed" / "battle.json", 1)
    put(home / "reports" / "old.html", 30)
    put(home / "llm" / "written.jsonl", 30)
    put(home / "notes of mine.txt", 30)
    return home


def put(path, days):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 10_000)
    then = time.time() - days * 86_400
    for each in (path, path.parent):
        os.utime(each, (then, then))


@pytest.fixture
def home(lived_in, tmp_path, monkeypatch):
    """A copy of it that the test may change."""
    shutil.copytree(lived_in, tmp_path / "home")
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "home"


def arena(*arguments):
    return CliRunner().invoke(app, list(arguments))


def answer(*arguments):
    result = arena(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def removable(document, home):
    return {
        (each["version"] or os.path.relpath(each["path"], home)) for each in document["holdings"] if each["removable"]
    }


#: What of the home can go: versions by number.
CAN_GO = {
    4,
    5,
    "runs/old",
    "checkpoints/stale",
    "base_models/multilingual-e5-small-ko-1",
    "artifacts/models/m-never-registered",
    "mlflow.db.123.unfinished",
    "errors.log",
    "battles/failed",
}


def test_it_shows_what_there_is_and_what_can_go(home):
    document = answer("home")
    assert removable(document, home) == CAN_GO
    assert document["home"] == str(home)
    assert document["bytes"] == sum(each["bytes"] for each in document["holdings"]) > document["removable_bytes"] > 0
    stays = {each["version"]: each["stays"] for each in document["holdings"] if each["version"]}
    assert stays[1] == "version 1: it is the previous"
    assert stays[2] == "version 2: it is the champion"
    assert stays[3] == "version 3: it is the challenger"
    shown = arena("home")
    assert "bundles of versions" in shown.stdout
    assert "`arena home clean` frees" in shown.stderr


def test_clean_removes_that_and_nothing_else(home):
    before = {each["path"] for each in answer("home")["holdings"]}
    gone = {each["path"] for each in answer("home", "clean")["holdings"]}
    after = answer("home")
    assert {each["path"] for each in after["holdings"]} == before - gone
    assert after["removable_bytes"] == 0
    assert (home / "notes of mine.txt").exists()
    uri = database.uri_of(home / "mlflow.db")
    registry = Registry(uri)
    assert [registry.download(version).is_dir() for version in (1, 2, 3)] == [True] * 3
    (table,) = Tracking(uri, "another run").earlier_labelled("en")
    assert len(table) == 1
    assert answer("home", "clean")["holdings"] == []


def test_what_was_removed_is_told_before_anything_is_moved(home):
    answer("home", "clean")
    result = arena("promote", "5", "--force", "--reason", "try", "--json")
    assert result.exit_code == 2
    assert "version 5 has no bundle: `arena home clean` removed it on" in json.loads(result.stdout)["error"]
    assert answer("status")["champion"]["version"] == "2"
    assert answer("rollback")["champion_version"] == "1"


def test_a_rollback_to_a_bundle_that_is_gone_says_so_and_moves_nothing(home):
    registry = Registry(database.uri_of(home / "mlflow.db"))
    shutil.rmtree(registry.download(1).parents[2])
    result = arena("rollback", "--json")
    assert result.exit_code == 2
    assert "version 1" in json.loads(result.stdout)["error"]
    assert answer("status")["champion"]["version"] == "2"


def test_a_dry_run_removes_nothing(home):
    before = answer("home")
    assert removable(answer("home", "clean", "--dry-run"), home) == CAN_GO
    assert answer("home") == before


def test_nothing_is_cleaned_while_a_run_is_under_way(home):
    with ArenaHome(home).exclusive():
        result = arena("home", "clean")
    assert result.exit_code == 2
    assert "another run is using" in result.stderr


def test_what_a_link_names_is_not_removed(home, tmp_path):
    (home / "base_models").rename(tmp_path / "big disk")
    (home / "base_models").symlink_to(tmp_path / "big disk")
    (home / "runs" / "old").rename(tmp_path / "old run")
    (home / "runs" / "old").symlink_to(tmp_path / "old run")
    answer("home", "clean")
    assert (tmp_path / "old run" / "file.bin").exists()


def test_no_bundle_goes_that_may_be_the_one_the_registry_does_not_find(home):
    unversioned = home / "artifacts" / "models" / "m-never-registered"
    bundle = Registry(database.uri_of(home / "mlflow.db")).download(2)
    folder = home / "artifacts" / "models" / bundle.relative_to(home / "artifacts" / "models").parts[0]
    renamed = folder.rename(folder.with_name("m-renamed"))
    stays = {each["path"]: each["stays"] for each in answer("home")["holdings"]}
    for path in (unversioned, renamed):
        assert stays[str(path)] == "the registry does not find the bundle of version 2: this may be it"
    answer("home", "clean")
    assert unversioned.exists()
    renamed.rename(folder)
    answer("home", "clean")
    assert folder.exists()
    assert not unversioned.exists()


def test_of_another_registry_nothing_is_judged(home, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database.uri_of(tmp_path / "other.db"))
    document = answer("home")
    assert removable(document, home) == {entry for entry in CAN_GO if not str(entry).startswith("art")} - {4, 5}


def test_there_is_no_arena(tmp_path, monkeypatch):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "none"))
    for command in (["home"], ["home", "clean"]):
        result = arena(*command, "--json")
        assert result.exit_code == 2
        assert "arena run" in json.loads(result.stdout)["error"]
    assert not (tmp_path / "none").exists()


def test_a_moved_home_with_an_awkward_name_as_a_process(home, tmp_path):
    moved = tmp_path / "50% of what?"
    home.rename(moved)
    back = arena_process(moved, "rollback", "--json")
    assert back.returncode == 0, back.stderr
    assert json.loads(back.stdout) == {"champion_version": "1", "rejected_version": "2"}
    assert Registry(database.uri_of(moved / "mlflow.db")).download(1).is_relative_to(moved)


def test_a_server_that_is_away_as_a_process(home):
    result = arena_process(home, "status", "--json", MLFLOW_TRACKING_URI="http://127.0.0.1:1")
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "MLflow at http://127.0.0.1:1 does not answer: Connection refused" in line
    assert json.loads(result.stdout)["error"] in line


@pytest.mark.parametrize("command", ["run", "battle", "promote", "rollback"])
def test_every_command_asks_first_whether_the_server_is_there(home, monkeypatch, command):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    result = arena(command, "--json")
    assert result.exit_code == 2
    assert "does not answer" in json.loads(result.stdout)["error"]


def test_a_folder_can_be_cleaned_while_the_server_is_away(home, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert answer("home", "clean")["removable_bytes"] > 0


def test_texts_that_a_killed_command_read_from_standard_input_go(home):
    (home / "stdin-notes of mine").mkdir()
    (home / "stdin-notes of mine" / "file.txt").write_text("x")
    code = (
        "import os, pathlib, signal, sys\n"
        "from content_arena.pipelines.cli import standard_input\n"
        "with standard_input.as_file('-', pathlib.Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(home)], input=b"text,label\nsecret,1\n", check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = home.glob("stdin-*/stdin.csv")
    assert str(left.parent) in {each["path"] for each in answer("home", "clean")["holdings"]}
    assert not left.exists()
    assert (home / "stdin-notes of mine" / "file.txt").exists()


def test_sizes_are_those_on_disk(home, tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 5_000)
    assert home_contents.size_of(tmp_path / "file") >= 5_000
    os.symlink("/", tmp_path / "link")
    assert home_contents.size_of(tmp_path / "link") < 5_000
