"""A real QLoRA run of the embedded encoder on two dozen texts, its export, and its resumption after a kill."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from content_arena.components.corpus_preparation.prepare import prepare
from content_arena.components.qlora_training import (
    category_task,
    export,
    quantised_model,
    reference,
    thresholds,
    trainer,
    training,
)
from content_arena.components.qlora_training.base_models import EMBEDDED
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.filter import ContentFilter
from content_arena.components.shared.scoring.ngrams import NGRAM_VERSION

SETTINGS = TrainingSettings(base_model=EMBEDDED, device="cpu", epochs=2, batch_size=8, max_length=32)
SUBJECTS = ["the harbour", "my sister", "this recipe", "the referee", "our bus", "that film", "the server", "a goat"]


def table():
    rows = []
    for i, subject in enumerate(SUBJECTS):
        split = "validation" if i % 4 == 0 else "train"
        rows += [
            (f"{subject} is a disgusting worthless idiot", 1, split, "insult"),
            (f"I like {subject} on sunny days", 0, split, "neutral"),
        ]
        rows += [
            (f"shut up about {subject}, you pathetic moron", 1, split, "harassment"),
            (f"{subject} was lovely, thanks", 0, split, ""),
        ]
    return pd.DataFrame(rows, columns=["text", "label", "split", "categories"]).assign(strategy="")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    return trainer.train(table(), SETTINGS, folder / "checkpoints")


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """Its bundle, not to be changed."""
    folder = tmp_path_factory.mktemp("exported")
    return export.export(trained, SETTINGS, validation_texts(), folder / "bundle", corpus=with_categories())


def with_categories():
    """A corpus whose toxic texts are insults: the texts of the training, and others like them."""
    rows = [
        (f"{subject}, {text}", label, categories, ("train", "validation")[number % 2])
        for number, subject in enumerate(SUBJECTS * 5)
        for text, label, categories in (("you idiot", "toxic", ["insult"]), ("thanks a lot", "benign", []))
    ]
    return pd.DataFrame(rows, columns=["text", "label", "categories", "split"])


def validation_texts():
    return table().query("split == 'validation'")


@pytest.mark.slow
def test_the_base_is_nf4_twice_quantised_and_the_head_is_not(trained):
    from bitsandbytes.nn import Linear4bit

    quantised = {name: module for name, module in trained.model.named_modules() if isinstance(module, Linear4bit)}
    assert quantised
    for module in quantised.values():
        assert module.weight.quant_type == "nf4"
        assert module.weight.quant_state.nested
    assert not [name for name in quantised if "classifier" in name or "pooler" in name]
    trainable = {name for name, parameter in trained.model.named_parameters() if parameter.requires_grad}
    assert all("lora" in name or "modules_to_save" in name for name in trainable)


@pytest.mark.slow
def test_the_bundle_decides_as_the_trained_model(exported):
    bundle = exported
    assert bundle.spec.metrics["parity_agreement"] >= export.MIN_AGREEMENT
    assert (bundle.path / "model_card.md").is_file()
    assert (bundle.path / "adapter" / "adapter_model.safetensors").is_file()
    scores = ContentFilter(bundle).score(["you pathetic idiot", "lovely day"])
    assert scores[0] > scores[1]
    assert bundle.spec.ngram_version == NGRAM_VERSION
    assert list(bundle.spec.attributes) == ["INSULT"]
    insults = ContentFilter(bundle).score_all(["you pathetic idiot", "lovely day"])[:, 1]
    assert insults[0] > insults[1]
    pickles = [path for path in bundle.path.rglob("*") if path.suffix in (".bin", ".pkl", ".pt", ".pth")]
    assert not pickles


@pytest.mark.slow
def test_a_long_text_is_scored_window_by_window_with_the_n_grams_of_each(exported):
    scorer = ContentFilter(exported)
    hidden = "The harbour was lovely today, thanks. " * 20 + "You pathetic worthless idiot, shut up."
    alone, benign, whole = scorer.score(["You pathetic worthless idiot, shut up.", "Lovely day, thanks.", hidden])
    assert abs(whole - alone) < abs(whole - benign)


@pytest.mark.slow
def test_without_n_grams_the_encoder_decides_alone(trained, tmp_path):
    validation = validation_texts()
    bundle = export.export(trained._replace(ngrams=None), SETTINGS, validation, tmp_path / "bundle")
    assert bundle.spec.ngram_version is None
    scores = ContentFilter(bundle).score(["you pathetic idiot", "lovely day"])
    assert scores[0] > scores[1]


@pytest.mark.slow
def test_a_warm_start_scores_as_the_bundle_it_starts_from(exported, tmp_path):
    validation, bundle = validation_texts(), exported
    # With this learning rate nothing is learnt, so what the model knows comes from the adapter.
    still = replace(SETTINGS, epochs=1, learning_rate=1e-12)
    adapter = bundle.path / bundles.ADAPTER
    warmed = trainer.train(table(), still, tmp_path / "warm", adapter=adapter)
    warm = warmed.model
    again = export.export(warmed, SETTINGS, validation, tmp_path / "again")
    texts = validation["text"].tolist()
    before, after = (ContentFilter(made).score(texts) for made in (bundle, again))
    assert np.abs(before - after).max() < 0.02
    assert any(parameter.requires_grad for name, parameter in warm.named_parameters() if "lora" in name)
    assert any(parameter.requires_grad for name, parameter in warm.named_parameters() if "modules_to_save" in name)


@pytest.mark.slow
def test_an_export_that_decides_otherwise_is_an_error_and_leaves_nothing(trained, tmp_path, monkeypatch):
    wrong = reference.Weighed(None, np.tile([0.0, 1.0], 4).astype(np.float32))
    monkeypatch.setattr(reference, "weigh", lambda *_: wrong)
    validation = validation_texts()
    with pytest.raises(export.ParityError, match="99%"):
        export.export(trained, SETTINGS, validation, tmp_path / "bundle")
    assert not list(tmp_path.iterdir())


KILLED_TRAINING = """
import sys
from pathlib import Path
from dataclasses import replace
from content_arena.components.qlora_training import trainer
from tests.components.qlora_training.test_training import SETTINGS, table
trainer.train(table(), replace(SETTINGS, epochs=40, patience=40), Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_killed_training_resumes_from_its_checkpoint(tmp_path, capsys):
    process = subprocess.Popen([sys.executable, "-c", KILLED_TRAINING, str(tmp_path)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while trainer_state_count(tmp_path) < 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    last = trainer.last_complete_checkpoint(tmp_path, [category_task.WEIGHTS])
    assert last is not None
    step = int(last.name.rpartition("-")[2])
    epochs = step // 3 + 1
    metrics = trainer.train(table(), replace(SETTINGS, epochs=epochs, patience=40), tmp_path).metrics
    assert f"resuming from {last.name}" in capsys.readouterr().out
    assert metrics["steps"] == 3 * epochs


def trainer_state_count(folder):
    return len(list(folder.glob(f"checkpoint-*/{category_task.WEIGHTS}")))


def test_a_checkpoint_killed_in_mid_write_is_not_resumed_from(tmp_path):
    whole, torn, cut, early = (tmp_path / f"checkpoint-{step}" for step in (3, 10, 12, 14))
    for folder in (whole, torn, cut, early):
        folder.mkdir()
        for name in (*trainer._CHECKPOINT_FILES, category_task.WEIGHTS):
            (folder / name).write_text("{}")
    (torn / "optimizer.pt").unlink()
    (cut / "trainer_state.json").write_text('{"epoch": 1.0, "global')
    (early / category_task.WEIGHTS).unlink()
    assert trainer.last_complete_checkpoint(tmp_path, [category_task.WEIGHTS]) == whole
    assert not torn.exists()
    assert not cut.exists()
    assert not early.exists()


def test_a_base_model_that_cannot_be_loaded_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError) as caught:
        quantised_model.load_quantised(TrainingSettings(base_model=str(tmp_path), device="cpu"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("scores", "labels", "low", "high"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 0.2, 0.8),
        ([0.01, 0.02, 0.03], [0, 1, 1], 0.01, 0.02),
        ([0.1, 0.1, 0.9], [1, 0, 1], 0.0, 0.9),
    ],
)
def test_the_threshold_lies_in_the_gap_that_parts_the_classes(scores, labels, low, high):
    assert low < thresholds.good_thresholds(np.array(scores, np.float32), np.array(labels))[0] < high


def test_of_equally_good_thresholds_the_one_nearest_to_a_half_comes_first():
    scores, labels = overlapping_scores()
    first, *_ = thresholds.good_thresholds(scores, labels)
    # The two classes are equally likely at 0.6; a fifth of the texts lies between.
    assert 0.5 <= first < 0.6
    more_texts = [np.tile(values, 100) for values in (scores, labels)]
    assert thresholds.good_thresholds(*more_texts)[0] > first, "what many texts tell apart is not equally good"


def overlapping_scores():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 200)
    return np.clip(rng.normal(0.45 + 0.3 * labels, 0.15), 0, 1).astype(np.float32), labels


def verdicts(fpr, recall, attacked_fpr, attacked_recall):
    """A comparison with a champion of these rates: the first half of either class is clean, the second is attacked."""
    labels = np.repeat([0, 0, 1, 1], 100)
    flagged = np.concatenate([np.arange(100) < 100 * rate for rate in (fpr, attacked_fpr, recall, attacked_recall)])
    return comparison(labels, np.tile(np.repeat([False, True], 100), 2), flagged)


def comparison(labels, attacked, flagged):
    return thresholds.Comparison([""] * len(labels), labels, attacked, flagged)


def rates(scores, labels, attacked, threshold):
    return [
        float((scores[(labels == label) & (attacked == is_attacked)] >= threshold).mean())
        for label in (0, 1)
        for is_attacked in (False, True)
    ]


def test_a_better_challenger_leads_the_champion_in_every_share():
    scores, _ = overlapping_scores()
    champion = verdicts(fpr=0.3, recall=0.7, attacked_fpr=0.4, attacked_recall=0.6)
    first = thresholds.leading_thresholds(scores, champion)[0]
    fpr, attacked_fpr, recall, attacked_recall = rates(scores, champion.labels, champion.attacked, first)
    assert max(fpr - 0.3, attacked_fpr - 0.4) < 0
    assert min(recall - 0.7, attacked_recall - 0.6) > 0
    # About as many texts away from being worse in false positives as in recall.
    assert abs(min(0.3 - fpr, 0.4 - attacked_fpr) - min(recall - 0.7, attacked_recall - 0.6)) < 0.05


def test_recall_is_not_bought_with_attacked_benign_texts():
    scores, _ = overlapping_scores()
    # On attacked benign texts this champion is hard to beat, so the threshold rises.
    champion = verdicts(fpr=0.3, recall=0.7, attacked_fpr=0.05, attacked_recall=0.7)
    strict = thresholds.leading_thresholds(scores, champion)[0]
    easier = verdicts(fpr=0.3, recall=0.7, attacked_fpr=0.3, attacked_recall=0.7)
    lenient = thresholds.leading_thresholds(scores, easier)[0]
    assert (
        rates(scores, champion.labels, champion.attacked, strict)[1]
        < rates(scores, champion.labels, champion.attacked, lenient)[1] / 2
    )


def test_one_of_ten_attacked_texts_does_not_outweigh_thirty_of_five_hundred_clean_ones():
    scores = np.concatenate([np.zeros(500), np.linspace(0, 1, 500), [0.9, 0.36], np.zeros(8)]).astype(np.float32)
    labels = np.repeat([0, 1, 0], [500, 500, 10])
    attacked = np.repeat([False, True], [1000, 10])
    # It flags 30 % of the benign and 70 % of the toxic texts, and one of the attacked benign ones.
    flagged = np.concatenate([np.arange(500) < 150, np.arange(500) >= 150, np.arange(10) < 1])
    first = thresholds.leading_thresholds(scores, comparison(labels, attacked, flagged))[0]
    # Above 0.36 the challenger flags no more attacked benign texts than the champion, but 30 fewer toxic ones.
    assert first < 0.33


def test_every_threshold_is_offered_once_and_a_group_without_texts_decides_nothing():
    scores, labels = overlapping_scores()
    champion = comparison(labels, np.zeros(len(labels), bool), labels == 1)
    offered = thresholds.leading_thresholds(scores, champion)
    assert len(offered) == len(set(offered)) == len(np.unique(scores)) + 1


def test_a_verdict_that_rounding_decides_is_no_disagreement():
    assert thresholds.compare(np.array([0.501, 0.52]), np.array([0.499, 0.48]), 0.5).agreement == 0.5


def test_parity_counts_verdicts_and_the_largest_difference():
    parity = thresholds.compare(np.array([0.2, 0.6, 0.9]), np.array([0.3, 0.4, 0.9]), 0.5)
    assert (parity.agreement, parity.n) == (pytest.approx(2 / 3), 3)
    assert parity.max_difference == pytest.approx(0.2)


def test_checkpoints_that_cannot_be_kept_are_refused_before_the_training(tmp_path, capsys):
    """As on a claim whose volume belongs to root: Kubeflow Pipelines gives its pods no fsGroup."""
    prepare("embedded", "en", tmp_path / "corpus", max_texts=120)
    (tmp_path / "claim").write_text("not a folder")
    with pytest.raises(SystemExit) as caught:
        training.bootstrap_champion(
            tmp_path / "corpus",
            settings=SETTINGS,
            pipeline_run="run",
            report_path=tmp_path / "report.html",
            checkpoints=tmp_path / "claim",
            tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
        )
    assert caught.value.code == 2
    assert f"error: no checkpoint can be kept in {tmp_path / 'claim'} (" in capsys.readouterr().out
