"""``arena attack TEXT``: what gets one text past a filter."""

import json

import pytest
from typer.testing import CliRunner

from content_arena.pipelines.cli.app import app
from content_arena.pipelines.execution.home import ArenaHome
from tests import llm_server
from tests.components.attack_generation.filters import serving
from tests.llm_server import KEY

SECRET = "geheim-4711"


@pytest.fixture
def arena(tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def run(text, *options, victim=tiny_bundle.path):
        return CliRunner().invoke(app, ["attack", text, "--victim", str(victim), *options])

    return run


def test_a_text_alone(arena):
    options = ("--strategies", "char_split,char_typo", "--search-budget", "10", "--json")
    first, again = (json.loads(arena("you are a stupid idiot", *options).stdout) for _ in range(2))
    assert first == again
    assert first["flagged"] is True
    assert [row["attack"] for row in first["attacks"]] == ["char_split", "char_typo", "greedy"]
    assert all(row["queries"] <= 10 for row in first["attacks"])
    shown = arena("you are a stupid idiot", "--strategies", "char_split", "--search", "random").stdout
    assert "char_split" in shown
    assert "random" in shown


def test_what_an_llm_wrote_for_it_is_kept_in_the_home(arena, tmp_path, monkeypatch):
    monkeypatch.setenv("CONTENT_ARENA_LLM_MODEL", "stand-in")
    monkeypatch.setenv("CONTENT_ARENA_LLM_API_KEY", KEY)
    options = ("--families", "llm", "--search-budget", "5", "--json")
    with llm_server.serving() as llm:
        monkeypatch.setenv("CONTENT_ARENA_LLM_BASE_URL", llm.url)
        result = arena("you are a stupid idiot", *options)
        n_asked = len(llm.bodies)
        again = arena("you are a stupid idiot", *options)
        assert (n_asked > 0, len(llm.bodies)) == (True, n_asked)
    assert json.loads(result.stdout) == json.loads(again.stdout)
    assert "stand-in wrote " in result.stderr
    kept = (tmp_path / "home" / "llm" / "written.jsonl").read_text()
    assert "you are a stupid idiot" in kept
    assert KEY not in f"{result.output}{kept}"


def test_an_llm_is_not_asked_while_another_run_holds_the_home(arena, monkeypatch):
    monkeypatch.setenv("CONTENT_ARENA_LLM_MODEL", "stand-in")
    monkeypatch.setenv("CONTENT_ARENA_LLM_BASE_URL", "http://127.0.0.1:9/v1")
    with ArenaHome.from_environment().exclusive():
        result = arena("you are a stupid idiot", "--families", "llm")
        assert result.exit_code == 2
        assert "another run is using" in result.stderr
        assert arena("you are a stupid idiot", "--strategies", "leet_sub", "--search-budget", "5").exit_code == 0


def test_a_text_that_is_not_flagged_is_said(arena):
    result = arena("have a nice day")
    assert result.exit_code == 0
    assert "there is nothing to get past" in result.stderr


@pytest.mark.parametrize("options", [["--strategies", "magic"], ["--families", "magic"], ["--search", "ladder"]])
def test_what_there_is_not_is_refused(arena, options):
    assert arena("you idiot", *options).exit_code == 2


@pytest.mark.parametrize(
    ("text", "victim", "told"),
    [
        ("   ", None, "the text is empty"),
        ("x" * 5_001, None, "the text has 5,001 characters"),
        ("you idiot", "localhost:8080", "give http://localhost:8080"),
        ("you idiot", "nobody", "no victim 'nobody'"),
        ("you idiot", "champion", "there is no arena in"),
    ],
)
def test_what_cannot_be_attacked_is_told(arena, text, victim, told):
    result = arena(text, **({"victim": victim} if victim else {}))
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_function(arena, tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(
        "def score(texts):\n    return [0.9 if 'idiot' in text else 0.2 for text in texts]\n"
    )
    monkeypatch.chdir(tmp_path)
    result = arena("you idiot", "--strategies", "leet_sub", "--json", victim="python:own.py:score")
    assert result.exit_code == 0, result.output
    assert any(row["gets_past"] for row in json.loads(result.stdout)["attacks"])
    (tmp_path / "own.py").write_text("def score(texts):\n    return 0.5\n")
    result = arena("you idiot", victim="python:own.py:score")
    assert (result.exit_code, "python:own.py:score returned something that is not scores" in result.stderr) == (2, True)


def test_a_login_is_used_and_not_shown(arena):
    with serving() as server:
        server.make = lambda body: {"predictions": [0.9 if "idiot" in text else 0.2 for text in body["instances"]]}
        url = f"{server.url.replace('http://', f'http://user:{SECRET}@')}?key={SECRET}"
        result = arena("you idiot", "--header", f"X-Key: {SECRET}", "--strategies", "leet_sub", "--json", victim=url)
        assert json.loads(result.stdout)["victim"] == server.url
        assert server.paths[0].endswith(SECRET)
        assert server.asked[0]["X-Key"] == SECRET
    assert SECRET not in result.stdout + result.stderr
    assert any(row["gets_past"] for row in json.loads(result.stdout)["attacks"])


def test_a_settings_file_says_how_an_llm_is_asked_and_what_is_attacked_with(arena, tmp_path, monkeypatch):
    monkeypatch.setenv("CONTENT_ARENA_LLM_MODEL", "stand-in")
    file = tmp_path / "settings.toml"
    file.write_text(
        "[llm]\ntemperature = 0.25\nmax_tokens = 77\n"
        "[attack]\nbudget = 2\nmax_edit_share = 0.3\nstrategies = ['llm_paraphrase', 'leet_sub']\n"
    )
    options = ("--settings", str(file), "--search-budget", "5", "--json")
    with llm_server.serving() as llm:
        monkeypatch.setenv("CONTENT_ARENA_LLM_BASE_URL", llm.url)
        answer = json.loads(arena("you are a stupid idiot", *options).stdout)
        assert {(body["temperature"], body["max_tokens"]) for body in llm.bodies} == {(0.25, 77)}
        n_asked = len(llm.bodies)
        chosen = json.loads(arena("you are a stupid idiot", *options, "--strategies", "char_typo").stdout)
        assert len(llm.bodies) == n_asked
    assert [row["attack"] for row in answer["attacks"]] == ["leet_sub", "llm_paraphrase", "greedy"]
    assert all(row["queries"] <= 2 for row in answer["attacks"][:2])
    assert [row["attack"] for row in chosen["attacks"]] == ["char_typo", "greedy"]


@pytest.mark.parametrize("content", ["[llm]\ntemperature = 3", "[llm]\nheat = 1", "[attack]\nfamilies = ['magic']"])
def test_a_settings_file_that_cannot_be_used_is_refused(arena, tmp_path, content):
    file = tmp_path / "settings.toml"
    file.write_text(content)
    assert arena("you idiot", "--settings", str(file)).exit_code == 2
