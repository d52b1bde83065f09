"""``arena data check``: answers, exit codes and the page."""

import json
import random

import pytest
from typer.testing import CliRunner

from content_arena.pipelines.cli.app import app

WORDS = ["river", "stone", "cloud", "garden", "window", "silver", "quiet", "market", "signal", "bridge", "copper"]


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def file(tmp_path):
    rng = random.Random(3)
    rows = [(" ".join(rng.sample(WORDS, 9)), label) for label in ("toxic", "benign") for _ in range(60)]
    path = tmp_path / "my comments.csv"
    path.write_text("\n".join(["text,label", *map(",".join, rows), " ,toxic"]))
    return path


def check(*arguments):
    return CliRunner().invoke(app, ["data", "check", "--base-model", "none", *map(str, arguments)])


def test_answers_with_an_object_and_writes_the_page(file, home):
    result = check(file, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["rows_read"] == 121
    assert answer["rows_dropped"]["empty"] == 1
    assert answer["labels"] == {"toxic": 60, "benign": 60}
    assert (answer["warnings"], answer["stops"], answer["reader"]) == ([], [], None)
    assert answer["page"] == str(home / "reports" / "corpus-my-comments.html")
    assert "121 rows were read" in (home / "reports" / "corpus-my-comments.html").read_text()
    assert not (home / "mlflow.db").exists()


def test_says_it_to_people(file, tmp_path):
    result = check(file, "--page", tmp_path / "p" / "page.html")
    assert "dropped: empty" in result.stdout
    assert "A run can start" in result.stdout
    assert (tmp_path / "p" / "page.html").is_file()


def test_a_limit_of_the_settings_file_ends_with_exit_code_1(file, tmp_path):
    (tmp_path / "settings.toml").write_text("[corpus]\nmax_empty = 0.0\n")
    result = check(file, "--settings", tmp_path / "settings.toml", "--json")
    assert result.exit_code == 1
    (stop,) = json.loads(result.stdout)["stops"]
    assert "1 of 121 rows (1%) have no text" in stop


def test_what_cannot_be_read_ends_with_exit_code_2(tmp_path):
    result = check(tmp_path / "none.csv", "--json")
    assert result.exit_code == 2
    assert "none.csv" in json.loads(result.stdout)["error"]


def test_the_reader_of_the_embedded_encoder_is_tried():
    result = CliRunner().invoke(app, ["data", "check", "embedded", "--json"])
    assert result.exit_code == 0, result.output
    reader = json.loads(result.stdout)["reader"]
    assert 0 < reader["n_changed"] < reader["n_texts"]
    assert "examples" not in reader
