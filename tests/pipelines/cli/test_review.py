"""`arena review`: what waits goes out, the answers come back, and what is forgotten leaves them too."""

import csv
import io
import json
import shutil

import pandas as pd
import pyarrow.parquet as parquet
import pytest
from typer.testing import CliRunner

from content_arena.components.labeling import answers
from content_arena.components.registry.registry import MODEL_NAME, Registry
from content_arena.components.shared.mlflow_tracking import database, forgotten, kept_answers
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.pipelines.cli.app import app
from tests.components.labeling.battles import battle

FORMULA = "=HYPERLINK(0) you lukewarm potato"
TEXTS = [FORMULA, "you are a silver river", "nobody needs a quiet market"]


@pytest.fixture(scope="module")
def fought(tmp_path_factory):
    """A home with two battles: all texts of the first wait, and one of them again in the second."""
    home = tmp_path_factory.mktemp("fought") / "home"
    uri = database.uri_of(home / "mlflow.db")
    Tracking(uri, "battle one").log_labelled("en", battle(*TEXTS))
    sure = battle("a text that is sure", before=0.99)
    Tracking(uri, "battle two").log_labelled("en", pd.concat([battle(FORMULA), sure], ignore_index=True))
    Registry(uri).client.create_registered_model(MODEL_NAME)
    return home


@pytest.fixture
def home(fought, tmp_path, monkeypatch):
    shutil.copytree(fought, tmp_path / "home")
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv(forgotten.KEY_VARIABLE, raising=False)
    return tmp_path / "home"


def arena(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def answer(*arguments, code=0):
    result = arena(*arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def sheet_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))


def fill_in(path, *given):
    """Answers the rows of an exported CSV, in its order."""
    rows = sheet_of(path)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(row | {"answer": said} for row, said in zip(rows, given, strict=True))
    return [row["attack_id"].removeprefix("#") for row in rows]


def test_what_waits_goes_out_and_comes_back_for_every_later_training(home, tmp_path):
    listed = answer("review", "list")
    assert listed["texts"] == 3
    assert [(each["battle"], each["waiting"], each["attacks"]) for each in listed["battles"]] == [
        ("battle one", 3, 3),
        ("battle two", 1, 2),
    ]
    assert "3 texts wait, made from 3" in arena("review", "list").stdout
    sheet = tmp_path / "queue.csv"
    assert answer("review", "export", "--out", sheet)["texts"] == 3
    battles = {row["text"]: row["battle"] for row in sheet_of(sheet)}
    assert battles == {f"'{FORMULA}": "battle two", TEXTS[1]: "battle one", TEXTS[2]: "battle one"}
    with_sample = answer("review", "export", "--out", tmp_path / "more.csv", "--sample", "5")
    assert with_sample["texts"] == 4
    assert sheet_of(tmp_path / "more.csv")[-1]["text"] == "a text that is sure"
    ids = fill_in(sheet, "benign", "unreadable", "")
    told = answer("review", "import", sheet, "--reviewer", "ann")
    assert (told["new_answers"], told["unknown_ids"], told["disputed_ids"]) == (2, [], [])
    assert told["unsigned_answers"] == 0
    assert len(told["contradicted_ids"]) == told["voters"]["gold"]["n"] == 1
    assert answer("review", "import", sheet, "--reviewer", "ann")["known_answers"] == 2
    left = answer("review", "list")
    assert [row["attack_id"] for row in left["waiting"]].count(ids[2]) == len(left["waiting"]) > 0
    tracking = Tracking(database.uri_of(home / "mlflow.db"), "a later run")
    said = answers.settled(kept_answers.read(tracking.client))
    done = pd.concat(answers.applied(table, said) for table in tracking.earlier_labelled("en"))
    by_id = done.set_index("attack_id")
    assert set(by_id.loc[[ids[0]], "label"]) == {"benign"}
    assert not by_id.loc[[ids[0]], "needs_review"].any()
    assert by_id.loc[[ids[1]], "needs_review"].all()


def test_label_studio_and_what_people_disagree_on(home, tmp_path):
    tasks = tmp_path / "tasks.json"
    exported = answer("review", "export", "--format", "labelstudio", "--out", tasks)
    assert "<Choices" in exported["label_config"]
    document = json.loads(tasks.read_text())
    for person, said in ((1, "toxic"), (2, "benign")):
        choice = {"from_name": "answer", "to_name": "text", "type": "choices", "value": {"choices": [said]}}
        done = [{**task, "annotations": [{"completed_by": person, "result": [choice]}]} for task in document]
        tasks.write_text(json.dumps(done))
        shown = arena("review", "import", tasks)
    assert shown.exit_code == 0, shown.output
    assert "disagree without a majority about ids " in shown.stdout
    assert answer("review", "list")["texts"] == 3


def test_a_bad_file_is_refused_and_nothing_is_kept(home, tmp_path):
    sheet = tmp_path / "queue.csv"
    answer("review", "export", "--out", sheet)
    fill_in(sheet, "toxic", "toxic", "perhaps")
    assert "row 4 has an answer that is none of" in answer("review", "import", sheet, code=2)["error"]
    assert "cannot be read" in answer("review", "import", tmp_path / "none.csv", code=2)["error"]
    assert "is a folder" in answer("review", "export", "--out", tmp_path, code=2)["error"]
    assert answer("review", "list")["texts"] == 3
    assert kept_answers.read(Registry(database.uri_of(home / "mlflow.db")).client).empty


def test_a_forgotten_text_leaves_the_answers_and_the_exports_in_the_home(home, tmp_path):
    exports = home / "runs" / "20261129-120000-abcdef" / "artifacts"
    for kind in ("csv", "labelstudio"):
        answer("review", "export", "--format", kind, "--out", exports / kind)
    sheet = tmp_path / "queue.csv"
    answer("review", "export", "--out", sheet)
    fill_in(sheet, "toxic", "toxic", "toxic")
    result = arena("review", "import", sheet, "--json")
    assert json.loads(result.stdout)["unsigned_answers"] == 3
    assert "nobody is named for 3 of the answers" in result.stderr
    said = answer("data", "forget", FORMULA, "--yes")
    assert len(said["places"]) == 5, said
    for path in (path for path in home.rglob("*") if path.is_file()):
        raw = path.read_bytes()
        content = parquet.read_table(path).to_pandas().to_csv() if raw.startswith(b"PAR1") else raw.decode("latin-1")
        assert "lukewarm" not in content, path
    assert len(json.loads((exports / "labelstudio").read_text())) == 2
    client = Registry(database.uri_of(home / "mlflow.db")).client
    assert sorted(kept_answers.read(client)["perturbed_text"]) == sorted(TEXTS[1:])
    again = answer("review", "import", sheet)
    assert (again["new_answers"], len(again["unknown_ids"])) == (0, 1)


def test_an_arena_without_a_battle_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert "there is no arena" in answer("review", "list", code=2)["error"]
