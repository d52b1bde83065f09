"""``arena battle`` against anybody's filter, and ``arena battles``; the pipeline is replaced by its result."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from content_arena.components.attack_generation.settings import (
    ANSWERS_VARIABLE,
    FUNCTIONS_VARIABLE,
    HEADERS_VARIABLE,
    QUERY_VARIABLE,
)
from content_arena.components.attack_generation.victims.tls import Tls
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli import console, local_runs
from content_arena.pipelines.cli.app import app
from content_arena.pipelines.execution.stage_log import StageRefusedError
from tests.components.attack_generation.certificates import Authority

SECRET = "geheim-4711"
URL = f"http://user:{SECRET}@127.0.0.1:9?key={SECRET}"


def attacks(n_past):
    """Ten toxic texts that were caught, of which some got past."""
    rows = [
        {
            "attack_id": f"a{i}", "base_id": f"b{i}", "lang": "en", "strategy": "leet_sub", "family": "char",
            "params": "{}", "seed": 1, "intensity": 1.0, "budget": 3, "original_text": f"you idiot {i}",
            "perturbed_text": f"you 1diot {i}", "label_gold": "toxic", "victim_version": "v", "threshold": 0.5,
            "score_before": 0.9, "score_after": 0.1 if i < n_past else 0.9,
            "status": "success" if i < n_past else "failed", "n_queries": 1, "edit_distance": 1, "pct_changed": 0.1,
            "similarity": 0.9, "split": "validation", "meaning": float("nan"),
        }
        for i in range(10)
    ]  # fmt: skip
    return pd.DataFrame(rows)


class Finished:
    """A run whose battle ended as a test says."""

    def __init__(self, folder, n_past):
        self.folder, self.name = folder, "run"
        folder.mkdir(exist_ok=True)
        records.write(records.Attack, attacks(n_past), folder / "attacks")
        records.write(records.Attack, records.Attack.empty(), folder / "held_out_attacks")

    def artifact(self, task, name):
        return self.folder / name

    def parameter(self, task, name):
        return "0" * 64

    def metric(self, task, name):
        return 3.0

    def metadata(self, task, name):
        return {"read": 20, "toxic": 10, "benign": 10}

    def notes(self, stage):
        return []


@pytest.fixture
def arena(monkeypatch, tmp_path):
    """Runs a command; ``arena.outcome`` is what the pipeline does."""
    import os

    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    def follow(pipeline, arguments, home, engine):
        run.arguments = arguments
        run.environment = {name: os.environ.get(name) for name in (HEADERS_VARIABLE, QUERY_VARIABLE, ANSWERS_VARIABLE)}
        run.tls = Tls.from_environment()
        run.may_run_functions = os.environ.get(FUNCTIONS_VARIABLE)
        return run.outcome()

    run.outcome = lambda: Finished(tmp_path / "run", n_past=2)
    run.home = tmp_path / "home"
    monkeypatch.setattr(local_runs, "follow", follow)
    return run


def test_a_login_reaches_the_stages_and_stands_nowhere_else(arena):
    result = arena("battle", "--victim", URL, "--header", f"X-Key: {SECRET}", "--json")
    assert result.exit_code == 0, result.output
    assert arena.environment[HEADERS_VARIABLE].count(SECRET) == 1
    assert arena.environment[HEADERS_VARIABLE].startswith("X-Key: ")
    assert arena.environment[QUERY_VARIABLE] == f"key={SECRET}"
    shown = json.loads(result.stdout)
    assert shown["victim"] == "http://127.0.0.1:9"
    assert SECRET not in f"{result.stdout}{result.stderr}{arena.arguments}"
    for path in filter(lambda path: path.is_file(), arena.home.rglob("*")):
        assert SECRET not in path.read_text(encoding="utf-8", errors="replace")
    assert CliRunner().invoke(app, ["battle", "--victim", URL.replace("http", "ftp")]).exit_code == 2


def test_how_a_filter_is_verified_reaches_the_stages(arena, tmp_path, monkeypatch):
    authority = Authority(tmp_path)
    cert, key = authority.signed("mine")
    monkeypatch.chdir(tmp_path)
    result = arena(
        "battle", "--victim", "https://127.0.0.1:9", "--cacert", "ca.pem", "--cert", "mine.pem", "--key", "mine.key"
    )
    assert result.exit_code == 0, result.output
    assert arena.tls == Tls(authority.ca_file, cert, key)
    assert arena("battle", "--victim", "https://127.0.0.1:9", "--insecure").exit_code == 0
    assert arena.tls == Tls(insecure=True)
    assert "is not verified" in arena("battle", "--victim", "https://127.0.0.1:9", "--insecure").stderr


def test_a_function_is_run_by_this_python(arena, tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text("def score(texts):\n    return [0.5] * len(texts)\n")
    monkeypatch.chdir(tmp_path)
    assert arena("battle", "--victim", "python:own.py:score").exit_code == 0
    assert arena.arguments["victim"] == f"python:{tmp_path / 'own.py'}:score"
    assert arena.may_run_functions == "1"
    assert arena("battle", "--victim", URL).exit_code == 0
    assert arena.may_run_functions is None
    refused = arena("battle", "--victim", "python:own.py:score", "--runner", "docker")
    assert (refused.exit_code, "leave --runner docker out" in refused.stderr) == (2, True)


def test_how_a_filter_is_read_goes_into_the_settings(arena):
    arena("battle", "--victim", URL, "--map", "openai", "--inverted")
    assert arena.arguments["settings"]["attack"] == {
        "victim_map": "openai", "victim_request": "", "victim_inverted": True
    }  # fmt: skip
    arena("battle", "--victim", URL)
    assert "settings" not in arena.arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--victim", "http://h/a", "--map", "results["], "JMESPath"),
        (["--header", "A: b"], "behind a URL"),
        (["--victim", "http://h", "--insecure"], "behind https://"),
        (["--victim", "https://h", "--cacert", "away.pem"], "there is no file"),
        (["--victim", "http://h/v1/models"], "names no model"),
        (["--victim", "http://h", "--fail-over", "f1=0.1"], "evasion=SHARE"),
        (["--victim", "http://h", "--fail-over", "evasion=nan"], "evasion=SHARE"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_runs(arena, options, message):
    result = arena("battle", *options)
    assert (result.exit_code, hasattr(arena, "arguments")) == (2, False)
    assert message in result.stderr


def test_an_llm_attacks_only_where_it_is_named_and_is_there(arena, monkeypatch):
    monkeypatch.delenv("CONTENT_ARENA_LLM_BASE_URL", raising=False)
    monkeypatch.setattr("content_arena.components.shared.chat.packaged.is_installed", lambda: False)
    assert arena("battle", "--victim", URL).exit_code == 0
    del arena.arguments
    for options in (("--families", "char,llm"), ("--strategies", "llm_implicit")):
        result = arena("battle", "--victim", URL, *options)
        assert (result.exit_code, hasattr(arena, "arguments")) == (2, False)
        assert "there is no LLM to ask: set CONTENT_ARENA_LLM_BASE_URL" in " ".join(result.stderr.split())
    monkeypatch.setenv("CONTENT_ARENA_LLM_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("CONTENT_ARENA_LLM_MODEL", "stand-in")
    monkeypatch.setenv("CONTENT_ARENA_LLM_API_KEY", SECRET)
    result = arena("battle", "--victim", URL, "--families", "llm", "--json")
    assert json.loads(result.stdout)["not_written"] == 3
    assert json.loads(result.stdout)["meaning"] == {"same": 3, "other": 3, "not_measured": 3}
    shown = " ".join(arena("battles", json.loads(result.stdout)["battle"]).stdout.split())
    assert "3 of 6 texts say something else" in shown
    assert "of 3 texts the meaning was not measured" in shown
    assert SECRET not in f"{result.stdout}{result.stderr}{arena.arguments}"
    for path in filter(lambda path: path.is_file(), arena.home.rglob("*")):
        assert SECRET not in path.read_text(encoding="utf-8", errors="replace")


def test_texts_of_all_splits_count_where_they_are_asked_for(arena, tmp_path):
    def mixed():
        finished = Finished(tmp_path / "run", n_past=2)
        table = attacks(2).assign(split=["train"] * 5 + ["validation"] * 5)
        records.write(records.Attack, table, finished.folder / "attacks")
        return finished

    arena.outcome = mixed
    counted = {}
    for options in ((), ("--split", "all")):
        page = tmp_path / "page.html"
        result = arena("battle", "--victim", URL, "--json", "--report", page, *options)
        answer = json.loads(result.stdout)
        counted[answer["split"]] = answer["evasion"]["n"]
        assert arena.arguments["split"] == answer["split"]
        shown = " ".join(arena("battles", answer["battle"]).stdout.split())
        assert ("training texts among them" in shown) is bool(options)
        assert ("training texts among them" in page.read_text(encoding="utf-8")) is bool(options)
    assert counted == {"validation": 5, "all": 10}
    assert arena("battle", "--victim", URL, "--split", "train").exit_code == 2


def test_what_the_last_battle_learnt_is_taken_where_it_is_asked_for(arena, tmp_path):
    def warm():
        finished = Finished(tmp_path / "run", n_past=2)
        params = json.dumps({"order": 1, "memory": "f" * 64})
        records.write(records.Attack, attacks(2).assign(params=params), finished.folder / "attacks")
        return finished

    options = ("battle", "--victim", URL, "--search", "evolving", "--budget", "10", "--json")
    assert json.loads(arena(*options).stdout)["began_with"] is None
    assert "warm_start" not in arena.arguments.get("settings", {}).get("attack", {})
    arena.outcome = warm
    assert json.loads(arena(*options, "--warm-start").stdout)["began_with"] == "f" * 64
    assert arena.arguments["settings"]["attack"]["warm_start"] is True
    refused = arena("battle", "--victim", URL, "--search", "greedy", "--budget", "10", "--warm-start")
    assert (refused.exit_code, "--warm-start is for --search evolving" in refused.stderr) == (2, True)


def test_the_intensity_goes_into_the_settings(arena):
    arena("battle", "--victim", URL, "--intensity", "0.4")
    assert arena.arguments["settings"]["attack"] == {"intensity": 0.4}
    del arena.arguments
    for options in (("--intensity", "0.4", "--search", "greedy", "--budget", "9"), ("--intensity", "0")):
        result = arena("battle", "--victim", URL, *options)
        assert (result.exit_code, hasattr(arena, "arguments")) == (2, False)
        assert "intensity" in result.stderr


def test_attacks_and_a_page_are_written_where_they_are_wanted(arena, tmp_path):
    out, page = tmp_path / "attacks.jsonl", tmp_path / "page.html"
    result = arena("battle", "--victim", URL, "--out", out, "--report", page)
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["attack_id"] for row in rows] == [f"a{i}" for i in range(10)]
    assert '<p class="big">20.0%</p>' in page.read_text()
    assert SECRET not in out.read_text() + page.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "a.xlsx"], "the ending decides the format"),
        (["--out", "nowhere/a.csv"], "there is no folder"),
        (["--report", "nowhere/a.html"], "there is no folder"),
        (["--out", "a.csv", "--report", "a.csv"], "name two files"),
    ],
)
def test_files_that_could_not_be_written_are_refused_before_the_battle(arena, monkeypatch, tmp_path, options, message):
    monkeypatch.chdir(tmp_path)
    result = arena("battle", "--victim", URL, *options)
    assert (result.exit_code, hasattr(arena, "arguments")) == (2, False)
    assert message in " ".join(result.stderr.split())


def test_strategies_and_families_have_interval_cost_and_pace(arena, tmp_path):
    finished = Finished(tmp_path / "run", 2)
    # Of another family, on the same ten texts.
    other = attacks(10).assign(strategy="char_typo", attack_id=[f"c{i}" for i in range(10)], n_queries=3)
    words = attacks(0).assign(strategy="word_sub", family="word", attack_id=[f"w{i}" for i in range(10)])
    records.write(records.Attack, pd.concat([attacks(2), other, words]), finished.folder / "attacks")
    arena.outcome = lambda: finished
    answer = json.loads(arena("battle", "--victim", URL, "--json").stdout)
    char, word = answer["families"]
    assert (char["family"], char["evasion"]["rate"], char["evasion"]["n"]) == ("char", 0.6, 20)
    assert (char["queries"], char["edit_share"]) == (2.0, pytest.approx(0.1))
    # All of its attacks failed, which ten texts show up to Wilson's upper end.
    assert (word["evasion"]["low"], word["edit_share"]) == (0.0, None)
    assert word["evasion"]["high"] == pytest.approx(0.2775, abs=1e-4)
    by_name = {row["strategy"]: row for row in answer["strategies"]}
    assert (by_name["char_typo"]["queries"], by_name["char_typo"]["edit_share"]) == (3.0, pytest.approx(0.1))
    assert answer["texts_per_second"] == 3.0
    shown = " ".join(arena("battles", answer["battle"]).stdout.split())
    assert "family char" in shown
    assert "3 texts a second" in shown


def test_a_battle_of_an_earlier_release_is_shown(arena):
    name = json.loads(arena("battle", "--victim", URL, "--json").stdout)["battle"]
    record = arena.home / "battles" / name / "battle.json"
    document = json.loads(record.read_text())
    for newer in ("families", "texts_per_second"):
        del document["result"][newer]
    for row in document["result"]["strategies"]:
        del row["queries"], row["edit_share"]
    record.write_text(json.dumps(document))
    assert "leet_sub" in arena("battles", name).stdout


@pytest.mark.parametrize(("limit", "code"), [("evasion=0.15", 1), ("evasion=0.2", 0), ("evasion=1", 0)])
def test_a_battle_fails_for_ci_if_more_gets_past_than_the_limit(arena, limit, code):
    result = arena("battle", "--victim", URL, "--json", "--fail-over", limit)
    assert result.exit_code == code
    assert json.loads(result.stdout)["evasion"]["rate"] == 0.2


def test_what_was_not_measured_fails(arena, tmp_path):
    finished = Finished(tmp_path / "run", 0)
    nothing = attacks(0).assign(status="skipped", score_before=0.1)
    records.write(records.Attack, nothing, finished.folder / "attacks")
    arena.outcome = lambda: finished
    assert arena("battle", "--victim", URL, "--fail-over", "evasion=1").exit_code == 1


def test_past_battles_are_listed_and_opened_again(arena):
    assert json.loads(arena("battles", "--json").stdout) == {"battles": []}
    fought = json.loads(arena("battle", "--victim", URL, "--json").stdout)
    (listed,) = json.loads(arena("battles", "--json").stdout)["battles"]
    assert (listed["battle"], listed["state"], listed["victim"]) == (fought["battle"], "finished", "http://127.0.0.1:9")
    assert json.loads(arena("battles", listed["battle"], "--json").stdout) == fought
    assert "leet_sub" in arena("battles", listed["battle"]).stdout
    assert listed["battle"] in arena("battles").stdout
    assert arena("battles", "nothing").exit_code == 2


@pytest.mark.parametrize("victim", ["http://[fe80::1]:8080", "http://host/[red]/:smile:/x"])
@pytest.mark.parametrize("search", [[], ["--search", "greedy", "--budget", "50"]])
def test_a_victim_is_shown_as_it_is(arena, monkeypatch, victim, search):
    monkeypatch.setattr(console.out, "width", 200)
    shown = arena("battle", "--victim", victim, "--map", "p", *search)
    assert shown.exit_code == 0, shown.output
    assert victim in " ".join(shown.stdout.split())
    assert victim in arena("battles").stdout


def dies(arena, answered):
    def outcome():
        if answered:
            from pathlib import Path

            Path(arena.environment[ANSWERS_VARIABLE]).write_text("{}\n")
        raise StageRefusedError("no answer from http://127.0.0.1:9: is the server up?")

    return outcome


def test_a_battle_that_was_cut_short_is_resumed(arena, tmp_path):
    arena.outcome = dies(arena, answered=True)
    result = arena("battle", "--victim", URL, "--budget", "7", "--json")
    assert result.exit_code == 2
    assert "is the server up?; what the filter answered is kept, `arena battle --resume " in result.stderr
    (listed,) = json.loads(arena("battles", "--json").stdout)["battles"]
    assert listed["state"] == "cut short"
    answers = arena.environment[ANSWERS_VARIABLE]
    arena.outcome = lambda: Finished(tmp_path / "run", 1)
    wrong = arena("battle", "--resume", listed["battle"], "--victim", "http://127.0.0.1:8")
    assert wrong.exit_code == 2
    assert "is against http://127.0.0.1:9" in wrong.stderr
    resumed = arena("battle", "--resume", listed["battle"], "--victim", URL, "--json")
    assert resumed.exit_code == 0, resumed.output
    assert (arena.arguments["budget"], arena.environment[ANSWERS_VARIABLE]) == (7, answers)
    assert arena.environment[QUERY_VARIABLE] == f"key={SECRET}"
    assert json.loads(resumed.stdout)["battle"] == listed["battle"]
    assert json.loads(resumed.stdout)["texts_per_second"] is None
    again = arena("battle", "--resume", listed["battle"])
    assert "is finished" in again.stderr


def test_a_resumed_battle_takes_a_header_for_its_own_victim(arena, tmp_path):
    arena.outcome = dies(arena, answered=True)
    arena("battle", "--victim", URL)
    (listed,) = json.loads(arena("battles", "--json").stdout)["battles"]
    arena.outcome = lambda: Finished(tmp_path / "run", 1)
    resumed = arena("battle", "--resume", listed["battle"], "--header", f"Authorization: Bearer {SECRET}")
    assert resumed.exit_code == 0, resumed.output
    assert arena.environment[HEADERS_VARIABLE] == f"Authorization: Bearer {SECRET}"
    assert arena.arguments["victim"] == "http://127.0.0.1:9"


def test_a_battle_against_a_bundle_is_resumed_from_any_folder(arena, tmp_path, tiny_bundle, monkeypatch):
    arena.outcome = dies(arena, answered=True)
    monkeypatch.chdir(tiny_bundle.path.parent)
    assert "`arena battle --resume" in arena("battle", "--victim", tiny_bundle.path.name).stderr
    (listed,) = json.loads(arena("battles", "--json").stdout)["battles"]
    arena.outcome = lambda: Finished(tmp_path / "run", 1)
    resumed = arena("battle", "--resume", listed["battle"], "--victim", tiny_bundle.path.name)
    assert resumed.exit_code == 0, resumed.output
    assert arena.arguments["victim"] == str(tiny_bundle.path)


def test_a_battle_that_cannot_begin_leaves_nothing_behind(arena, monkeypatch):
    def no_engine(*_):
        raise InputError("Docker has no image")

    monkeypatch.setattr(local_runs, "engine", no_engine)
    result = arena("battle", "--victim", URL, "--runner", "docker")
    assert (result.exit_code, "arena: Docker has no image" in result.stderr) == (2, True)
    assert json.loads(arena("battles", "--json").stdout) == {"battles": []}


def test_a_battle_without_an_answer_leaves_nothing_to_resume(arena):
    arena.outcome = dies(arena, answered=False)
    result = arena("battle", "--victim", URL)
    assert result.stderr.strip().splitlines()[-1] == "arena: no answer from http://127.0.0.1:9: is the server up?"
    assert json.loads(arena("battles", "--json").stdout) == {"battles": []}


def test_errors_are_of_the_arena(arena):
    arena.outcome = dies(arena, answered=True)
    assert issubclass(StageRefusedError, InputError)
    assert json.loads(arena("battle", "--victim", URL, "--json").stdout)["error"].startswith("no answer from")
