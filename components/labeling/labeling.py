"""The stage label_attacks: labels a battle, keeps it for later trainings, queues doubtful attacks for review."""

from __future__ import annotations

from pathlib import Path

from content_arena.components.labeling import review
from content_arena.components.labeling.settings import LabelingSettings
from content_arena.components.shared import records
from content_arena.components.shared.stage import log, stage
from content_arena.components.shared.tracking import Tracking

STAGE = "label_attacks"


@stage(STAGE)
def label_attacks(
    attacks_path: Path,
    labelled_path: Path,
    review_path: Path,
    *,
    lang: str,
    pipeline_run: str,
    tracking_uri: str | None = None,
    settings: LabelingSettings = LabelingSettings(),  # noqa: B008 - frozen
) -> dict[str, float]:
    """Labels attacks, keeps them in MLflow for every later training, and queues doubtful ones for review.

    Args:
        attacks_path: Parquet of Attack.
        labelled_path: Where to write the Parquet of LabelledAttack, doubtful rows included.
        review_path: Where to write the doubtful rows as CSV, the least certain first.
        lang: ISO 639-1 code of the corpus.
        pipeline_run: Id of the pipeline run.
        tracking_uri: MLflow server; the environment's if None.
        settings: How sure a label has to be.

    Returns:
        n_labelled, n_review, mean_confidence.
    """
    attacks = records.read(records.Attack, attacks_path)
    log(STAGE, f"labelling {len(attacks)} attacks")
    labelled = review.label(attacks, min_confidence=settings.min_confidence)
    records.write(records.LabelledAttack, labelled, labelled_path)
    doubtful = labelled[labelled["needs_review"]].sort_values("label_confidence")
    review_path.parent.mkdir(parents=True, exist_ok=True)
    doubtful.to_csv(review_path, index=False)
    metrics = {
        "n_labelled": float(len(labelled)),
        "n_review": float(len(doubtful)),
        "mean_confidence": float(labelled["label_confidence"].mean()),
    }
    tracking = Tracking(tracking_uri, pipeline_run)
    tracking.log_labelled(lang, labelled)
    tracking.log(STAGE, metrics)
    log(STAGE, f"{len(labelled) - len(doubtful)} to train on, {len(doubtful)} set aside for a person")
    return metrics
