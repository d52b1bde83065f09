"""KFP component of the stage label_attacks."""

from typing import Any, Dict  # noqa: UP035 - KFP's type parser

from kfp import dsl

from content_arena.components.shared.images import COMPONENT_IMAGE


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def label_attacks(
    attacks: dsl.Input[dsl.Dataset],
    corpus: dsl.Input[dsl.Dataset],
    labelled: dsl.Output[dsl.Dataset],
    review: dsl.Output[dsl.Artifact],
    review_tasks: dsl.Output[dsl.Artifact],
    corpus_labels: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    pipeline_run: str,
    lang: str,
    settings: Dict[str, Any],  # noqa: UP006
    tracking_uri: str,
) -> None:
    """Labels every attack, with a confidence, and queues those that a person has to review.

    Args:
        attacks: Parquet of Attack records.
        corpus: Parquet of Sample.
        labelled: Parquet of LabelledAttack records; rows with needs_review are never trained on.
        review: CSV of what waits for a person, the least certain first; no cell is a formula.
        review_tasks: The same as tasks for Label Studio, JSON.
        corpus_labels: JSON: texts of the corpus whose labels are probably wrong, by id, and sources that label
            otherwise than the rest.
        metrics: n_labelled, n_review, n_judged, n_by_people, mean_confidence, n_doubtful_labels, n_odd_sources.
        pipeline_run: Id under which the stages of a run find their MLflow run.
        lang: ISO 639-1 code of the corpus.
        settings: Settings by section; [labeling] and [llm] are read.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if empty.
    """
    from pathlib import Path

    from content_arena.components.labeling import labeling
    from content_arena.components.labeling.settings import LabelingSettings
    from content_arena.components.shared.chat import ChatSettings
    from content_arena.components.shared.settings import read

    figures = labeling.label_attacks(
        Path(attacks.path),
        Path(corpus.path),
        labeling.Outputs(Path(labelled.path), Path(review.path), Path(review_tasks.path), Path(corpus_labels.path)),
        lang=lang,
        pipeline_run=pipeline_run,
        settings=read("label_attacks", LabelingSettings, settings),
        chat=read("label_attacks", ChatSettings, settings),
        tracking_uri=tracking_uri or None,
    )
    for name, value in figures.items():
        metrics.log_metric(name, value)
