"""KFP component of the stage evaluate_challenger."""

from typing import Any, Dict, List  # noqa: UP035 - KFP's type parser

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
    lang: str,
    budget: int,
    texts_per_label: int,
    seed: int,
    held_out_strategies: List[str],  # noqa: UP006
    settings: Dict[str, Any],  # noqa: UP006
    tracking_uri: str,
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
        held_out_strategies: Strategies neither model was trained on; the choice of the training if empty.
        settings: Further settings by section; [evaluation] and [llm] are read, and of [attack] what to attack with.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if empty.
    """
    from pathlib import Path

    from content_arena.components.attack_generation.settings import AttackSettings
    from content_arena.components.evaluation import dashboard, evaluate
    from content_arena.components.evaluation.settings import EvaluationSettings
    from content_arena.components.shared.chat import ChatSettings
    from content_arena.components.shared.settings import read

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
        held_out=held_out_strategies,
        selection=read("evaluate_challenger", AttackSettings, settings).selection,
        settings=read("evaluate_challenger", EvaluationSettings, settings),
        chat=read("evaluate_challenger", ChatSettings, settings),
        tracking_uri=tracking_uri or None,
    )
    classifications = {"champion": champion_classification, "challenger": challenger_classification}
    dashboard.show(judged, metrics, classifications)
