"""The evaluation as a document: a written one can be read, and an incomplete one is refused with the field's name."""

import copy
import json
import math

import pytest

from content_arena.components.shared import figures
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.evaluations import evaluation_record
from content_arena.components.shared.evaluations.evaluation_record import Evaluation
from content_arena.components.shared.evaluations.model_evaluation import AttributeFigures
from content_arena.components.shared.figures import Rate
from tests.evaluations import evaluation, example, parsed, rate, strategy


def whole():
    return evaluation(strategies=[strategy()], examples=[example()])


def without(value, path=()):
    """Every way to lose one field: the path to it, and the same data without it."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            if isinstance(value, dict):
                changed = copy.copy(value)
                del changed[key]
                yield (*path, key), changed
            for inner_path, inner in without(value[key], (*path, key)):
                changed = copy.copy(value)
                changed[key] = inner
                yield inner_path, changed


def test_what_is_written_is_read(tmp_path):
    found = Evaluation.from_json(whole())
    evaluation_record.write(found, tmp_path / "folder" / "evaluation.json")
    assert evaluation_record.read(tmp_path / "folder" / "evaluation.json") == found
    assert json.loads((tmp_path / "folder" / "evaluation.json").read_text()) == whole()


def test_every_field_is_needed_and_named_where_it_is_missing():
    lost = list(without(whole()))
    assert len(lost) > 100
    for path, changed in lost:
        with pytest.raises(InputError, match=f"no field '{path[-1]}'"):
            Evaluation.from_json(changed)


def test_a_figure_may_be_null_or_no_number_and_is_not_measured_then():
    found = parsed(challenger={"clean_f1": None, "latency_p95_ms": math.nan, "evasion": rate(0.5, n=0)}).challenger
    assert [found.figures[name] for name in ("clean_f1", "latency_p95_ms", "evasion")] == [None, None, Rate(None, 0)]
    assert found.headline()["evasion"] is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lang": 7}, "the evaluation.lang is a number, it has to be a text"),
        ({"seed": 1.5}, "the evaluation.seed is a number, it has to be a whole number"),
        ({"champion": []}, "the evaluation.champion is a list, it has to be an object"),
        ({"strategies": None}, "the evaluation.strategies is null, it has to be a list"),
        ({"challenger": {"evasion": 0.5}}, "challenger.evasion is a number, it has to be an object"),
        ({"challenger": {"evasion": rate(0.5, n=-3)}}, "challenger.evasion.n is -3, it has to be 0 or more"),
        ({"challenger": {"clean_f1": "0.9"}}, "challenger.clean_f1 is a text, it has to be a number or null"),
        ({"challenger": {"clean_f1": True}}, "challenger.clean_f1 is true or false, it has to be a number or null"),
        ({"challenger": {"threshold": 10**400}}, "challenger.threshold is a number, it has to be a finite number"),
        ({"challenger": {"confusion": [[1, 2]]}}, "the confusion matrix has to be"),
        ({"challenger": {"roc": {"fpr": [0], "tpr": [], "thresholds": []}}}, "a ROC curve has to have as many"),
    ],
)
def test_what_is_of_the_wrong_type_is_named(changes, message):
    changes = {key: whole()[key] | value if key == "challenger" else value for key, value in changes.items()}
    with pytest.raises(InputError) as caught:
        Evaluation.from_json(whole() | changes)
    assert message in str(caught.value)


def test_an_error_quotes_no_text_of_an_attacker():
    hostile = example(original="a text that is a secret") | {"score_before": "you idiot"}
    with pytest.raises(InputError) as caught:
        Evaluation.from_json(evaluation(examples=[hostile]))
    assert "examples[0].score_before" in str(caught.value)
    assert "idiot" not in str(caught.value)


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"champion": {}}', "\ud800"])
def test_a_file_that_is_no_evaluation_is_named(tmp_path, text):
    path = tmp_path / "evaluation.json"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=r"evaluation\.json cannot be read"):
        evaluation_record.read(path)


def test_the_headline_is_a_part_of_the_table_in_its_order():
    expected = [figure.name for figure in figures.FIGURES if figure.in_headline]
    assert list(parsed().champion.headline()) == expected
    assert set(parsed().champion.figures) == set(figures.by_name())


def test_attributes_are_there_where_a_model_scores_some(tmp_path):
    scored = {"INSULT": {"auroc": 0.9, "n_positive": 3, "n": 7}, "THREAT": {"auroc": None, "n_positive": 0, "n": 7}}
    found = parsed(challenger={"attributes": scored})
    assert found.challenger.attributes["INSULT"] == AttributeFigures(auroc=0.9, n_positive=3, n=7)
    assert found.champion.attributes == {}
    assert found.as_json()["challenger"]["attributes"] == scored
    with pytest.raises(InputError, match=r"attributes.INSULT.n is a text"):
        parsed(challenger={"attributes": {"INSULT": scored["INSULT"] | {"n": "7"}}})
