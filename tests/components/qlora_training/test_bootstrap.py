"""The stage bootstrap_champion, with a bundle in place of a training: what becomes of the version that was trained."""

import json
from pathlib import Path

import pytest

from content_arena.components.corpus_preparation.prepare import prepare
from content_arena.components.qlora_training import job, training
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.registry.registry import Registry
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from tests.tiny_bundle import BENIGN_WORDS

TOXIC_WORDS = ("idiot", "moron", "stupid", "hate", "trash", "scum")


@pytest.fixture
def world(tmp_path, make_bundle, monkeypatch):
    """Runs the stage on a corpus whose labels are right or turned round; every call trains another bundle."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    trained = []

    def train(*_):
        trained.append(make_bundle(f"bundle{len(trained)}", weights_seed=len(trained)))
        return trained[-1], {"validation_f1": 0.9}

    monkeypatch.setattr(job, "run", train)

    def run(*, labels_are_right, **options):
        path = tmp_path / "corpus.jsonl"
        rows = []
        for i in range(160):
            word = TOXIC_WORDS[i % len(TOXIC_WORDS)] if i % 2 else "nice"
            text = f"{word} {BENIGN_WORDS[i % 20]} {BENIGN_WORDS[i // 20]} {i}"
            rows.append({"text": text, "label": "toxic" if bool(i % 2) is labels_are_right else "benign"})
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        prepare(str(path), "en", tmp_path / "corpus")
        return training.bootstrap_champion(
            tmp_path / "corpus",
            settings=TrainingSettings(),
            pipeline_run="run",
            report_path=tmp_path / "pages" / "report.html",
            tracking_uri=uri,
            **options,
        )

    return Registry(uri), run, tmp_path / "pages" / "report.html"


def test_a_first_version_that_reaches_the_floors_is_champion(world):
    registry, run, page = world
    made = run(labels_are_right=True)
    assert (made.champion, made.verdict.promoted) == (1, True)
    assert registry.version_of("champion") == 1
    assert made.metrics["clean_auroc"] > 0.8
    assert registry.get(1).metrics["validation_f1"] == 0.9
    assert made.verdict.seconds["bootstrap_champion"] > 0
    assert "Version 1 is the first champion" in page.read_text()


def test_one_that_does_not_is_refused_and_the_next_run_starts_anew(world, capsys):
    registry, run, page = world
    made = run(labels_are_right=False)
    assert (made.champion, made.verdict.promoted) == (None, False)
    assert registry.aliases() == {}
    assert "[bootstrap_champion] version 1 is refused" in capsys.readouterr().out
    assert "Version 1 is refused: there is no champion" in page.read_text()
    made = run(labels_are_right=True)
    assert (made.champion, registry.version_of("champion")) == (2, 2)


def test_the_page_about_the_corpus_is_kept_with_the_run(world, tmp_path):
    _, run, _ = world
    (tmp_path / "quality").write_text("<p>a page ㅋ</p>")
    run(labels_are_right=True, quality_path=tmp_path / "quality")
    tracking = Tracking(f"sqlite:///{tmp_path / 'mlflow.db'}", "run")
    kept = tracking.client.download_artifacts(tracking.run_id, training.QUALITY_PAGE, str(tmp_path))
    assert Path(kept).read_text() == "<p>a page ㅋ</p>"


def test_floors_of_a_run_decide(world):
    registry, run, _ = world
    made = run(labels_are_right=False, floors={"clean_f1": 0, "clean_auroc": 0})
    assert made.champion == registry.version_of("champion") == 1
    assert {floor.least for floor in registry.verdict(1).floors} == {0.0}


def test_floors_that_cannot_be_used_train_nothing(world, capsys):
    registry, run, _ = world
    with pytest.raises(SystemExit):
        run(labels_are_right=True, floors={"clean_f1": 70})
    assert "the floor of clean_f1 is 70" in capsys.readouterr().out
    assert registry.versions() == []


def test_a_champion_that_is_there_is_not_judged_again(world):
    registry, run, page = world
    run(labels_are_right=True)
    page.unlink()
    made = run(labels_are_right=False)
    assert (made.champion, made.verdict, made.metrics) == (1, None, {})
    assert not page.exists()
    assert len(registry.versions()) == 1
