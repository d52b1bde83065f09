"""``--settings`` FILE: an option wins over the file, the file over the default; and the budget's former name."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli import local_runs
from content_arena.pipelines.cli.app import app

FILE = """
[attack]
budget = 5
texts_per_label = 9
validation_share = 0.5
held_out_strategies = ["space_join"]

[training]
epochs = 2
learning_rate = 0.0005
lora_rank = 8

[rollout]
steps = [0, 50, 100]
bake_seconds = 60
min_requests = 10
failure_limit = 1
limits = { p95_seconds = 0.8, psi = 0.5 }
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(FILE)
    return str(path)


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Arguments of the pipelines that a command starts; nothing runs."""
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    found = []

    def follow(pipeline, arguments, home, engine):
        found.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(local_runs, "follow", follow)
    return found


def arena(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_an_option_wins_over_the_file_and_the_file_over_the_default(file, started):
    arena("run", "--settings", file, "--budget", "4", "--held-out", "wild_respell")
    (arguments,) = started
    assert (arguments["budget"], arguments["texts_per_label"], arguments["epochs"]) == (4, 9, 2)
    assert arguments["held_out_strategies"] == ["wild_respell"]
    assert arguments["learning_rate"] == 0.0005
    assert arguments["settings"] == {
        "attack": {"validation_share": 0.5},
        "training": {"lora_rank": 8},
        "rollout": {"failure_limit": 1},
    }
    assert arguments["device"] == "auto"


@pytest.mark.parametrize(
    ("command", "content"),
    [
        (("battle", "--victim", "http://127.0.0.1:9"), "[attack]\nfamilies = ['llm']"),
        (("battle", "--victim", "http://127.0.0.1:9"), "[attack]\nheld_out_strategies = ['llm_implicit']"),
        (("run",), "[attack]\nstrategies = ['leet_sub', 'llm_paraphrase']"),
        (("run",), "[labeling]\njudged_texts = 5"),
    ],
)
def test_an_llm_of_the_file_is_looked_for_before_anything_runs(started, tmp_path, monkeypatch, command, content):
    monkeypatch.delenv("CONTENT_ARENA_LLM_BASE_URL", raising=False)
    monkeypatch.setattr("content_arena.components.shared.chat.packaged.is_installed", lambda: False)
    path = tmp_path / "llm.toml"
    path.write_text(content)
    result = arena(*command, "--settings", str(path))
    assert (result.exit_code, started) == (2, [])
    assert "there is no LLM to ask: set CONTENT_ARENA_LLM_BASE_URL" in " ".join(result.stderr.split())


def test_a_battle_needs_no_llm_that_labels(started, tmp_path, monkeypatch):
    monkeypatch.delenv("CONTENT_ARENA_LLM_BASE_URL", raising=False)
    monkeypatch.setattr("content_arena.components.shared.chat.packaged.is_installed", lambda: False)
    path = tmp_path / "llm.toml"
    path.write_text("[attack]\nfamilies = ['llm']\n[labeling]\njudged_texts = 5")
    arena("battle", "--victim", "http://127.0.0.1:9", "--settings", str(path), "--strategies", "leet_sub")
    assert len(started) == 1


def test_strategies_and_families_are_settings_of_the_attack(file, started):
    arena("run", "--settings", file, "--strategies", "ko_yamin, char_typo", "--strategies", "leet_sub", "--lang", "ko",
          "--base-model", "multilingual-e5-small")  # fmt: skip
    arena("battle", "--victim", "http://127.0.0.1:9", "--families", "emoji,slang")
    of_run, of_battle = (arguments["settings"]["attack"] for arguments in started)
    assert of_run == {"validation_share": 0.5, "strategies": ["ko_yamin", "char_typo", "leet_sub"], "families": []}
    assert of_battle == {"strategies": [], "families": ["emoji", "slang"]}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--strategies", "magic", "no strategy magic; installed: "),
        ("--families", "audio", "no family audio; there is: unicode"),
        ("--strategies", "ko_yamin", "works on language 'en'"),
    ],
)
def test_what_there_is_not_to_attack_with_is_refused_at_once(started, option, value, message):
    result = arena("battle", "--victim", "http://127.0.0.1:9", option, value)
    assert not started
    assert isinstance(result.exception, InputError) or result.exit_code == 2
    assert message in f"{result.exception} {result.output}"


def test_the_help_lists_strategies_and_families():
    shown = " ".join(arena("battle", "--help").stdout.replace("│", " ").split())
    assert "slang, ko, compound" in shown
    assert "ko_yamin" in shown


def test_a_battle_takes_of_the_file_what_it_has_parameters_for(file, started):
    arena("battle", "--victim", "http://127.0.0.1:9", "--settings", file)
    (arguments,) = started
    assert (arguments["budget"], arguments["held_out_strategies"]) == (5, ["space_join"])
    assert not {"epochs", "learning_rate"} & set(arguments)


def test_without_a_file_nothing_is_set_but_the_defaults(started):
    arena("run")
    assert "settings" not in started[0]
    assert (started[0]["budget"], started[0]["epochs"]) == (3, 4)


def test_compiled_pipelines_have_the_file_as_defaults(file, tmp_path):
    result = arena(
        "compile", "--out", str(tmp_path / "out"), "--settings", file, "--rollout", "a/b", "--rollout-bake", "90",
        "--rollout-limit", "psi=0.3",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    spec = next(yaml.safe_load_all((tmp_path / "out" / "arena.yaml").read_text()))
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert (parameters["budget"]["defaultValue"], parameters["epochs"]["defaultValue"]) == (5, 2)
    assert parameters["settings"]["defaultValue"]["training"] == {"lora_rank": 8}
    tasks = spec["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    given = {
        name: value["runtimeValue"]["constant"]
        for name, value in tasks["roll-out"]["inputs"]["parameters"].items()
        if "runtimeValue" in value
    }
    assert (given["steps"], given["bake_seconds"], given["min_requests"]) == ([0, 50, 100], 90, 10)
    assert given["limits"] == {"p95_seconds": 0.8, "psi": 0.3}


@pytest.mark.parametrize("text", ["[attck]\n", "[attack]\nrounds = 3\n", "[attack]\nbudget = 'x'\n"])
@pytest.mark.parametrize("command", ["run", "battle", "compile"])
def test_a_file_that_cannot_be_used_is_refused(command, text, tmp_path):
    (tmp_path / "bad.toml").write_text(text)
    result = arena(command, "--settings", str(tmp_path / "bad.toml"))
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.startswith("arena: settings file ")


def test_a_value_out_of_an_options_range_is_refused(tmp_path):
    (tmp_path / "bad.toml").write_text("[attack]\nbudget = 5000\n")
    assert arena("run", "--settings", str(tmp_path / "bad.toml")).exit_code == 2


@pytest.mark.parametrize("given", [["--rounds", "7"], ["--rounds=7"]])
def test_the_former_name_of_the_budget_works_and_warns(given, started):
    result = arena("run", *given)
    assert started[0]["budget"] == 7
    assert "--rounds is deprecated, use --budget" in result.stderr
    assert "--rounds" not in arena("run", "--help").stdout


def test_ctrl_c_has_a_runs_advice_for_a_run_alone(started):
    stopped = arena("run", "--json")
    assert stopped.exit_code == 130
    assert "the next `arena run` trains on from the last checkpoint" in stopped.stderr
    assert json.loads(stopped.stdout)["error"].startswith("stopped")
    other = arena("battle", "--victim", "http://127.0.0.1:9")
    assert other.exit_code == 130
    assert other.stderr.strip().splitlines()[-1] == "arena: stopped"


@pytest.mark.parametrize(
    "arguments",
    [["run", "--nope"], ["run", "--epochs", "0"], ["submit"], ["rollout", "start", "--bake", "-1"], ["nope"]],
    ids=" ".join,
)
def test_a_usage_error_is_an_object_with_json(arguments):
    result = arena(*arguments, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]
    assert "Usage: " in result.stderr
    assert arena(*arguments).stdout == ""


@pytest.mark.parametrize("stage", ["generate_attacks", "label_attacks", "nonsense"])
def test_a_gpu_is_refused_to_a_stage_that_has_no_code_for_one(stage, tmp_path):
    result = arena("compile", "--out", str(tmp_path), "--gpu", stage)
    assert result.exit_code == 2
    assert "bootstrap_champion" in result.stderr
