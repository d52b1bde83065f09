"""Reading: every format gives the same table, and every broken file an error of one line that quotes no text."""

import codecs
import csv
import gzip
import io
import json

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from content_arena.components.corpus_preparation.ingest import ingest
from content_arena.components.corpus_preparation.tables.reading_options import ReadingOptions
from content_arena.components.shared.errors import InputError

ROWS = [
    {"text": 'She said "go away",\nand left', "label": "toxic"},
    {"text": "plain words", "label": "benign"},
    {"text": "두 번째 줄 🙂", "label": "toxic"},
]
SECRET = "xyzzy secret words of a user"


def as_csv(rows, delimiter=",", **options):
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0], delimiter=delimiter, **options)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_json_lines(rows):
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def write(path, content):
    raw = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return str(path)


def read(path, lang="en", **given):
    return ingest(str(path), lang, ReadingOptions.of(given))


def refusal(path, **options):
    with pytest.raises(InputError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert "xyzzy" not in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("gz", ["", ".gz"])
@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".csv", as_csv(ROWS)),
        (".CSV", "\ufeff" + as_csv(ROWS, ";")),
        (".tsv", as_csv(ROWS, "\t")),
        (".jsonl", as_json_lines(ROWS)),
        (".json", as_json_lines(ROWS) + "\n\n"),
    ],
)
def test_reads_every_text_format(tmp_path, suffix, content, gz):
    found = read(write(tmp_path / f"data{suffix}{gz}", content))
    assert found.table["text"].tolist() == [row["text"] for row in ROWS]
    assert found.table["label"].tolist() == [row["label"] for row in ROWS]
    assert set(found.table["source"]) == {f"data{suffix}{gz}"}
    assert set(found.table["lang"]) == {"en"}
    assert found.n_read == 3


def test_reads_parquet(tmp_path):
    pd.DataFrame(ROWS).to_parquet(tmp_path / "data.parquet")
    assert read(tmp_path / "data.parquet").table["text"].tolist() == [row["text"] for row in ROWS]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_reads_an_encoding_that_its_mark_names(tmp_path, encoding):
    path = write(tmp_path / "data.csv", as_csv(ROWS).encode(encoding))
    assert read(path).table["text"].tolist() == [row["text"] for row in ROWS]


def test_reads_tsv_that_was_written_without_quoting(tmp_path):
    path = write(tmp_path / "data.tsv", 'text\tlabel\n"half a quote\t1\nit"s fine\t0\n')
    assert read(path).table["text"].tolist() == ['"half a quote', 'it"s fine']


def test_reads_a_field_longer_than_the_csv_module_likes_and_keeps_its_limit(tmp_path):
    limit = csv.field_size_limit()
    assert len(read(write(tmp_path / "data.csv", as_csv([{"text": "x" * 200_000, "label": 1}]))).table) == 1
    assert csv.field_size_limit() == limit


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(str.strip))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_gives_back_any_text(tmp_path, kind, text):
    path, rows = tmp_path / f"data.{kind}", [{"text": text, "label": "toxic"}]
    if kind == "parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        write(path, as_csv(rows) if kind == "csv" else as_json_lines(rows))
    assert read(path).table["text"].tolist() == [text]


def test_drops_rows_that_cannot_be_decoded(tmp_path):
    content = as_csv([*ROWS, *ROWS]).encode() + "caf\u00e9,toxic\n".encode("latin-1")
    found = read(write(tmp_path / "data.csv", content))
    assert (len(found.table), found.n_read, found.dropped["undecodable"]) == (6, 7, 1)


def test_drops_a_lone_surrogate_that_json_can_spell(tmp_path):
    found = read(write(tmp_path / "data.jsonl", as_json_lines(ROWS) + '\n{"text": "a\\ud800", "label": 1}'))
    assert found.dropped["undecodable"] == 1


def test_drops_parquet_cells_that_cannot_be_decoded(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = pa.array([b"fine", b"caf\xe9"]).view(pa.string())
    pq.write_table(pa.table({"text": texts, "label": [1, 0]}), tmp_path / "data.parquet")
    found = read(tmp_path / "data.parquet")
    assert found.table["text"].tolist() == ["fine"]
    assert found.dropped["undecodable"] == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.jsonl.gz", "", "is empty"),
        ("a.csv", "text,label\n", "has no rows"),
        ("a.csv", b"PK\x03\x04\0\0\0binary", "is a binary file"),
        ("a.csv", "text,label\n" + "\n".join([f"{SECRET} é,1"] * 9), None),
        ("a.csv", codecs.BOM_UTF16_LE + b"a\0b", "UTF-16"),
        ("a.csv", f"text,score\n{SECRET},1\n", "no label column among 'text', 'score'"),
        ("a.csv", f"{SECRET},1\n{SECRET},0\n", "no text column among (28 characters), '1'"),
        ("a.csv", f"text,label\nfine,1\n{SECRET},{SECRET},0\n", "line 3"),
        ("a.csv", f'text,label\nfine,1\n"{SECRET},0\n', "double quotes"),
        ("a.csv", f"text,text,label\n{SECRET},b,0\n", "two columns 'text'"),
        ("a.jsonl", f'{{"text": "fine", "label": 1}}\n\n{{"text": "{SECRET}"\n', "line 3"),
        ("a.jsonl", f'["{SECRET}"]', "element 1 of the JSON array"),
        ("a.json", f'[{{"text": "{SECRET}"', "begins as a JSON array"),
        ("a.json", f'{{"1": {{"text": "{SECRET}"}}, "2": {{"text": "b"}}}}', "jq -c '.[]'"),
        ("a.jsonl", f'"{SECRET}"', "line 1"),
        ("a.jsonl", "[" * 100_000, "nested too deep"),
        ("a.jsonl", '{"a":' * 100_000, "line 1"),
        ("a.jsonl", f'{{"text": ["{SECRET}"], "label": 1}}', "has list values, not texts"),
        ("a.parquet", f"PAR1 {SECRET} PAR1", "no whole Parquet file"),
        ("a.xlsx", "PK", "no whole workbook"),
        ("a.docx", "PK", "suffix .docx"),
        ("a", "PK", "suffix (none)"),
    ],
)
def test_refuses_a_broken_file_in_one_line(tmp_path, name, content, message):
    path = write(tmp_path / name, content)
    if message is None:
        assert len(read(path).table) == 9
    else:
        assert message in refusal(path)


def test_names_what_to_give_as_the_command_line_and_a_pipeline_do(tmp_path):
    path = write(tmp_path / "a.csv", "words,verdict\na,1\n")
    assert "--text-column (text_column in a pipeline)" in refusal(path)
    assert "--label-column (label_column in a pipeline)" in refusal(path, text_column="words")
    path = write(tmp_path / "b.csv", "text,label\na,spam\n")
    assert "--label-column (label_column in a pipeline)" in refusal(path)
    assert "--data (data in a pipeline)" in refusal(tmp_path / "none.csv")


def test_refuses_what_is_no_file(tmp_path):
    assert "no file" in refusal(tmp_path / "none.csv")
    assert "is a folder" in refusal(tmp_path)
    assert "cannot be read" in refusal("a" * 5_000 + ".csv")
    assert "is empty" in refusal(" ")
    assert "nothing can be read from ftp://" in refusal("ftp://bucket/data.csv")


def test_refuses_a_gzip_file_that_was_cut_off(tmp_path):
    path = tmp_path / "data.csv.gz"
    write(path, as_csv(ROWS * 50))
    path.write_bytes(path.read_bytes()[:-20])
    assert "no whole gzip" in refusal(path)
    path.write_bytes(b"\x1f\x8bno,1\n")
    assert "no whole gzip" in refusal(path)


def test_reads_a_file_that_is_named_gz_and_was_unpacked_already(tmp_path):
    path = tmp_path / "data.csv.gz"
    path.write_bytes(b"text,label\nno,1\n")
    assert read(path).table["label"].tolist() == ["toxic"]


@pytest.mark.parametrize("label", ["toxic", "Toxic ", "hate", "Offensive", "1", "1.0", "TRUE", 1, 1.0, True])
def test_knows_the_names_of_toxic(tmp_path, label):
    path = write(tmp_path / "a.jsonl", as_json_lines([{"text": "a", "label": label}]))
    assert read(path).table["label"].tolist() == ["toxic"]


@pytest.mark.parametrize(
    "label", ["benign", "non-toxic", "Not Toxic", "normal", "none", "clean", "0", "false", 0, False]
)
def test_knows_the_names_of_benign(tmp_path, label):
    path = write(tmp_path / "a.jsonl", as_json_lines([{"text": "a", "label": label}]))
    assert read(path).table["label"].tolist() == ["benign"]


@given(label=st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.text())))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_label_is_read_or_refused(tmp_path, label):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "a", "label": label}))
    try:
        table = ingest(str(path), "en").table
    except InputError:
        return
    assert set(table["label"]) <= {"toxic", "benign"}


def test_finds_columns_by_usual_names_whatever_their_case(tmp_path):
    path = write(tmp_path / "a.csv", "ID,Comment_Text,IS_TOXIC\n1,words,yes\n")
    assert read(path).table[["text", "label"]].values.tolist() == [["words", "toxic"]]


def test_takes_the_columns_that_are_named(tmp_path):
    path = write(tmp_path / "a.csv", "text,label,other,verdict\nwrong,0,right,1\n")
    found = read(path, text_column="Other", label_column="verdict")
    assert found.table[["text", "label"]].values.tolist() == [["right", "toxic"]]
    assert "no text column 'nope'" in refusal(path, text_column="nope").replace("there is ", "")
    assert "both text and label" in refusal(path, text_column="label")


def test_reads_jigsaw_before_its_first_column_alone(tmp_path):
    header = "id,comment_text,toxic,severe_toxic,obscene,threat,insult,identity_hate\n"
    path = write(tmp_path / "a.csv", header + "1,a,0,0,0,0,1,0\n2,b,0,0,0,0,0,0\n3,c,1,0,0,0,0,0\n")
    assert read(path).table["label"].tolist() == ["toxic", "benign", "toxic"]
    path = write(tmp_path / "b.csv", header + "1,a,-1,-1,-1,-1,-1,-1\n")
    assert "'-1'" in refusal(path)


def test_keeps_one_language_and_counts_the_others(tmp_path):
    langs = ["en", "EN", "en-US", "", "ko", "fr"]
    rows = [{"text": lang, "label": "toxic" if lang != "ko" else "unheard", "lang": lang} for lang in langs]
    path = write(tmp_path / "a.csv", as_csv(rows))
    found = read(path)
    assert found.table["text"].tolist() == ["en", "EN", "en-US", ""]
    assert found.dropped["other_language"] == 2
    path = write(tmp_path / "b.csv", as_csv([row for row in rows if row["lang"] == "fr"]))
    assert "no row has 'en' in column 'lang', which holds 'fr'" in refusal(path)


def test_takes_over_what_else_the_data_knows(tmp_path):
    row = {"text": "a", "label": 1, "category": "insult", "target_ident": None, "base_id": "b", "source": "s"}
    found = read(write(tmp_path / "a.jsonl", as_json_lines([row]))).table.iloc[0]
    assert found[["categories", "target_ident", "base_id", "source"]].tolist() == [["insult"], None, "b", "s"]
    assert found["sample_id"] is None


def test_refuses_a_language_that_is_none(tmp_path):
    with pytest.raises(InputError, match="ISO 639"):
        ingest("embedded", "../en")
    with pytest.raises(InputError, match="no embedded corpus in 'fi'"):
        ingest("embedded", "fi")
