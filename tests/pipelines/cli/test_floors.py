"""A corpus whose labels mean nothing ends in a refusal, and a later run with a better corpus starts anew."""

import json
import random
from pathlib import Path

import pytest

from content_arena.pipelines.definitions.stage_table import GENERATION
from tests.pipelines.command import arena

pytestmark = pytest.mark.slow

SMALL = ["--texts", "8", "--budget", "1", "--epochs", "1", "--device", "cpu"]
EMBEDDED = Path(__file__).parents[3] / "components" / "corpus_preparation" / "corpus" / "en.jsonl"


def texts(n):
    rows = [json.loads(line) for line in EMBEDDED.read_text(encoding="utf-8").splitlines()]
    return [row["text"] for row in random.Random(1).sample(rows, n)]


def write(path, rows):
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    return str(path)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("arena") / "home"


@pytest.fixture(scope="module")
def refused(home, tmp_path_factory):
    """A run on random labels, four texts of five toxic: F1 alone would not show it."""
    draw = random.Random(2)
    rows = [(text, "toxic" if draw.random() < 0.8 else "benign") for text in texts(400)]
    data = write(tmp_path_factory.mktemp("data") / "random.jsonl", rows)
    return arena(home, "run", "--data", data, *SMALL, "--json")


def test_random_labels_make_no_champion(home, refused):
    assert refused.returncode == 1, refused.stderr
    answer = json.loads(refused.stdout)
    assert (answer["promoted"], answer["champion_version"], answer["challenger_version"]) == (False, None, "1")
    failed = [floor["metric"] for floor in answer["floors"] if not floor["passed"]]
    assert "clean_auroc" in failed
    assert any(reason.startswith("clean_auroc ") and "below the floor" in reason for reason in answer["reasons"])
    assert answer["metrics"]["challenger"]["clean_auroc"] < 0.8
    assert set(answer["seconds"]) == set(GENERATION)
    page = Path(answer["report"]).read_text()
    assert "Version 1 is refused: there is no champion" in page
    assert "check that the labels are right" in page


def test_nothing_has_an_alias_and_what_was_refused_is_seen(home, refused):
    status = arena(home, "status")
    assert status.returncode == 0
    assert "There is no champion" in status.stdout
    assert "1 (rejected: " in status.stdout
    assert json.loads(arena(home, "status", "--json").stdout) == {}
    served = arena(home, "serve")
    assert served.returncode == 2
    assert "version 1 was refused" in served.stderr


def test_a_better_corpus_starts_anew(home, refused, tmp_path):
    (tmp_path / "lower.toml").write_text("[floors]\nclean_f1 = 0.3\nclean_auroc = 0.3\n")
    options = ["--max-texts", "240", "--settings", str(tmp_path / "lower.toml"), *SMALL, "--json"]
    finished = arena(home, "run", *options)
    assert finished.returncode == 0, finished.stderr
    answer = json.loads(finished.stdout)
    assert (answer["champion_version"], answer["challenger_version"], answer["generation"]) == ("2", "3", 1)
    assert {floor["metric"]: floor["least"] for floor in answer["floors"]} == {"clean_f1": 0.3, "clean_auroc": 0.3}
    assert {gate["gate"] for gate in answer["gates"]} >= {"clean_f1", "evasion", "guard_auroc"}
