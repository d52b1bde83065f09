"""The options that say what data is, and how it is read."""

import gzip
from pathlib import Path

import pytest
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
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_runs(started, options):
    result = arena("run", *options)
    assert result.exit_code == 2
    assert not started
    assert "hunter2" not in result.output


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
