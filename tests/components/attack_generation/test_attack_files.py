"""Attacks as a file: every format holds the same table, and no cell of a CSV is a formula."""

import csv
import json

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from content_arena.components.attack_generation import attack_files
from content_arena.components.shared import records
from content_arena.components.shared.csv_cells import original
from content_arena.components.shared.errors import InputError


def attacks(*texts):
    rows = [
        {
            "attack_id": f"a{i}", "base_id": f"b{i}", "lang": "en", "strategy": "leet_sub", "family": "char",
            "params": "{}", "seed": 1, "intensity": 1.0, "budget": 3, "original_text": "you idiot",
            "perturbed_text": text, "label_gold": "toxic", "victim_version": "v", "threshold": 0.5,
            "score_before": 0.9, "score_after": 0.1, "status": "success", "n_queries": 1, "edit_distance": 1,
            "pct_changed": 0.1, "similarity": 0.9, "split": "validation", "meaning": float("nan"),
        }
        for i, text in enumerate(texts)
    ]  # fmt: skip
    return pd.DataFrame(rows)


HOSTILE = ['=HYPERLINK("http://x","y")', "@SUM(1)", "a\r\n=1+1", 'two "quoted", cells', "\u202eيد", "바보", "\t-1"]


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl", "A.CSV"])
def test_every_format_has_the_whole_table(tmp_path, name):
    table = attacks(*HOSTILE)
    path = tmp_path / name
    attack_files.write(table, path)
    read = {
        ".parquet": lambda: records.read(records.Attack, path).to_dict("records"),
        ".jsonl": lambda: [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]],
        ".csv": lambda: list(csv.DictReader(path.open(encoding="utf-8-sig", newline=""))),
    }[path.suffix.lower()]
    rows = read()
    assert list(rows[0]) == list(records.Attack.to_schema().columns)
    texts = [row["perturbed_text"] for row in rows]
    assert [original(text) if path.suffix.lower() == ".csv" else text for text in texts] == HOSTILE
    assert [float(row["score_after"]) for row in rows] == [0.1] * len(HOSTILE)
    # What was not measured is empty, and null in JSON, which has no NaN.
    assert path.suffix == ".parquet" or {row["meaning"] for row in rows} <= {None, ""}
    assert [path.name for path in tmp_path.iterdir()] == [name]


@given(st.text(st.characters(codec="utf-8"), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_no_cell_of_a_csv_is_a_formula(tmp_path, text):
    path = tmp_path / "a.csv"
    attack_files.write(attacks(text), path)
    (row,) = csv.DictReader(path.open(encoding="utf-8-sig", newline=""))
    assert not any(cell.lstrip(' "').startswith(tuple("=+-@\t\r\n＝＋－＠")) for cell in row.values())
    assert original(row["perturbed_text"]) == text


def test_no_attacks_are_a_table_without_rows(tmp_path):
    attack_files.write(records.Attack.empty(), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text(encoding="utf-8-sig").startswith("attack_id,")


@pytest.mark.parametrize(
    ("name", "message"), [("a.xlsx", "the ending decides"), ("none/a.csv", "no folder"), ("f.csv", "is a folder")]
)
def test_what_could_not_be_written_is_refused(tmp_path, name, message):
    (tmp_path / "f.csv").mkdir()
    with pytest.raises(InputError, match=message):
        attack_files.check(tmp_path / name)
