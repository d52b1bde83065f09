"""One training, from rows to a sealed bundle: what both stages that train have in common."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.qlora_training import attribute_head, base_models, dataset, export, mean_pooling, trainer
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.qlora_training.threshold_texts import compare_on
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.stage import log
from content_arena.components.shared.text.reader.lexicon import Lexicon
from content_arena.components.shared.text.reader.reader import Reader


@dataclass(frozen=True)
class Job:
    """What is trained, from where, and for which stage.

    Attributes:
        stage: Name of the stage.
        corpus: Rows of Sample.
        table: From :func:`dataset.training_table`.
        settings: How to train.
        start: Bundle whose adapter is trained further; None for a new one.
        lexicon: Of the Reader whose restored texts are in the table; None if it has the canonical texts alone.
        strategies: What may be trained on; the threshold of what continues from a bundle is chosen with them.
        facts: What else the bundle, and with it the registry, is to record of the training.
    """

    stage: str
    corpus: pd.DataFrame
    table: pd.DataFrame
    settings: TrainingSettings
    start: bundles.Bundle | None = None
    lexicon: Lexicon | None = None
    strategies: Sequence[Strategy] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def checkpoint_key(self) -> str:
        """The same for jobs that can resume each other: same texts, same settings, same start."""
        return records.sha256_of(dataset.fingerprint(self.table), repr(self.settings), self.started_from)[:16]

    @property
    def started_from(self) -> str:
        """SHA-256 (hex) of the bundle it starts from; "" for a new adapter."""
        return self.start.spec.digest if self.start else ""


def run(
    job: Job, bundle_path: Path, tracking: Tracking, checkpoints: str | Path | None
) -> tuple[bundles.Bundle, dict[str, float]]:
    """Trains and exports.

    Args:
        job: What to train.
        bundle_path: Folder of the bundle; must not exist or be empty.
        tracking: Where the figures are logged.
        checkpoints: Folder for checkpoints that a later run may resume from; a temporary one if None.

    Returns:
        The bundle, and the figures of training and export.

    Raises:
        InputError: The base model cannot be loaded or cannot read the language, or no checkpoint can be kept.
        ParityError: The exported model does not decide as the trained one.
    """
    job = _read(job)
    with tempfile.TemporaryDirectory() as folder:
        home = _make_checkpoint_folder(Path(checkpoints or folder) / job.checkpoint_key)
        with tracking.training_run(job.stage):
            trained = trainer.train(
                job.table,
                job.settings,
                home,
                job.stage,
                report_to=["mlflow"],
                adapter=job.start.path / bundles.ADAPTER if job.start else None,
            )
        log(job.stage, "exporting: merge, ONNX, int8, threshold, parity")
        validation = job.table[job.table["split"] == "validation"]
        bundle = export.export(
            trained,
            job.settings,
            validation,
            bundle_path,
            provenance={
                "corpus_sha256": records.corpus_digest(job.corpus),
                "started_from": job.started_from,
                "pooling": pooling_of(job.settings),
                **job.facts,
            },
            comparison=(
                compare_on(job.corpus, job.strategies, job.start, job.settings.seed) if job.start is not None else None
            ),
            lexicon=job.lexicon,
            corpus=job.corpus,
        )
        log(job.stage, attribute_head.describe(job.corpus, bundle.spec.attributes))
        shutil.rmtree(home)
    metrics = {**bundle.spec.metrics, "threshold": bundle.spec.threshold, "n_texts": float(len(job.table))}
    tracking.log(job.stage, metrics, job.settings.as_dict() | dict(job.facts))
    agreement = metrics["parity_agreement"]
    log(job.stage, f"validation F1 {metrics['validation_f1']:.3f}, int8 agrees on {agreement:.1%}")
    return bundle, metrics


def pooling_of(settings: TrainingSettings) -> str:
    """How the classifier reads the tokens of the settings' base model; see :mod:`mean_pooling`."""
    return mean_pooling.pooling(base_models.resolve(settings.base_model, settings.lang))


def _read(job: Job) -> Job:
    """The job with its texts as the model gets them, and with a lexicon if the settings ask for a Reader."""
    lexicon = None
    if job.settings.reader:
        vocabulary = base_models.load_tokenizer(job.settings.base_model, job.settings.lang).get_vocab()
        lexicon = dataset.build_lexicon(job.corpus, vocabulary, job.settings.edit_price, job.settings.lang)
    reading = Reading(reader=Reader(lexicon) if lexicon else None)
    return replace(job, table=dataset.read_through(job.table, reading), lexicon=lexicon)


def _make_checkpoint_folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"no checkpoint can be kept in {path.parent} ({error.strerror}): give a checkpoint_dir that user "
            f"{os.getuid()} may write to, or none"
        ) from error
    return path
