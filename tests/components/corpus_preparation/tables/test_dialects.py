"""Delimited text: quotes that are characters, separators, blank lines and columns without a name."""

import csv
import io

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from content_arena.components.shared.errors import InputError
from tests.components.corpus_preparation.tables.written_tables import read, refusal, texts_and_labels, write

SWALLOWING = [
    "id\ttext\tlabel",
    '1\t"well that went nicely\t0',
    "2\tyou are a fool\t1",
    "3\tshut up\t1",
    '4\tsaid nobody ever"\t0',
    "5\tsee you tomorrow\t0",
]
FIVE = [
    ('"well that went nicely', "benign"),
    ("you are a fool", "toxic"),
    ("shut up", "toxic"),
    ('said nobody ever"', "benign"),
    ("see you tomorrow", "benign"),
]


def test_a_quote_that_swallows_rows_of_a_tsv_file_is_a_character(tmp_path):
    path = write(tmp_path / "a.tsv", "\n".join(SWALLOWING))
    assert texts_and_labels(path) == FIVE
    assert any("is a character" in note for note in read(path).notes)


def test_a_quote_that_swallows_rows_of_a_csv_file_is_refused_with_a_way_out(tmp_path):
    path = write(tmp_path / "a.csv", "\n".join(SWALLOWING).replace("\t", ","))
    message = refusal(path)
    assert "can be read in two ways" in message
    assert "--quoting" in message
    assert texts_and_labels(path, quoting="none") == FIVE
    assert len(texts_and_labels(path, quoting="csv")) == 2


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('text\tlabel\n"half a quote\t1\nit"s fine\t0\n', ['"half a quote', 'it"s fine']),
        ('text\tlabel\n"this" he said\t1\nfine\t0\n', ['"this" he said', "fine"]),
        # A program that quotes wrote these: the first line, a whole column, or a doubled quote says so.
        ('"text"\t"label"\n"one"\t1\ntwo\t0\n', ["one", "two"]),
        ('text\tlabel\n"one"\t1\n"two"\t0\n', ["one", "two"]),
        ('text\tlabel\n"he said ""no"""\t1\ntwo\t0\n', ['he said "no"', "two"]),
        ('text\tlabel\n"one\nmore"\t1\ntwo\t0\n', ["one\nmore", "two"]),
        ('text\tlabel\n"one\tmore"\t1\ntwo\t0\n', ["one\tmore", "two"]),
    ],
)
def test_tells_quotes_from_characters(tmp_path, content, texts):
    assert read(write(tmp_path / "a.tsv", content)).table["text"].tolist() == texts


def test_refuses_a_tsv_file_that_fits_both_readings(tmp_path):
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"all of it"\t1\ntwo\t0\n')
    assert "--quoting" in refusal(path)
    assert texts_and_labels(path, quoting="none")[0][0] == '"all of it"'
    assert texts_and_labels(path, quoting="csv")[0][0] == "all of it"


def test_refuses_rows_that_quotes_swallow_where_a_line_is_broken(tmp_path):
    lines = [*SWALLOWING[:3], "3\tone\tfield too many\t1", *SWALLOWING[4:]]
    assert "--quoting" in refusal(write(tmp_path / "a.tsv", "\n".join(lines)))


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
def test_the_first_line_may_name_the_separator(tmp_path, delimiter):
    name = "\\t" if delimiter == "\t" else delimiter
    path = write(tmp_path / "a.csv", f"sep={name}\r\ntext{delimiter}label\r\none{delimiter}1\r\n")
    assert texts_and_labels(path) == [("one", "toxic")]


def test_the_separator_that_is_named_wins_over_the_first_one_that_fits(tmp_path):
    path = write(tmp_path / "a.csv", "sep=;\ntext;label, of two\none, two;1\n")
    assert texts_and_labels(path, label_column="label, of two") == [("one, two", "toxic")]


def test_finds_a_separator_that_the_suffix_does_not_promise(tmp_path):
    assert texts_and_labels(write(tmp_path / "a.csv", "text;label\nok, fine;0\n")) == [("ok, fine", "benign")]
    assert texts_and_labels(write(tmp_path / "b.csv", "text\tlabel\nok, fine\t0\n")) == [("ok, fine", "benign")]
    assert texts_and_labels(write(tmp_path / "c.txt", "text\tlabel\nok, fine\t0\n")) == [("ok, fine", "benign")]
    assert texts_and_labels(write(tmp_path / "d.csv", "text;label (0, 1)\nok;0\n"), label_column="label (0, 1)") == [
        ("ok", "benign")
    ]


def test_rows_of_nothing_but_separators_are_no_rows(tmp_path):
    found = read(write(tmp_path / "a.csv", "\n\ntext,label,\n,,\none,1,\n , ,\n,,,,,\n\ntwo,0,\n,,\n"))
    assert found.n_read == len(found.table) == 2


def test_leaves_a_column_without_a_name_out_and_names_it(tmp_path):
    found = read(write(tmp_path / "a.csv", ",text,label\n0,one,1\n1,two,0\n"))
    assert found.table["text"].tolist() == ["one", "two"]
    assert "1 column without a name left out" in found.notes
    assert read(write(tmp_path / "b.csv", "text,label,,\none,1,,\n")).notes == ()


def test_reads_the_row_numbers_of_r_which_have_no_name_in_the_first_line(tmp_path):
    path = write(tmp_path / "a.tsv", '"text"\t"label"\n"1"\t"one"\t1\n"2"\t"two"\t0\n')
    assert texts_and_labels(path) == [("one", "toxic"), ("two", "benign")]
    assert "3 fields where the first has 2" in refusal(write(tmp_path / "b.csv", "text,label\none,more,1\n"))


@pytest.mark.parametrize("header", ["text,note,note,label", "text,text,a,label"])
def test_refuses_two_columns_of_one_name(tmp_path, header):
    assert f"two columns '{header.split(',')[1]}'" in refusal(write(tmp_path / "a.csv", f"{header}\na,b,c,1\n"))


def test_refuses_names_that_differ_in_case_only(tmp_path):
    path = write(tmp_path / "a.csv", "text,Label,label\na,1,0\n")
    assert "'Label' and 'label', which differ in case only" in refusal(path)
    assert texts_and_labels(path, label_column="Label") == [("a", "toxic")]


CELLS = st.text(st.sampled_from("ab \",;\t|\n'é한0") | st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
ROWS = st.lists(st.tuples(CELLS.filter(str.strip), CELLS, st.sampled_from("01")), min_size=1, max_size=6)


@given(
    rows=ROWS,
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE]),
    newline=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    suffix=st.sampled_from(["csv", "tsv", "txt"]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_reads_the_table_that_was_written_or_refuses_it(tmp_path, rows, delimiter, quoting, newline, encoding, suffix):
    if quoting == csv.QUOTE_NONE:
        # Without quoting no such character can be written.
        assume(not any(set(cell) & {delimiter, "\n", "\r"} for row in rows for cell in row))
    elif delimiter == "\t":
        # Rows between two stray quotes of a file without quoting look the same as this.
        assume(not any({"\t", "\n"} <= set(cell) for row in rows for cell in row))
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=newline, quotechar='"')
    try:
        if quoting == csv.QUOTE_NONE:
            out.write(newline.join(delimiter.join(row) for row in [("text", "note", "label"), *rows]) + newline)
        else:
            writer.writerows([("text", "note", "label"), *rows])
    except csv.Error:
        assume(False)
    path = write(tmp_path / f"a.{suffix}", out.getvalue(), encoding)
    wanted = [(text, "toxic" if label == "1" else "benign") for text, _, label in rows]
    try:
        found = texts_and_labels(path)
    except InputError:
        return
    assert found == wanted
