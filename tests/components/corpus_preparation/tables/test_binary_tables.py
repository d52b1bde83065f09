"""Workbooks and Parquet files."""

import datetime

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.components.corpus_preparation.tables.written_tables import read, refusal, texts_and_labels, write


def workbook(path, *sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"Sheet {number}")
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_reads_a_workbook(tmp_path):
    rows = [
        ["text", "label", "on"],
        ["two\nlines", 1, datetime.date(2024, 5, 1)],
        ["좋은 아침", 0.0, None],
        [2024, "1", ""],
    ]
    path = workbook(tmp_path / "a.xlsx", rows)
    assert texts_and_labels(path) == [("two\nlines", "toxic"), ("좋은 아침", "benign"), ("2024", "toxic")]


def test_empty_rows_and_an_index_without_a_name_are_left_out(tmp_path):
    rows = [[], [None, "text", "label"], [1, "one", True], [None, "", " "], [2, "two", False]]
    path = workbook(tmp_path / "a.xlsx", [], rows)
    found = read(path)
    assert found.n_read == 2
    assert found.table["label"].tolist() == ["toxic", "benign"]


def test_of_several_sheets_the_first_is_read_and_named(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["text", "label"], ["one", 1]], [["text", "label"], ["two", 0]])
    assert texts_and_labels(path) == [("one", "toxic")]
    assert any("only 'Sheet 0' was read" in note for note in read(path).notes)


def test_refuses_a_workbook_that_cannot_be_read(tmp_path):
    assert "two columns 'text'" in refusal(workbook(tmp_path / "a.xlsx", [["text", "text"], ["one", 1]]))
    assert "is empty" in refusal(workbook(tmp_path / "b.xlsx", []))
    assert "has no rows" in refusal(workbook(tmp_path / "c.xlsx", [["text", "label"]]))
    assert "no whole workbook" in refusal(write(tmp_path / "d.xlsx", b"PK\x03\x04 and more"))


def test_only_the_columns_that_are_needed_are_read_from_parquet(tmp_path):
    beyond = pa.array([400_000_000_000, 0], pa.timestamp("s"))
    table = pa.table({"when": beyond, "text": ["one", "two"], "label": [1, 0], "more": [[{"a": 1}], None]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert texts_and_labels(tmp_path / "a.parquet") == [("one", "toxic"), ("two", "benign")]
    message = refusal(tmp_path / "a.parquet", label_column="when")
    assert "column 'when' of" in message
    assert "a.parquet" in message


def test_a_parquet_file_keeps_lists_of_harms(tmp_path):
    pd.DataFrame({"text": ["one", "two"], "label": [1, 0], "category": [["insult", "threat"], []]}).to_parquet(
        tmp_path / "a.parquet"
    )
    assert read(tmp_path / "a.parquet").table["categories"].tolist() == [["insult", "threat"], []]


def test_refuses_two_columns_of_one_name_in_parquet(tmp_path):
    pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]), tmp_path / "a.pq")
    assert "two columns 'text'" in refusal(tmp_path / "a.pq")
