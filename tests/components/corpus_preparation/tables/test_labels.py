"""What labels mean: words and their negations, columns whose 1 means harmless, codes, lists, scores and maps."""

import json

import pytest

from content_arena.components.corpus_preparation.tables.labels import meaning_of
from content_arena.components.corpus_preparation.tables.reading_options import ReadingOptions
from content_arena.components.shared.errors import InputError
from tests.components.corpus_preparation.tables.written_tables import read, refusal, texts_and_labels, write


def labels(path, lang="en", **given):
    return [label for _, label in texts_and_labels(path, lang, **given)]


def column(tmp_path, values, name="label"):
    rows = [{"text": f"text {number}", name: value} for number, value in enumerate(values)]
    return write(tmp_path / "a.jsonl", "\n".join(json.dumps(row) for row in rows))


@pytest.mark.parametrize(
    "twin", ["hate speech", "hateful", "offensive", "offensive_language", "abusive", "toxic", "insult", "bullying"]
)
@pytest.mark.parametrize("negation", ["not {}", "Not_{}", "non-{}", "NO {}"])
def test_a_negated_label_is_benign_as_its_twin_is_toxic(twin, negation):
    assert meaning_of(twin) == meaning_of([twin]) == "toxic"
    assert meaning_of(negation.format(twin)) == meaning_of(f'["{negation.format(twin)}"]') == "benign"


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("Not Hate Speech", "benign"),
        ('["not_hate_speech"]', "benign"),
        ("['not_hate_speech', 'insult']", "toxic"),
        (["threat", "none"], "toxic"),
        ("toxic, insult", "toxic"),
        ("1,0", "toxic"),
        ("0,0", "benign"),
        ("ham", "benign"),
        ([], "none"),
        ("[]", "none"),
        (" ", "none"),
        (None, "none"),
        (float("nan"), "none"),
        ("no", "benign"),
        ("notable", None),
        ("0,3", None),
        ("2,3", None),
        (-1, None),
        ("toxic, spam", None),
        ({"label": 1}, None),
    ],
)
def test_reads_a_cell(value, meaning):
    assert meaning_of(value) == meaning


@pytest.mark.parametrize("name", ["clean", "is_normal", "neutral", "None", "not_hate", "Non-Toxic", "ham"])
@pytest.mark.parametrize(("one", "zero"), [("1", "0"), (True, False), ("yes", "no"), (1.0, 0.0)])
def test_one_means_benign_in_a_column_that_is_named_for_harmless_texts(tmp_path, name, one, zero):
    path = column(tmp_path, [one, zero, one], name)
    assert labels(path, label_column=name) == ["benign", "toxic", "benign"]
    assert any("was read as benign" in note for note in read(path, label_column=name).notes)


def test_words_mean_the_same_in_a_column_of_any_name(tmp_path):
    assert labels(column(tmp_path, ["toxic", "clean"], "clean"), label_column="clean") == ["toxic", "benign"]


@pytest.mark.parametrize("name", ["toxic", "not", "nothing", "note", "no"])
def test_other_columns_are_read_as_they_stand(tmp_path, name):
    found = read(column(tmp_path, ["1", "0"], name), label_column=name)
    assert found.table["label"].tolist() == ["toxic", "benign"]
    assert not found.notes


MARKS = "text,insult,threat,clean\n"


def test_several_columns_make_one_label_and_name_the_harms(tmp_path):
    path = write(tmp_path / "a.csv", MARKS + "a,1,0,0\nb,1,1,0\nc,0,0,1\nd,0,0,0\ne,0,1,1\nf,,,\n")
    found = read(path, label_columns="insult, threat,clean")
    assert found.table[["text", "label", "categories"]].values.tolist() == [
        ["a", "toxic", ["insult"]],
        ["b", "toxic", ["insult", "threat"]],
        ["c", "benign", []],
    ]
    assert found.dropped["unlabelled"] == 2
    assert found.first_rows["unlabelled"] == (4, 6)
    assert found.dropped["contradictory_label"] == 1
    assert any("'clean' was read as benign" in note for note in found.notes)


def test_without_a_column_of_harmless_texts_a_row_of_zeros_is_benign(tmp_path):
    path = write(tmp_path / "a.csv", MARKS + "a,1,0,0\nb,0,0,0\nc,0,,0\n")
    assert labels(path, label_columns="insult,threat") == ["toxic", "benign"]


def test_a_map_says_which_scores_mean_that_a_column_applies_also_in_one_of_harmless_texts(tmp_path):
    path = write(tmp_path / "a.csv", "text,hate,normal\na,0.9,0.1\nb,0.2,0.8\nc,0.3,0.4\nd,0.6,0.7\n")
    found = read(path, label_columns="hate,normal", label_map=">=0.5=toxic,*=benign")
    assert found.table[["text", "label"]].values.tolist() == [["a", "toxic"], ["b", "benign"]]
    assert found.dropped["unlabelled"] == 1
    assert found.dropped["contradictory_label"] == 1


def test_columns_of_marks_are_offered(tmp_path):
    path = write(tmp_path / "a.csv", "text,gossip,clean\na,1,0\nb,0,1\n")
    message = refusal(path)
    assert "'gossip', 'clean' hold 1 and 0" in message
    assert "--label-columns (label_columns in a pipeline) 'gossip,clean'" in message
    with pytest.raises(InputError, match="not both"):
        ReadingOptions.of({"label_column": "gossip", "label_columns": "gossip,clean"})
    with pytest.raises(InputError, match="names a column twice"):
        ReadingOptions.of({"label_columns": "gossip,Gossip"})
    assert "no label column 'rumour'" in refusal(path, label_columns="gossip,rumour")


def test_harms_beside_the_label_column_that_were_not_read_are_named(tmp_path):
    path = write(tmp_path / "a.csv", "text,toxic,insult,threat\na,0,1,0\nb,1,0,0\n")
    assert any("'insult', 'threat' were not read" in note for note in read(path).notes)
    assert not read(path, label_columns="toxic,insult,threat").notes


def test_unknown_labels_are_refused_with_the_way_to_map_them(tmp_path):
    message = refusal(column(tmp_path, ["8", "0", "2,3", "8", "xyzzy secret words of a user"]))
    assert "unknown labels in 4 rows: '8', '2,3', (28 characters)" in message
    assert "--label-map (label_map in a pipeline), for example '8=benign,*=toxic'" in message
    assert "remove" not in message


def test_scores_are_refused_with_the_way_to_map_them(tmp_path):
    for values in ([0.0, 0.7], ["0,0", "0,7"]):
        path = column(tmp_path, values, "toxicity")
        assert "scores between 0 and 1 in 1 rows" in refusal(path)
        assert "'>=0.5=toxic,*=benign'" in refusal(path)
        assert labels(path, label_map=">=0.5=toxic,*=benign") == ["benign", "toxic"]


@pytest.mark.parametrize(
    ("label_map", "values", "meanings"),
    [
        ("8=benign,*=toxic", ["8", "0", "2,3", 8, "8.0"], ["benign", "toxic", "toxic", "benign", "benign"]),
        ("0=toxic,1=toxic,2=benign", ["0", "1", "2"], ["toxic", "toxic", "benign"]),
        ("offensive=benign", ["hate", "Offensive", "none"], ["toxic", "benign", "benign"]),
        ("very bad=toxic, *=benign", ["Very-Bad", "anything"], ["toxic", "benign"]),
        ("spam=none", ["toxic", "spam", "benign"], ["toxic", "benign"]),
        ("-1=none", ["1", "-1", "0", None], ["toxic", "benign"]),
        (">=0.8=toxic,>=0.2=none,*=benign", [0.9, 0.5, 0.1, 0.8], ["toxic", "benign", "toxic"]),
        ("a=b=toxic,*=benign", ["a=b", "c"], ["toxic", "benign"]),
    ],
)
def test_a_map_says_what_labels_mean(tmp_path, label_map, values, meanings):
    assert labels(column(tmp_path, values), label_map=label_map) == meanings


@pytest.mark.parametrize("label_map", ["8", "8=bad", "=toxic", "8=toxic,8.0=benign", "*=toxic,*=benign", ">=x=toxic"])
def test_a_map_that_says_nothing_is_refused(tmp_path, label_map):
    assert "--label-map" in refusal(column(tmp_path, ["8"]), label_map=label_map)


def test_a_map_leaves_what_it_does_not_name(tmp_path):
    path = column(tmp_path, ["toxic", "spam", "ham"])
    assert labels(path, label_map="spam=toxic") == ["toxic", "toxic", "benign"]
    assert "unknown labels in 1 rows: 'spam'" in refusal(path, label_map="eggs=toxic")


@pytest.mark.parametrize(
    ("cell", "categories"),
    [
        (["insult", "threat", "insult"], ["insult", "threat"]),
        ('["insult", "threat"]', ["insult", "threat"]),
        ("['insult']", ["insult"]),
        ("insult + threat", ["insult", "threat"]),
        ("hate, offensive", ["hate, offensive"]),
        (7, ["7"]),
        ([], []),
        ("[]", []),
        (" ", []),
        (None, []),
    ],
)
@pytest.mark.parametrize("name", ["category", "Categories"])
def test_a_cell_of_categories_is_a_list_of_names(tmp_path, name, cell, categories):
    path = write(tmp_path / "a.jsonl", json.dumps([{"text": "a", "label": 1, name: cell}]))
    assert read(path).table["categories"].tolist() == [categories]


def test_a_category_that_cannot_be_decoded_drops_its_row(tmp_path):
    rows = [{"text": "a", "label": 1, "category": ["b\ud800"]}, {"text": "b", "label": 0, "category": []}]
    found = read(write(tmp_path / "a.jsonl", json.dumps(rows)))
    assert found.table["text"].tolist() == ["b"]
    assert found.dropped["undecodable"] == 1


def test_harms_as_a_list_are_kept_and_what_is_no_word_is_left_out(tmp_path):
    rows = [{"text": "a", "label": 1, "category": ["insult", "threat"], "target_ident": {"group": "x"}}]
    found = read(write(tmp_path / "a.jsonl", json.dumps(rows)))
    assert found.table.iloc[0][["categories", "target_ident"]].tolist() == [["insult", "threat"], None]
    assert "'target_ident' was left out: column 'target_ident' has dict values, not texts" in found.notes
