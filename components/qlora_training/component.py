"""KFP components of the stages train_qlora and bootstrap_champion."""

from typing import List, NamedTuple, Optional  # noqa: UP035 - KFP's type parser

from kfp import dsl

from content_arena.components.shared.images import COMPONENT_IMAGE


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def train_qlora(
    corpus: dsl.Input[dsl.Dataset],
    labelled: dsl.Input[dsl.Dataset],
    challenger: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    pipeline_run: str,
    base_model: str = "all-MiniLM-L6-v2",
    lang: str = "en",
    epochs: int = 4,
    learning_rate: float = 1e-3,
    device: str = "auto",
    seed: int = 0,
    held_out_strategies: Optional[List[str]] = None,  # noqa: UP006, UP045
    champion_version: Optional[str] = None,  # noqa: UP045
    warm_start: bool = True,
    checkpoint_dir: Optional[str] = None,  # noqa: UP045
    tracking_uri: Optional[str] = None,  # noqa: UP045
) -> None:
    """Trains a challenger with QLoRA on the corpus and all labelled attacks so far, and exports it to ONNX int8.

    Args:
        corpus: Parquet of Sample records.
        labelled: Parquet of LabelledAttack records of this run; those of earlier runs come from MLflow.
        challenger: The bundle: model.onnx, tokenizer, adapter, bundle.json, model card.
        metrics: Validation F1, threshold, samples per second, parity of the int8 model.
        pipeline_run: Id under which the stages of a run find their MLflow run.
        base_model: Embedded name, folder or hub id of the encoder.
        lang: ISO 639-1 code of the corpus.
        epochs: Passes over the data at most; half as many where it goes on from the champion.
        learning_rate: Peak learning rate of adapter and head.
        device: auto, cpu or cuda.
        seed: Of initialisation, order and dropout.
        held_out_strategies: Strategies that are never trained on; the project's own choice if not given.
        champion_version: Registry version whose adapter it goes on from; a fresh one if not given.
        warm_start: False for a fresh adapter all the same.
        checkpoint_dir: Folder on a volume that outlives the pod; a killed training resumes from it.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if not given.
    """
    from pathlib import Path

    from content_arena.components.attack_generation import strategies
    from content_arena.components.qlora_training import training
    from content_arena.components.qlora_training.settings import TrainingSettings

    figures = training.train_qlora(
        Path(corpus.path),
        Path(labelled.path),
        Path(challenger.path),
        settings=TrainingSettings(
            base_model=base_model,
            lang=lang,
            epochs=int(epochs),
            learning_rate=learning_rate,
            device=device,
            seed=int(seed),
        ),
        pipeline_run=pipeline_run,
        champion_version=champion_version if warm_start else None,
        checkpoints=Path(checkpoint_dir) if checkpoint_dir else None,
        held_out=strategies.HELD_OUT if held_out_strategies is None else held_out_strategies,
        tracking_uri=tracking_uri,
    )
    for name, value in figures.items():
        metrics.log_metric(name, value)


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def bootstrap_champion(
    corpus: dsl.Input[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    pipeline_run: str,
    base_model: str = "all-MiniLM-L6-v2",
    lang: str = "en",
    epochs: int = 4,
    learning_rate: float = 1e-3,
    device: str = "auto",
    seed: int = 0,
    checkpoint_dir: Optional[str] = None,  # noqa: UP045
    models_uri: Optional[str] = None,  # noqa: UP045
    tracking_uri: Optional[str] = None,  # noqa: UP045
) -> NamedTuple("Outputs", [("champion_version", str)]):
    """Sees to it that there is a champion: trains the first one on the corpus alone where the registry has none.

    Args:
        corpus: Parquet of Sample records.
        metrics: Figures of the training; empty if there was a champion.
        pipeline_run: Id under which the stages of a run find their MLflow run.
        base_model: Embedded name, folder or hub id of the encoder.
        lang: ISO 639-1 code of the corpus.
        epochs: Passes over the data at most.
        learning_rate: Peak learning rate of adapter and head.
        device: auto, cpu or cuda.
        seed: Of initialisation, order and dropout.
        checkpoint_dir: Folder on a volume that outlives the pod; a killed training resumes from it.
        models_uri: s3://bucket/folder that versions are served from; nothing is published there if not given.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if not given.

    Returns:
        champion_version: Registry version of the champion.
    """
    from pathlib import Path
    from typing import NamedTuple

    from content_arena.components.qlora_training import training
    from content_arena.components.qlora_training.settings import TrainingSettings

    version, figures = training.bootstrap_champion(
        Path(corpus.path),
        settings=TrainingSettings(
            base_model=base_model,
            lang=lang,
            epochs=int(epochs),
            learning_rate=learning_rate,
            device=device,
            seed=int(seed),
        ),
        pipeline_run=pipeline_run,
        corpus_seconds=corpus.metadata.get("seconds"),
        checkpoints=Path(checkpoint_dir) if checkpoint_dir else None,
        models_uri=models_uri,
        tracking_uri=tracking_uri,
    )
    for name, value in figures.items():
        metrics.log_metric(name, value)
    return NamedTuple("Outputs", [("champion_version", str)])(str(version))
