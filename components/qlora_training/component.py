"""KFP components of the stages train_qlora and bootstrap_champion."""

from typing import Any, Dict, List, NamedTuple  # noqa: UP035 - KFP's type parser

from kfp import dsl

from content_arena.components.shared.images import COMPONENT_IMAGE


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def train_qlora(
    corpus: dsl.Input[dsl.Dataset],
    labelled: dsl.Input[dsl.Dataset],
    challenger: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    pipeline_run: str,
    base_model: str,
    lang: str,
    epochs: int,
    learning_rate: float,
    device: str,
    seed: int,
    held_out_strategies: List[str],  # noqa: UP006
    champion_version: str,
    warm_start: bool,
    settings: Dict[str, Any],  # noqa: UP006
    checkpoint_dir: str,
    tracking_uri: str,
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
        epochs: Passes over the data at most; half as many if it continues from the champion's adapter.
        learning_rate: Peak learning rate of adapter and head; 0 for that of the base model.
        device: auto, cpu or cuda.
        seed: Of initialisation, order and dropout.
        held_out_strategies: Strategies that are never trained on; the champion's, or chosen by the seed, if empty.
        champion_version: Registry version of the champion.
        warm_start: Whether to continue from the champion's adapter; false for a new one.
        settings: Further settings by section; [training] is read, and of [attack] what the run attacks with.
        checkpoint_dir: Folder on a volume that outlives the pod, to resume a killed training from; none if empty.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if empty.
    """
    from pathlib import Path

    from content_arena.components.attack_generation.settings import AttackSettings
    from content_arena.components.qlora_training import training
    from content_arena.components.qlora_training.settings import TrainingSettings
    from content_arena.components.shared.settings import read

    figures = training.train_qlora(
        Path(corpus.path),
        Path(labelled.path),
        Path(challenger.path),
        settings=read(
            "train_qlora",
            TrainingSettings,
            settings,
            base_model=base_model,
            lang=lang,
            epochs=int(epochs),
            learning_rate=float(learning_rate),
            device=device,
            seed=int(seed),
        ),
        pipeline_run=pipeline_run,
        champion_version=champion_version,
        warm_start=warm_start,
        checkpoints=checkpoint_dir or None,
        held_out=held_out_strategies,
        selection=read("train_qlora", AttackSettings, settings).selection,
        tracking_uri=tracking_uri or None,
    )
    for name, value in figures.items():
        metrics.log_metric(name, value)


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def bootstrap_champion(
    corpus: dsl.Input[dsl.Dataset],
    quality: dsl.Input[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
    pipeline_run: str,
    base_model: str,
    lang: str,
    epochs: int,
    learning_rate: float,
    device: str,
    seed: int,
    settings: Dict[str, Any],  # noqa: UP006
    checkpoint_dir: str,
    models_uri: str,
    tracking_uri: str,
) -> NamedTuple("Outputs", [("champion_version", str), ("verdict", dict)]):  # type: ignore[valid-type]  # KFP reads it
    """Trains the first champion on the corpus alone, unless the registry has one.

    A version that does not reach the floors does not become champion: metrics and report state why, and the run ends at
    the next stage.

    Args:
        corpus: Parquet of Sample records.
        quality: The page about the quality of its data; kept with the MLflow run.
        metrics: Figures of training and test split, and one for each floor, 1 passed, 0 did not; empty if there was a
            champion.
        report: A page with the verdict on the version that was trained; none if there was a champion.
        pipeline_run: Id under which the stages of a run find their MLflow run.
        base_model: Embedded name, folder or hub id of the encoder.
        lang: ISO 639-1 code of the corpus.
        epochs: Passes over the data at most.
        learning_rate: Peak learning rate of adapter and head; 0 for that of the base model.
        device: auto, cpu or cuda.
        seed: Of initialisation, order and dropout.
        settings: Further settings by section; [training] and [floors] are read.
        checkpoint_dir: Folder on a volume that outlives the pod, to resume a killed training from; none if empty.
        models_uri: s3://bucket/folder that versions are served from; nothing is published there if empty.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if empty.

    Returns:
        champion_version: Registry version of the champion; empty if the first one was refused.
        verdict: On the version that was trained, as that of promote_challenger; empty if there was a champion.
    """
    from pathlib import Path
    from typing import NamedTuple

    from content_arena.components.qlora_training import training
    from content_arena.components.qlora_training.settings import TrainingSettings
    from content_arena.components.shared.settings import read

    made = training.bootstrap_champion(
        Path(corpus.path),
        settings=read(
            "bootstrap_champion",
            TrainingSettings,
            settings,
            base_model=base_model,
            lang=lang,
            epochs=int(epochs),
            learning_rate=float(learning_rate),
            device=device,
            seed=int(seed),
        ),
        pipeline_run=pipeline_run,
        report_path=Path(report.path),
        floors=settings.get("floors"),
        corpus_seconds=corpus.metadata.get("seconds"),
        quality_path=Path(quality.path),
        corpus_source=corpus.metadata.get("data", ""),
        checkpoints=checkpoint_dir or None,
        models_uri=models_uri or None,
        tracking_uri=tracking_uri or None,
    )
    for name, value in made.figures.items():
        metrics.log_metric(name, value)
    return NamedTuple("Outputs", [("champion_version", str), ("verdict", dict)])(  # type: ignore[operator]  # KFP's form
        str(made.champion or ""), made.verdict_json
    )
