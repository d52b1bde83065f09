"""Records: a written table can be read, and an invalid one is refused without quoting its texts."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError

ROW = {
    "sample_id": "a",
    "base_id": "a",
    "text": "some words",
    "label": "toxic",
    "lang": "en",
    "categories": [],
    "target_ident": None,
    "source": "test",
    "split": "train",
}


def table(**changes):
    return pd.DataFrame([{**ROW, **changes}])


def test_reads_what_it_wrote(tmp_path):
    records.write(records.Sample, table(), tmp_path / "new" / "t.parquet")
    assert records.read(records.Sample, tmp_path / "new" / "t.parquet")["text"].tolist() == ["some words"]


@given(st.lists(st.lists(st.text(min_size=1)), min_size=1, max_size=4))
@settings(max_examples=15)
def test_categories_are_lists_as_they_were_written(tmp_path_factory, lists):
    path = tmp_path_factory.mktemp("records") / "t.parquet"
    rows = [{**ROW, "sample_id": str(number), "categories": names} for number, names in enumerate(lists)]
    records.write(records.Sample, pd.DataFrame(rows), path)
    assert records.read(records.Sample, path)["categories"].tolist() == lists


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"label": "harmless"}, "label"),
        ({"split": "holdout"}, "split"),
        ({"text": ""}, "text"),
        ({"text": "x" * 5001}, "text"),
        ({"labell": 1}, "labell"),
        ({"categories": "insult"}, "categories"),
        ({"categories": ["insult", None]}, "categories"),
        ({"categories": [""]}, "categories"),
    ],
)
def test_refuses_what_does_not_fit_and_names_the_column(changes, named, tmp_path):
    with pytest.raises(InputError, match=named):
        records.write(records.Sample, table(**changes), tmp_path / "t.parquet")
    assert not (tmp_path / "t.parquet").exists()


def test_error_does_not_quote_the_text(tmp_path):
    with pytest.raises(InputError) as caught:
        records.write(records.Sample, table(text="secret" * 1000), tmp_path / "t.parquet")
    assert "secret" not in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        records.read(records.Sample, tmp_path / "nowhere.parquet")


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4), st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_digest_is_equal_for_equal_tables_only(left, right):
    first, second = (pd.DataFrame(rows, columns=["a", "b"]) for rows in (left, right))
    separators = any(mark in cell for rows in (left, right) for row in rows for cell in row for mark in "\x1f\x1e")
    if not separators:
        assert (records.digest(first, ["a", "b"]) == records.digest(second, ["a", "b"])) == (left == right)
