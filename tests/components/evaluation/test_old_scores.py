"""Scores of another service are read from the tables that people have."""

import csv
import io
import json

import pytest

from content_arena.components.evaluation.old_scores import read_old_scores
from content_arena.components.shared.errors import InputError

SCORES = {"a": {"TOXICITY": 0.5, "INSULT": 0.9}, "b": {"TOXICITY": 1.0, "INSULT": 0.25}}


@pytest.fixture
def read(tmp_path):
    def read(table, name="export.csv", **named):
        path = tmp_path / name
        path.write_text(table, encoding="utf-8")
        return read_old_scores(path, "en", "TOXICITY", named)

    return read


def test_each_attribute_of_a_long_table_has_its_rows(read):
    found = read(
        "Text,attribute,score\na,TOXICITY,.5\nb,INSULT,.9\nc,toxicity,1\nd,TOXICITY,\n,TOXICITY,.1\ne,TOXICITY,2\n"
    )
    toxicity, insult = found["TOXICITY"], found["INSULT"]
    assert (toxicity.texts, toxicity.scores, toxicity.rows, toxicity.n_dropped) == (["a", "c"], [0.5, 1.0], [1, 3], 3)
    assert (insult.texts, insult.scores, insult.n_dropped) == (["b"], [0.9], 0)


def test_a_table_without_attributes_has_scores_of_one(read):
    assert list(read("text,score\na,.5\n")) == ["TOXICITY"]


def test_a_row_without_an_attribute_is_of_none(read):
    assert read("text,attribute,score\na,TOXICITY,.5\nb,,.9\n")["TOXICITY"].texts == ["a"]


def test_a_text_that_is_there_twice_is_one_text(read):
    found = read("comment,value\na,.2\nb,.3\na,.4\n")["TOXICITY"]
    assert (found.texts, found.scores) == (["a", "b"], [pytest.approx(0.3), 0.3])


def answers(scores):
    """As Perspective writes them."""
    return {name: {"summaryScore": {"value": value, "type": "PROBABILITY"}} for name, value in scores.items()}


def as_csv(column_of):
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["text", "lang", *map(column_of, ("TOXICITY", "INSULT"))])
    writer.writerows([text, "en", *scores.values()] for text, scores in SCORES.items())
    return file.getvalue()


@pytest.mark.parametrize(
    ("table", "name"),
    [
        (as_csv(lambda name: name), "export.csv"),
        (as_csv(str.lower), "export.csv"),
        (as_csv("attributeScores.{}.summaryScore.value".format), "export.csv"),
        (
            "".join(json.dumps({"text": text, "attributeScores": answers(of)}) + "\n" for text, of in SCORES.items()),
            "export.jsonl",
        ),
    ],
    ids=["columns", "lower case", "flattened answers", "answers"],
)
def test_a_row_may_have_the_scores_of_several_attributes(read, table, name):
    found = read(table, name)
    assert list(found) == ["TOXICITY", "INSULT"]
    for attribute, scores in found.items():
        assert dict(zip(scores.texts, scores.scores, strict=True)) == {
            text: of[attribute] for text, of in SCORES.items()
        }


def test_a_comment_that_an_attribute_was_not_asked_of_is_not_counted(read):
    rows = [{"text": "a", "attributeScores": answers(SCORES["a"])}, {"text": "b", "attributeScores": None}]
    found = read("".join(json.dumps(row) + "\n" for row in rows), "export.jsonl")
    assert [(scores.texts, scores.n_dropped) for scores in found.values()] == [(["a"], 0), (["a"], 0)]


def test_a_column_of_an_attribute_that_is_named_has_its_scores(read):
    assert read("text,INSULT,score\na,.5,.1\n", score="INSULT")["INSULT"].scores == [0.5]
    assert read("text,INSULT,score\na,.5,.1\n", score="score")["TOXICITY"].scores == [0.1]


def test_columns_can_be_named(read):
    lines = '{"m": "a", "s": 0.5, "k": "TOXICITY"}\n{"m": "b", "s": "nan", "k": "TOXICITY"}\n'
    found = read(lines, "export.jsonl", text="m", score="s", attribute="k")["TOXICITY"]
    assert (found.texts, found.n_dropped) == (["a"], 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "--text-column"),
        ("text,b\n1,2\n", "--score-column"),
        ("text,TOXICITY,score\na,.5,.1\n", "--score-column says which"),
        ("text,score\nhunter2-secret,high\n", "no row"),
        ("text,TOXICITY\nhunter2-secret,high\n", "no row"),
    ],
)
def test_what_cannot_be_used_is_refused_without_quoting_a_text(read, text, words):
    with pytest.raises(InputError, match=words) as refused:
        read(text)
    assert "hunter2" not in str(refused.value)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="a table with old scores"):
        read_old_scores(tmp_path / "none.csv", "en", "TOXICITY", {})
