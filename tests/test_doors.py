"""Every way into the project ends an error of a library as one line, with exit code 2 and the traceback in a log."""

import importlib
import inspect
import json
import tempfile
from pathlib import Path

import pytest
from kfp import dsl
from typer.testing import CliRunner

from content_arena.components.metrics_exporter.refresh import Refresher
from content_arena.components.predictor import server as predictor
from content_arena.components.promotion import close_run as exit_stage
from content_arena.components.registry import publish
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.sync import RegistrySync
from content_arena.components.shared import stage as stages
from content_arena.components.shared.errors import RegistryError
from content_arena.components.shared.home import home_folder
from content_arena.components.shared.storage import object_copy, store
from content_arena.pipelines.cli import error_log
from content_arena.pipelines.cli.app import app
from content_arena.pipelines.definitions.stage_table import STAGES
from content_arena.pipelines.execution import local as runner
from content_arena.pipelines.execution.home import ArenaHome
from tests.components.shared.test_library_errors import ERRORS

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "run": ["run", "--device", "cpu"],
    "battle": ["battle"],
    "compare": ["compare", "champion", "previous"],
    "status": ["status"],
    "promote": ["promote", "2"],
    "rollback": ["rollback"],
    "serve": ["serve"],
    "data list": ["data", "list"],
    "data restore": ["data", "restore", "abcdef"],
    "data forget": ["data", "forget", "a text", "--yes"],
    "review list": ["review", "list"],
    "review export": ["review", "export", "--out", "queue.csv"],
    "review import": ["review", "import", "queue.csv"],
    "home": ["home"],
    "migrate perspective": ["migrate", "perspective", "--scores", "export.csv"],
    "home clean": ["home", "clean"],
    "rollout start": ["rollout", "start", "2", "--storage-uri", "s3://models/content-filter/2"],
}


@pytest.fixture(params=ERRORS)
def failing(request):
    """An error of a library, what its line has to hold, and a function that raises it."""
    error, why = ERRORS[request.param]

    def fail(*args, **kwargs):
        raise error

    return error, why, fail


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def lines_of(text):
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(failing, home, monkeypatch, command):
    error, why, fail = failing
    monkeypatch.setattr(ArenaHome, "from_environment", fail)
    as_json = [] if command == "serve" else ["--json"]
    result = CliRunner().invoke(app, [*COMMANDS[command], *as_json])
    (line,) = lines_of(result.stderr)
    assert result.exit_code == 2, result.stderr
    assert line.startswith(f"arena: arena {command.split()[0]} failed: ")
    assert why in line
    assert "the traceback is in" in line
    if as_json:
        assert why in json.loads(result.stdout)["error"]
    log = (home / "errors.log").read_text()
    assert "Traceback" in log
    assert type(error).__name__ in log


def test_a_mistake_in_a_command_is_no_answer_that_is_no(home, monkeypatch):
    monkeypatch.setattr(ArenaHome, "from_environment", lambda: {}["no such key"])
    result = CliRunner().invoke(app, ["status", "--json"])
    assert result.exit_code == 2
    assert "arena status broke down by a mistake in it" in json.loads(result.stdout)["error"]
    assert "KeyError" in (home / "errors.log").read_text()


def test_without_a_home_the_traceback_is_kept_elsewhere_and_no_home_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "none"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = error_log.keep(OSError("no"))
    assert kept.parent == tmp_path
    assert "OSError: no" in kept.read_text()
    assert not home_folder().exists()


def test_every_stage_has_the_door():
    modules = [path for path in (ROOT / "components").rglob("*.py") if "\n@stage(" in path.read_text(encoding="utf-8")]
    named = set()
    for path in modules:
        module = importlib.import_module(".".join(["content_arena", *path.relative_to(ROOT).with_suffix("").parts]))
        for function in vars(module).values():
            if getattr(function, "__module__", None) == module.__name__ and hasattr(function, "__wrapped__"):
                named |= {inspect.getclosurevars(function).nonlocals.get("name")}
    assert {stage.name for stage in STAGES} <= named


def test_a_stage(failing, monkeypatch, capsys):
    error, why, fail = failing
    monkeypatch.setattr(exit_stage, "Tracking", fail)
    with pytest.raises(SystemExit) as caught:
        exit_stage.close_run("FAILED", pipeline_run="run")
    assert caught.value.code == 2
    *traceback, line = lines_of(capsys.readouterr().out)
    parsed = stages.parse(line)
    assert (parsed.stage, parsed.is_error, parsed.is_failure) == ("close_run", True, True)
    assert why in parsed.message
    assert any(type(error).__name__ in each for each in traceback)


@dsl.component(base_image="python:3.11-slim", install_kfp_package=False)
def loses_its_server() -> str:
    from mlflow.exceptions import MlflowException

    from content_arena.components.shared.library_errors import during
    from content_arena.components.shared.stage import stage

    @stage("loses_its_server")
    def run() -> None:
        with during("reading version 3 (MLflow at http://mlflow:5000)"):
            raise MlflowException("Connection refused")

    run()
    return ""


@dsl.component(base_image="python:3.11-slim", install_kfp_package=False)
def says_something() -> str:
    print("[says_something] done")
    return ""


@dsl.component(base_image="python:3.11-slim", install_kfp_package=False)
def dies_at_once(after: str) -> str:
    import no_such_package

    return str(no_such_package)


def test_a_run_names_the_stage_that_failed_and_its_log(tmp_path):
    @dsl.pipeline(name="one")
    def pipeline() -> str:
        return loses_its_server().output

    with pytest.raises(runner.StageCrashedError) as caught:
        runner.run(pipeline, {}, ArenaHome(tmp_path), lambda line: None)
    message = str(caught.value)
    assert message.startswith("loses_its_server: reading version 3 (MLflow at http://mlflow:5000) failed: Connection")
    (log,) = tmp_path.glob("runs/*/log.txt")
    assert str(log) in message
    assert "Traceback" in log.read_text()


def test_a_task_that_dies_before_its_stage_begins_is_named(tmp_path):
    @dsl.pipeline(name="two")
    def pipeline() -> str:
        return dies_at_once(after=says_something().output).output

    with pytest.raises(runner.StageCrashedError, match=r"^stage dies_at_once failed \(ModuleNotFoundError"):
        runner.run(pipeline, {}, ArenaHome(tmp_path), lambda line: None)


def test_the_object_storage_command(failing, monkeypatch, capsys):
    _, why, fail = failing
    monkeypatch.setattr(store.Store, "from_environment", fail)
    assert store.main(["make-buckets", "models"]) == 2
    (line,) = lines_of(capsys.readouterr().err)
    assert why in line


def test_the_copy_between_object_storages(failing, monkeypatch, capsys):
    _, why, fail = failing
    monkeypatch.setattr(object_copy, "client", fail)
    assert object_copy.main(["models"]) == 2
    (line,) = lines_of(capsys.readouterr().err)
    assert why in line


def test_the_predictor(failing, monkeypatch, capsys):
    error, why, fail = failing
    monkeypatch.setattr(predictor, "serve", fail)
    assert predictor.main(["--model_dir", "/mnt/models"]) == 2
    *traceback, line = lines_of(capsys.readouterr().err)
    assert line.startswith("error: serving /mnt/models failed: ")
    assert why in line
    assert any(type(error).__name__ in each for each in traceback)


@pytest.fixture
def with_a_password(monkeypatch):
    """A function that asks a tracking server that is away, whose address has a password."""
    # MLflow would go on asking for minutes.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return lambda *args, **kwargs: Registry("http://arena:geheim@127.0.0.1:9").aliases()


def test_no_log_of_a_pod_holds_the_password_of_the_tracking_server(with_a_password, monkeypatch, capsys):
    monkeypatch.setattr(exit_stage, "Tracking", with_a_password)
    with pytest.raises(SystemExit):
        exit_stage.close_run("FAILED", pipeline_run="run")
    stage_log = capsys.readouterr().out
    monkeypatch.setattr(predictor, "serve", with_a_password)
    assert predictor.main(["--model_dir", "/mnt/models"]) == 2
    for log in (stage_log, capsys.readouterr().err):
        assert "Traceback" in log
        assert "MlflowException: API request to http://***@127.0.0.1:9" in log
        assert "geheim" not in log


def test_the_exporter_goes_on(failing):
    refresher = Refresher(failing[2], interval=1)
    refresher.refresh()
    assert refresher.current().snapshot is None


class _Broken:
    """A registry whose every use fails."""

    uri = "http://mlflow:5000"

    def __init__(self, fail):
        self.aliases = self.version_of = self.get = self.promote = self.reconcile = fail


def test_a_rollout_gets_an_error_that_it_survives(failing):
    fail = failing[2]
    with pytest.raises(RegistryError, match="does not answer as it should"):
        RegistrySync(_Broken(fail), "content-arena/content-filter").promote("2", "1")


def test_publishing_after_the_work_is_done_is_a_line(failing):
    fail = failing[2]
    (line,) = publish.publish_after(_Broken(fail), "s3://models/content-filter")
    assert "the next run does it" in line
