"""KFP component of the stage evaluate_challenger."""

from typing import List, Optional  # noqa: UP035 - KFP's type parser

from kfp import dsl

from content_arena.components.shared.images import COMPONENT_IMAGE


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def evaluate_challenger(
    corpus: dsl.Input[dsl.Dataset],
    challenger: dsl.Input[dsl.Model],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    champion_classification: dsl.Output[dsl.ClassificationMetrics],
    challenger_classification: dsl.Output[dsl.ClassificationMetrics],
    champion_version: str,
    pipeline_run: str,
    lang: str = "en",
    budget: int = 3,
    texts_per_label: int = 200,
    seed: int = 0,
    held_out_strategies: Optional[List[str]] = None,  # noqa: UP006, UP045
    tracking_uri: Optional[str] = None,  # noqa: UP045
) -> None:
    """Compares challenger and champion on the same held-out texts under the same attacks.

    Args:
        corpus: Parquet of Sample records; the test split is used.
        challenger: The challenger's bundle.
        evaluation: JSON with every figure, read by promote_challenger.
        metrics: Headline figures of both models; rates in [0, 1], latencies in milliseconds.
        champion_classification: Confusion matrix and ROC curve of the champion on clean text.
        challenger_classification: Confusion matrix and ROC curve of the challenger on clean text.
        champion_version: Registry version to compare with.
        pipeline_run: Id under which the stages of a run find their MLflow run.
        lang: ISO 639-1 code of the corpus.
        budget: Queries allowed for each (text, strategy).
        texts_per_label: Test texts of each label to attack.
        seed: Of the attacks.
        held_out_strategies: Strategies neither model was trained on; the project's own choice if not given.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if not given.
    """
    from pathlib import Path

    from content_arena.components.attack_generation import strategies
    from content_arena.components.evaluation import evaluate

    judged = evaluate.evaluate_challenger(
        Path(corpus.path),
        Path(challenger.path),
        Path(evaluation.path),
        champion_version=champion_version,
        lang=lang,
        pipeline_run=pipeline_run,
        budget=int(budget),
        texts_per_label=int(texts_per_label),
        seed=int(seed),
        held_out=strategies.HELD_OUT if held_out_strategies is None else held_out_strategies,
        tracking_uri=tracking_uri,
    )
    for who, artifact in (("champion", champion_classification), ("challenger", challenger_classification)):
        model = judged.models[who]
        for name, value in model.headline().items():
            if value is not None:
                metrics.log_metric(f"{who}_{name}", value)
        artifact.log_confusion_matrix(["benign", "toxic"], [list(row) for row in model.confusion])
        if model.roc.fpr:
            artifact.log_roc_curve(list(model.roc.fpr), list(model.roc.tpr), list(model.roc.thresholds))
