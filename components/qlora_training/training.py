"""The stages that train: train_qlora makes a challenger, bootstrap_champion the first filter of all."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from content_arena.components.attack_generation.strategies import HELD_OUT
from content_arena.components.qlora_training import base_models, dataset, export, trainer
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.registry.publish import publish
from content_arena.components.registry.registry import Registry
from content_arena.components.shared import bundle as bundles
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.filter import ContentFilter
from content_arena.components.shared.reader.reader import Reader
from content_arena.components.shared.stage import log, stage
from content_arena.components.shared.tracking import Tracking

TRAIN = "train_qlora"
BOOTSTRAP = "bootstrap_champion"
#: An adapter fits only where these are as they were.
_ADAPTER_SETTINGS = ("base_model", "lora_rank", "lora_alpha")


@stage(TRAIN)
def train_qlora(
    corpus_path: Path,
    labelled_path: Path,
    bundle_path: Path,
    *,
    settings: TrainingSettings,
    pipeline_run: str,
    champion_version: str | None = None,
    checkpoints: Path | None = None,
    held_out: Sequence[str] = HELD_OUT,
    tracking_uri: str | None = None,
) -> dict[str, float]:
    """Trains a challenger on the corpus and on all labelled attacks so far, this run's and every earlier one's.

    It goes on from the champion's adapter where it can: what the champion knows need not be learnt again, so half the
    passes do.

    Args:
        corpus_path: Parquet of Sample.
        labelled_path: Parquet of LabelledAttack, of this run.
        bundle_path: Where the bundle goes.
        settings: The knobs.
        pipeline_run: Id of the pipeline run.
        champion_version: Registry version to go on from; None for a fresh adapter.
        checkpoints: Folder that outlives the process; with it a killed training goes on where it was.
        held_out: Strategies that are never trained on.
        tracking_uri: MLflow server; the environment's if None.

    Returns:
        The training's figures, by name.
    """
    corpus = records.read(records.Sample, corpus_path)
    tracking = Tracking(tracking_uri, pipeline_run)
    battles = [*tracking.earlier_labelled(settings.lang), records.read(records.LabelledAttack, labelled_path)]
    table = dataset.training_table(corpus, battles, held_out)
    n_train = int((table["split"] == "train").sum())
    log(TRAIN, f"{n_train} texts: the corpus and the attacks of {len(battles)} battle(s)")
    start = _start(Registry(tracking_uri), champion_version, settings) if champion_version else None
    if start is not None:
        settings = replace(settings, epochs=math.ceil(settings.epochs / 2))
    _, metrics = _train(TRAIN, corpus, table, settings, bundle_path, tracking, checkpoints, start)
    return metrics


@stage(BOOTSTRAP)
def bootstrap_champion(
    corpus_path: Path,
    *,
    settings: TrainingSettings,
    pipeline_run: str,
    corpus_seconds: float | None = None,
    checkpoints: Path | None = None,
    models_uri: str | None = None,
    tracking_uri: str | None = None,
) -> tuple[int, dict[str, float]]:
    """Sees to it that there is a champion: where the registry has none, one is trained on the corpus alone.

    Args:
        corpus_path: Parquet of Sample.
        settings: The knobs.
        pipeline_run: Id of the pipeline run.
        corpus_seconds: What preparing the corpus took, to be kept beside the other stages' times.
        checkpoints: See :func:`train_qlora`.
        models_uri: See :func:`content_arena.components.registry.publish.publish`.
        tracking_uri: MLflow server; the environment's if None.

    Returns:
        The champion's version, and the training's figures (empty if there was a champion).
    """
    corpus = records.read(records.Sample, corpus_path)
    tracking = Tracking(tracking_uri, pipeline_run)
    if corpus_seconds is not None:
        tracking.log_seconds("prepare_corpus", corpus_seconds)
    registry = Registry(tracking_uri)
    version = registry.version_of(Registry.CHAMPION)
    metrics: dict[str, float] = {}
    if version is not None:
        _check_language(registry, version, settings.lang)
    else:
        log(BOOTSTRAP, "no champion yet: training the first one on the corpus alone")
        table = dataset.training_table(corpus, [], held_out=())
        with tempfile.TemporaryDirectory() as folder:
            bundle, metrics = _train(BOOTSTRAP, corpus, table, settings, Path(folder) / "bundle", tracking, checkpoints)
            version = registry.register(bundle, tracking.run_id, generation=0).version
        registry.record_metrics(version, {"validation_f1": metrics["validation_f1"]})
        registry.promote(version, expected_champion=None)
    for line in publish(registry, models_uri):
        log(BOOTSTRAP, line)
    tracking.log(BOOTSTRAP, metrics)
    log(BOOTSTRAP, f"champion is version {version}")
    return version, metrics


def _check_language(registry: Registry, version: int, lang: str) -> None:
    """A challenger of another language would win every comparison in it, and then serve texts it can not read."""
    serves = registry.get(version).tags.get("lang", lang)
    if serves != lang:
        raise InputError(
            f"the champion (version {version}) reads {serves} and this run is {lang}: "
            "give each language an arena of its own, with ARENA_HOME or another MLflow server"
        )


def _start(registry: Registry, version: str, settings: TrainingSettings) -> bundles.Bundle | None:
    """The version's bundle, if its adapter sits on the same base and is of the size that is asked for."""
    bundle = bundles.load(registry.download(int(version)))
    had = {"base_model": bundle.spec.base_model} | bundle.spec.training
    changed = [name for name in _ADAPTER_SETTINGS if had.get(name) != getattr(settings, name)]
    if changed:
        log(TRAIN, f"a fresh adapter: version {version} was trained with another {', '.join(changed)}")
        return None
    log(TRAIN, f"going on from the adapter of version {version}")
    return bundle


def _false_positive_rate(bundle: bundles.Bundle, validation: pd.DataFrame) -> float:
    """Share of the benign texts that a filter flags, in [0, 1]."""
    benign = validation.loc[validation["label"] == dataset.BENIGN, "text"].tolist()
    with contextlib.closing(ContentFilter(bundle)) as champion:
        return float((champion.score(benign) >= champion.threshold).mean())


def _train(
    stage_name: str,
    corpus: pd.DataFrame,
    table: pd.DataFrame,
    settings: TrainingSettings,
    bundle_path: Path,
    tracking: Tracking,
    checkpoints: Path | None,
    start: bundles.Bundle | None = None,
) -> tuple[bundles.Bundle, dict[str, float]]:
    """Trains and exports, with the figures of both."""
    lexicon = None
    if settings.reader:
        vocabulary = base_models.load_tokenizer(settings.base_model).get_vocab()
        lexicon = dataset.build_lexicon(corpus, vocabulary, settings.edit_price)
    if lexicon is not None:
        table = dataset.read_through(table, Reader(lexicon))
    adapter, started_from = (start.path / bundles.ADAPTER, start.spec.digest) if start else (None, "")
    with tempfile.TemporaryDirectory() as folder:
        # Only the same texts, knobs and beginning may go on from a checkpoint; anything else starts afresh.
        key = records.sha256_of(dataset.fingerprint(table), repr(settings), started_from)[:16]
        home = (checkpoints or Path(folder)) / key
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"no checkpoint can be kept in {home.parent} ({error.strerror}): give a checkpoint_dir that user "
                f"{os.getuid()} may write to, or none"
            ) from error
        with tracking.training_run(stage_name):
            model, tokenizer, metrics = trainer.train(
                table, settings, home, stage_name, report_to=["mlflow"], adapter=adapter
            )
        log(stage_name, "exporting: merge, ONNX, int8, threshold, parity")
        validation = table[table["split"] == "validation"]
        provenance = {"corpus_sha256": records.corpus_digest(corpus), "started_from": started_from}
        max_fpr = _false_positive_rate(start, validation) if start else 1.0
        bundle = export.export(
            model, tokenizer, settings, validation, metrics, bundle_path, provenance, max_fpr, lexicon
        )
        shutil.rmtree(home)
    metrics = {**bundle.spec.metrics, "threshold": bundle.spec.threshold, "n_texts": float(len(table))}
    tracking.log(stage_name, metrics, settings.as_dict())
    agreement = metrics["parity_agreement"]
    log(stage_name, f"validation F1 {metrics['validation_f1']:.3f}, int8 agrees on {agreement:.1%}")
    return bundle, metrics
