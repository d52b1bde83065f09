"""The stage: what it writes, and what people said before."""

import csv
import json

import pandas as pd

from content_arena.components.labeling import labeling
from content_arena.components.labeling.settings import LabelingSettings
from content_arena.components.shared import records
from content_arena.components.shared.mlflow_tracking import kept_answers
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from tests.components.labeling.battles import battle
from tests.components.labeling.test_quality import corpus  # noqa: F401 - a fixture

ATTACKS = list(records.Attack.to_schema().columns)


def test_a_battle_is_labelled_and_the_word_of_people_counts(tmp_path, corpus, capsys):  # noqa: F811
    records.write(records.Attack, battle("=one", "two", "three")[ATTACKS], tmp_path / "attacks")
    records.write(records.Sample, corpus, tmp_path / "corpus")
    written = labeling.Outputs(*(tmp_path / name for name in ("labelled", "review", "tasks", "corpus_labels")))
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    answer = battle("two").assign(answer="benign", reviewer="ann", day="2026-11-29", is_rewritten=False)
    kept_answers.keep(Tracking(uri, "before").client, answer[list(records.Answer.to_schema().columns)])
    figures = labeling.label_attacks(
        tmp_path / "attacks", tmp_path / "corpus", written, lang="en", pipeline_run="run", tracking_uri=uri,
        settings=LabelingSettings(doubtful_labels=7),
    )  # fmt: skip
    assert {name: figures[name] for name in ("n_labelled", "n_review", "n_by_people", "n_doubtful_labels")} == {
        "n_labelled": 3, "n_review": 2, "n_by_people": 1, "n_doubtful_labels": 7,
    }  # fmt: skip
    assert figures["n_odd_sources"] == 1
    table = records.read(records.LabelledAttack, written.labelled).set_index("perturbed_text")
    assert (table.at["two", "label"], table.at["two", "needs_review"]) == ("benign", False)
    with written.review.open(encoding="utf-8-sig", newline="") as file:
        assert sorted(row["text"] for row in csv.DictReader(file)) == ["'=one", "three"]
    assert sorted(task["data"]["text"] for task in json.loads(written.tasks.read_text())) == ["=one", "three"]
    assert len(json.loads(written.corpus_labels.read_text())["doubtful"]) == 7
    assert "source 'odd' labels otherwise than the rest" in capsys.readouterr().out
    (kept,) = Tracking(uri, "later").earlier_labelled("en")
    pd.testing.assert_series_equal(kept["label"], table["label"].reset_index(drop=True))


def test_a_battle_without_an_attack_has_no_mean_confidence(tmp_path, corpus):  # noqa: F811
    records.write(records.Attack, records.Attack.empty(), tmp_path / "attacks")
    records.write(records.Sample, corpus, tmp_path / "corpus")
    figures = labeling.label_attacks(
        tmp_path / "attacks", tmp_path / "corpus", labeling.Outputs(*(tmp_path / name for name in "abcd")), lang="en",
        pipeline_run="run", tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
        settings=LabelingSettings(doubtful_labels=0),
    )  # fmt: skip
    assert figures == dict.fromkeys(
        ("n_labelled", "n_review", "n_judged", "n_by_people", "n_doubtful_labels", "n_odd_sources"), 0.0
    )
