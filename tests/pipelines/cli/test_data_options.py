"""The options that say what data is, and how it is read."""

import gzip
import json
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy
from typer.testing import CliRunner

from content_arena.pipelines.cli import local_runs
from content_arena.pipelines.cli.app import app
from content_arena.pipelines.cli.standard_input import suffix_of


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Arguments of the pipelines that a command starts, and the content of their data; nothing runs."""
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    found = []

    def follow(pipeline, arguments, home, engine):
        path = Path(arguments["data"])
        found.append((arguments, path.read_bytes() if path.is_file() else None))
        raise KeyboardInterrupt

    monkeypatch.setattr(local_runs, "follow", follow)
    return found


def arena(*arguments, piped=None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=piped)


def test_how_to_read_the_data_reaches_the_pipeline(started):
    options = {"label_columns": "a,b,c", "label_map": "8=benign,*=toxic", "quoting": "none", "encoding": "cp1252"}
    arena("run", *(part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)))
    assert started[0][0].items() >= options.items()
    arena("battle", "--victim", "http://localhost:1", "--label-column", "clean")
    assert started[1][0]["label_column"] == "clean"


@pytest.mark.parametrize(
    "options",
    [
        ["--label-map", "8"],
        ["--quoting", "some"],
        ["--encoding", "utf-99"],
        ["--label-column", "a", "--label-columns", "a,b"],
        ["--lang", "englsih"],
        ["--data", "https://me:hunter2@example.com/a.csv"],
        ["--data", "-"],
        ["--data", "postgresql://me:hunter2@host/data", "--query", "select 1"],
        ["--data", "postgresql://host/data", "--query", "select dblink('password=hunter2')"],
        ["--data", "postgresql://host/data"],
        ["--data", "postgresql://host/data", "--query", "drop table comments"],
        ["--query", "select 1"],
        ["--guard", "postgresql://me:hunter2@host/data"],
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_runs(started, options):
    result = arena("run", *options)
    assert result.exit_code == 2
    assert not started
    assert "hunter2" not in result.output


def test_a_database_reaches_the_pipeline_with_its_query_and_its_whole_path(started, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arena("run", "--data", "sqlite:///some where.db", "--query", "select text, label from comments")
    arguments = started[0][0]
    assert arguments["data"] == f"sqlite:///{tmp_path}/some where.db"
    assert arguments["query"] == "select text, label from comments"


def test_checks_a_database(tmp_path, monkeypatch):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONTENT_ARENA_DATA_PASSWORD", "hunter2")
    with sqlite3.connect(tmp_path / "comments.db") as connection:
        connection.execute("create table comments (body text, verdict integer)")
        rows = [(f"{'bad' if n % 2 else 'good'} words, number {n * 7919}", n % 2) for n in range(140)]
        connection.executemany("insert into comments values (?, ?)", rows)
    connection.close()
    query = "select body as text, verdict as label from comments"
    address = f"sqlite:///{tmp_path}/comments.db"
    result = arena("data", "check", address, "--query", query, "--base-model", "none", "--json")
    answer = json.loads(result.stdout)
    assert (answer["rows_read"], answer["stops"]) == (140, [])
    assert "hunter2" not in result.output + Path(answer["page"]).read_text()
    result = arena("data", "check", address, "--query", "select body from comment", "--json")
    assert result.exit_code == 2
    assert "no such table: comment" in json.loads(result.stdout)["error"]


def test_a_password_is_in_no_message_and_no_log(tmp_path, monkeypatch):
    """Whatever a driver raises, and however deep."""
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    monkeypatch.setenv("CONTENT_ARENA_DATA_PASSWORD", "hunter2")

    def fail(url, **given):
        raise DriverError(f"cannot log in with {url.password}")

    monkeypatch.setattr(sqlalchemy, "create_engine", fail)
    result = arena("data", "check", "postgresql://me@host/data", "--query", "select 1", "--json")
    assert result.exit_code == 2
    assert "cannot log in with ***" in json.loads(result.stdout)["error"]
    kept = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any("hunter2" in text for text in [result.output, *kept])


class DriverError(Exception):
    __module__ = "some_driver.errors"


@pytest.mark.parametrize("lang", ["English", "eng", "en-US", "EN"])
def test_a_language_is_taken_as_people_write_it(started, lang):
    arena("run", "--lang", lang)
    assert started[0][0]["lang"] == "en"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_a_file_for_the_time_of_the_command(started, pack):
    content = b"text\tlabel\none\t1\n"
    arena("run", "--data", "-", piped=pack(content))
    arguments, found = started[0]
    assert found == content
    assert Path(arguments["data"]).name == "stdin.tsv"
    assert not Path(arguments["data"]).exists()


@pytest.mark.parametrize(
    ("raw", "suffix"),
    [
        (b"text,label\n", ".csv"),
        (b"\xef\xbb\xbftext\tlabel\n", ".tsv"),
        (b' {"text": 1}', ".jsonl"),
        (b"[{}]", ".jsonl"),
        (b"PAR1", ".parquet"),
        (b"PK\x03\x04", ".xlsx"),
    ],
)
def test_the_kind_of_standard_input_is_found(raw, suffix):
    assert suffix_of(raw) == suffix
