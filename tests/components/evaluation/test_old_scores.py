"""Scores of another service are read from the tables that people have."""

import pytest

from content_arena.components.evaluation.old_scores import read_old_scores
from content_arena.components.shared.errors import InputError


@pytest.fixture
def read(tmp_path):
    def read(table, name="export.csv", **named):
        path = tmp_path / name
        path.write_text(table, encoding="utf-8")
        return read_old_scores(path, "en", "TOXICITY", named)

    return read


def test_rows_of_the_attribute_are_taken_and_others_counted(read):
    found = read(
        "Text,attribute,score\na,TOXICITY,.5\nb,INSULT,.9\nc,toxicity,1\nd,TOXICITY,\n,TOXICITY,.1\ne,TOXICITY,2\n"
    )
    assert (found.texts, found.scores, found.rows) == (["a", "c"], [0.5, 1.0], [1, 3])
    assert (found.n_dropped, found.others) == (3, {"INSULT": 1})


def test_a_text_that_is_there_twice_is_one_text(read):
    found = read("comment,value\na,.2\nb,.3\na,.4\n")
    assert (found.texts, found.scores) == (["a", "b"], [pytest.approx(0.3), 0.3])


def test_columns_can_be_named(read):
    lines = '{"m": "a", "s": 0.5, "k": "TOXICITY"}\n{"m": "b", "s": "nan", "k": "TOXICITY"}\n'
    found = read(lines, "export.jsonl", text="m", score="s", attribute="k")
    assert (found.texts, found.n_dropped) == (["a"], 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "--text-column"),
        ("text,b\n1,2\n", "--score-column"),
        ("text,score\nhunter2-secret,high\n", "no row"),
        ("text,attribute,score\nhunter2-secret,INSULT,.5\n", "no row"),
    ],
)
def test_what_cannot_be_used_is_refused_without_quoting_a_text(read, text, words):
    with pytest.raises(InputError, match=words) as refused:
        read(text)
    assert "hunter2" not in str(refused.value)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="a table with old scores"):
        read_old_scores(tmp_path / "none.csv", "en", "TOXICITY", {})
