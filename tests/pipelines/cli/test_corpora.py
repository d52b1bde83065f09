"""`arena data list`, `restore` and `forget`, in a home as runs leave it."""

import gzip
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import zipfile
from collections import OrderedDict

import pandas as pd
import pyarrow.parquet as parquet
import pytest
from mlflow.tracking._tracking_service import utils
from typer.testing import CliRunner

from content_arena.components.corpus_preparation.cleaning import imported_key
from content_arena.components.corpus_preparation.prepare import prepare
from content_arena.components.corpus_versions import places, versions
from content_arena.components.labeling import review
from content_arena.components.registry.registry import MODEL_NAME, Registry
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking import database, forgotten
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.pipelines.cli.app import app
from content_arena.pipelines.execution import home_copies
from tests.components.shared.mlflow_tracking.test_tracking import labelled

WORDS = ["river", "stone", "cloud", "garden", "window", "silver", "quiet", "market", "signal", "bridge", "copper"]
#: The text that somebody wants to be forgotten; e-mail addresses are masked when it is read.
TEXT = "You lukewarm potatoes of <example@example.com>, be gone — 감자야"
STORED = "You lukewarm potatoes of <[email]>, be gone — 감자야"
ATTACKED = "Y0u lukew4rm p0tat0es of <[email]>, be gone — 감자야"
#: What no file may hold once it is forgotten; from a plain hash a short text could be guessed.
TRACES = ("lukewarm potatoes", "lukew4rm p0tat0es", "감자야", records.sha256_of(STORED))


def rows():
    rng = random.Random(5)
    content = [(" ".join(rng.sample(WORDS, 7)), label) for label in ("toxic", "benign") for _ in range(60)]
    return [*({"text": text, "label": label} for text, label in content), *[{"text": TEXT, "label": "toxic"}] * 2]


def attacks(corpus):
    """Attacks on every toxic text, one of them on the text."""
    toxic = corpus[corpus["label"] == "toxic"]
    made = [
        labelled(ATTACKED if row.text == STORED else f"{row.text}!").assign(
            attack_id=f"a{place}", lang="sv", base_id=row.base_id, original_text=row.text, split=row.split
        )
        for place, row in enumerate(toxic.itertuples())
    ]
    return pd.concat(made, ignore_index=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, rows())))
    return path


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory, data):
    """A home as runs leave it.

    Version 1 was trained on the corpus, 2 and 3 continued from it, 4 was trained on attacks, 5 on something else.
    """
    home = tmp_path_factory.mktemp("lived-in") / "home"
    run = home / "runs" / "20261129-120000-abcdef" / "artifacts" / "arena"
    uri = database.uri_of(home / "mlflow.db")
    prepare(str(data), "sv", run / "prepare-corpus" / "corpus", page_path=run / "prepare-corpus" / "quality")
    corpus = records.read(records.Sample, run / "prepare-corpus" / "corpus")
    tracking = Tracking(uri, "run")
    versions.keep(uri, tracking, corpus, "https://me:secret@example.com/in.jsonl")
    tracking.log_page("corpus/quality.html", (run / "prepare-corpus" / "quality").read_text())
    made = attacks(corpus)
    tracking.log_labelled("sv", made)
    tracking.log_regressions("sv", "gather_attacks", made[list(records.Attack.to_schema().columns)])
    records.write(records.LabelledAttack, made, run / "label-attacks" / "labelled")
    (run / "label-attacks" / "review").write_text(made.to_csv(index=False))
    examples = [{"strategy": "s", "original": STORED, "perturbed": ATTACKED}, {"original": "a b", "perturbed": "a_b"}]
    put(run / "evaluate-challenger" / "evaluation", json.dumps({"examples": examples}))
    shutil.copytree(run / "prepare-corpus", home / "reports" / "corpus")
    put(run.parent.parent / "log.txt", f"a line\nValueError: {STORED}\n")
    put(home / "stdin-abcdefgh" / "stdin.csv", TEXT)
    put(home / "errors.log", "Traceback\n")
    battle = {"begun": "2026-11-29 12:00", "victim": "http://host", "arguments": {"query": STORED}, "result": None}
    put(home / "battles" / "20261129-120000-abcdef" / "battle.json", json.dumps(battle))
    answers = {records.sha256_of(STORED): [0.9, True]}
    put(home / "battles" / "20261129-120000-abcdef" / "answers.jsonl", json.dumps(answers))
    written = [{"original_text": text, "texts": {"text": "of it"}} for text in (STORED, "another text")]
    put(home / "llm" / "written.jsonl", "\n".join(map(json.dumps, written)))
    half_written = home / "reports" / "page.html.123.unfinished"
    put(half_written, STORED)
    whole = (run / "label-attacks" / "labelled").read_bytes()
    (run / "label-attacks" / "cut-off").write_bytes(whole[:-100])
    registry = Registry(uri)
    registry.client.create_registered_model(MODEL_NAME)
    digest = records.corpus_digest(corpus)
    made_from = [digest, *(str(number) * 64 for number in range(4))]
    before = ""
    for number, sha256 in enumerate(made_from, start=1):
        facts = {"corpus_sha256": sha256, "started_from": before if number < 4 else ""}
        facts |= {"trained_on_strategies": "leet_sub"} if number == 4 else {}
        tags = facts | {"bundle_sha256": f"bundle {number}", "lang": "sv"}
        registry.client.create_model_version(MODEL_NAME, str(home), tags=tags)
        before = tags["bundle_sha256"]
    return home


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.fixture
def home(lived_in, tmp_path, monkeypatch):
    """A copy of it that the test may change."""
    shutil.copytree(lived_in, tmp_path / "home")
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv(forgotten.KEY_VARIABLE, raising=False)
    return tmp_path / "home"


def arena(*arguments, given=None):
    return CliRunner().invoke(app, ["data", *map(str, arguments)], input=given)


def answer(*arguments, code=0, **options):
    result = arena(*arguments, "--json", **options)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def holding(folder):
    """Files in a folder that hold a trace of the text, whatever their form."""
    found = set()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        content = "\n".join(readings(path.name, path.read_bytes())).casefold()
        if any(trace in content or json.dumps(trace)[1:-1] in content for trace in TRACES):
            found.add(str(path.relative_to(folder)))
    return found


def readings(name, raw):
    """What a file holds as text: as it stands, and what is packed in it."""
    yield raw.decode("utf-8", "replace")
    if raw.startswith(b"PAR1") and raw.endswith(b"PAR1"):
        yield parquet.read_table(io.BytesIO(raw)).to_pandas().to_csv()
    if raw.startswith(b"\x1f\x8b"):
        yield from readings(name, gzip.decompress(raw))
    if raw.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(raw)) as file:
            for inside in file.namelist():
                yield from readings(inside, file.read(inside))
    if raw.startswith(b"SQLite"):
        with sqlite3.connect(":memory:") as connection:
            connection.deserialize(raw)
            yield "\n".join(connection.iterdump())


def test_a_text_is_in_no_file_once_it_is_forgotten(home):
    assert len(holding(home)) >= 11
    said = answer("forget", TEXT, "--yes")
    assert holding(home) == set()
    assert said["texts"] == 1
    kinds = {"files of runs", "artifacts in MLflow", "reports", "files of runs, damaged", "battles"}
    kinds |= {"texts that an LLM wrote"}
    assert {place["kind"] for place in said["places"]} == kinds
    assert not list(home.rglob("cut-off"))
    assert len(said["leftovers_removed"]) == 3
    assert said["remaining"] == []
    how = {each["version"]: each["how"] for each in said["trained_versions"]}
    assert list(how) == ["1", "2", "3", "4"]
    assert how["1"].endswith("has it among the validation texts, by which it was tuned")
    assert [how["2"], how["3"]] == ["it continued from version 1", "it continued from version 2"]
    assert how["4"] == "attacks on it were there to be trained on"
    assert not any(trace in json.dumps(said, ensure_ascii=False) for trace in TRACES)
    again = answer("forget", TEXT, "--yes")
    assert again["forgotten_before"]
    assert again["places"] == []
    assert [each["version"] for each in again["trained_versions"]] == list(how)


def test_every_other_text_stays_where_it_was(home, data, tmp_path):
    (before,) = answer("list")["corpora"]
    assert before["source"] == "https://***@example.com/in.jsonl"
    assert before["trained_versions"] == ["1"]
    assert before["erased"] == {}
    whole = records.read(records.Sample, answer("restore", before["sha256"])["file"])
    said = answer("forget", TEXT, "--yes")
    (after,) = answer("list")["corpora"]
    assert list(after["erased"].values()) == [1]
    assert after["left"] == said["corpora"][0]["left"] != after["sha256"] == before["sha256"]
    for name in (before["sha256"][:8], after["left"]):
        restored = answer("restore", name, "--to", tmp_path / "r.parquet")
        assert restored["sha256"] == after["left"]
        assert restored["erased"] == after["erased"]
        rest = records.read(records.Sample, tmp_path / "r.parquet")
        assert rest.equals(whole[whole["text"] != STORED].reset_index(drop=True))
    shown = arena("restore", before["sha256"][:8])
    assert f"What is left is corpus {after['left'][:12]}" in shown.stdout
    uri = database.uri_of(home / "mlflow.db")
    for source in (data, tmp_path / "r.parquet"):
        counts = prepare(str(source), "sv", tmp_path / "again", tracking_uri=uri)
        again = records.read(records.Sample, tmp_path / "again")
        assert records.corpus_digest(again) == after["left"]
        assert counts["dropped_forgotten"] == (source == data)
    (table,) = Tracking(uri, "another run").earlier_labelled("sv")
    assert len(table) == 59 + 1
    assert len(review.label(table)) == len(table)


def test_a_corpus_comes_back_as_it_was(home, tmp_path):
    (kept,) = answer("list")["corpora"]
    assert kept["rows"] == sum(kept["splits"].values()) == 121
    restored = answer("restore", kept["sha256"][:6], "--to", tmp_path / "corpus.parquet")
    assert restored["sha256"] == kept["sha256"]
    prepare(str(tmp_path / "corpus.parquet"), "sv", tmp_path / "again")
    again = records.read(records.Sample, tmp_path / "again")
    original = records.read(records.Sample, next(home.glob("runs/*/artifacts/arena/prepare-corpus/corpus")))
    assert again[list(original)].equals(original)
    shown = arena("list").stdout
    assert kept["sha256"][:12] in shown
    assert arena("restore", kept["sha256"]).stderr == ""
    assert "not_kept" in answer("list")


def test_an_id_is_enough(home):
    (path,) = home.glob("artifacts/*/artifacts/corpus/corpus.parquet")
    corpus = records.read(records.Sample, path)
    answer("forget", corpus.loc[corpus["text"] == STORED, "sample_id"].iloc[0], "--yes")
    assert holding(home) == set()


def test_the_text_comes_by_standard_input(home):
    answer("forget", "-", "--yes", given=TEXT.upper())
    assert holding(home) == set()


def test_on_a_server_every_artifact_is_fetched_and_put_back(home, monkeypatch):
    """As if MLflow's artifacts were not on this machine: its client reads and writes them."""
    monkeypatch.setattr(places, "_folder_of", lambda address: None)
    # MLflow remembers where the artifacts of a run are, and this home is a copy in the same process.
    monkeypatch.setattr(utils, "_artifact_repos_cache", OrderedDict())
    monkeypatch.setattr(home_copies, "folders", lambda home: [])
    said = answer("forget", TEXT, "--yes")
    assert all(place["where"].startswith("runs:/") for place in said["places"])
    assert {name for name in holding(home) if name.startswith("artifacts")} == set()
    assert answer("list")["corpora"][0]["left"] == said["corpora"][0]["left"]


def test_a_dry_run_changes_nothing(home):
    # A home that was copied is brought in line with where it lies first.
    answer("list")
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != "lock"}
    said = answer("forget", TEXT, "--dry-run")
    assert said["dry_run"] is True
    assert len(said["places"]) >= 7
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != "lock"} == before


def test_a_text_in_another_encoding_is_refused_and_not_missed(home):
    said = answer("forget", "-", "--yes", code=2, given="caf\u00e9 idiot".encode("latin-1"))
    assert "not UTF-8" in said["error"]


def test_nobody_to_ask_is_a_no(home):
    result = arena("forget", TEXT)
    assert result.exit_code == 2
    assert "give --yes to forget it, or --dry-run" in result.stderr
    assert holding(home)


def test_what_is_not_there_is_told(home):
    for arguments, told in (
        (("forget", "no such text", "--yes"), "no corpus, battle, review queue or page here holds this text"),
        (("restore", "abcdef01"), "no corpus abcdef01 is kept here; `arena data list` shows"),
        (("restore", "ab"), "too short"),
        (("restore", answer("list")["corpora"][0]["sha256"], "--to", "corpus.csv"), "ends in .parquet"),
    ):
        assert told in answer(*arguments, code=2)["error"]


def test_files_of_the_users_are_named_and_left(home):
    put(home / "notes of mine.txt", STORED)
    said = answer("forget", TEXT, "--yes", code=1)
    (left,) = said["remaining"]
    assert left["where"] == str(home / "notes of mine.txt")
    assert holding(home) == {"notes of mine.txt"}


def test_without_the_key_nothing_is_read(home, data, tmp_path):
    answer("forget", TEXT, "--yes")
    (home / "forget.key").rename(tmp_path / "forget.key")
    uri = database.uri_of(home / "mlflow.db")
    with pytest.raises(InputError, match=r"1 texts were forgotten, .* copy forget\.key"):
        forgotten.read(uri)
    os.environ[forgotten.KEY_VARIABLE] = (tmp_path / "forget.key").read_text()
    try:
        assert forgotten.read(uri).holds(imported_key(TEXT))
    finally:
        del os.environ[forgotten.KEY_VARIABLE]


def test_a_corpus_that_was_prepared_before_is_refused(home, data, tmp_path):
    prepare(str(data), "sv", tmp_path / "cached")
    answer("forget", TEXT, "--yes")
    uri = database.uri_of(home / "mlflow.db")
    with pytest.raises(InputError, match="give another --data-version"):
        versions.keep(uri, Tracking(uri, "next"), records.read(records.Sample, tmp_path / "cached"), "in.jsonl")


KILLED = """
import os, pathlib, signal, sys
from content_arena.components.shared import atomic
left = int(sys.argv[1])
replace = pathlib.Path.replace
def counted(self, target):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
pathlib.Path.replace = counted
from content_arena.pipelines.cli.app import app
app(["data", "forget", sys.argv[2], "--yes", "--json"])
"""


def test_killed_on_the_way_the_same_command_finishes_it(home):
    (path,) = home.glob("artifacts/*/artifacts/corpus/corpus.parquet")
    corpus = records.read(records.Sample, path)
    name = corpus.loc[corpus["text"] == STORED, "sample_id"].iloc[0]
    killed = subprocess.run([sys.executable, "-c", KILLED, "4", name], capture_output=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for table in home.glob("**/labelled.parquet"):
        assert len(records.read(records.LabelledAttack, table)) in (60, 61)
    answer("forget", name, "--yes")
    assert holding(home) == set()
    assert list(answer("list")["corpora"][0]["erased"].values()) == [1]
