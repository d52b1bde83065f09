"""The stage label_attacks: labels a battle, keeps it for later trainings, queues doubtful attacks for review."""

from __future__ import annotations

from pathlib import Path

from content_arena.components.labeling import queue, review
from content_arena.components.labeling.answers import PERSON, PERSON_OF_ORIGINAL, settled, waiting
from content_arena.components.labeling.settings import LabelingSettings
from content_arena.components.shared import kept_answers, records
from content_arena.components.shared.stage import log, stage
from content_arena.components.shared.tracking import Tracking

STAGE = "label_attacks"


@stage(STAGE)
def label_attacks(
    attacks_path: Path,
    labelled_path: Path,
    review_path: Path,
    tasks_path: Path,
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
        review_path: Where to write what waits for a person as CSV, the least certain first; no cell is a formula.
        tasks_path: Where to write the same as tasks for Label Studio.
        lang: ISO 639-1 code of the corpus.
        pipeline_run: Id of the pipeline run.
        tracking_uri: MLflow server; the environment's if None.
        settings: How sure a label has to be.

    Returns:
        n_labelled, n_review, n_by_people, mean_confidence.
    """
    attacks = records.read(records.Attack, attacks_path)
    tracking = Tracking(tracking_uri, pipeline_run)
    said = settled(kept_answers.read(tracking.client))
    log(STAGE, f"labelling {len(attacks)} attacks; people said what {len(said.texts)} texts are")
    labelled = review.label(attacks, min_confidence=settings.min_confidence, said=said)
    records.write(records.LabelledAttack, labelled, labelled_path)
    doubtful = waiting(labelled, said).assign(battle=pipeline_run)
    for path, write in ((review_path, queue.spreadsheet), (tasks_path, queue.label_studio)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(write(queue.one_per_text(doubtful)).encode("utf-8", "surrogatepass"))
    n_left_out = int(labelled["needs_review"].sum())
    metrics = {
        "n_labelled": float(len(labelled)),
        "n_review": float(len(doubtful)),
        "n_by_people": float(labelled["label_source"].isin([PERSON, PERSON_OF_ORIGINAL]).sum()),
        "mean_confidence": float(labelled["label_confidence"].mean()),
    }
    tracking.log_labelled(lang, labelled)
    tracking.log(STAGE, metrics)
    log(STAGE, f"{len(labelled) - n_left_out} to train on, {len(doubtful)} wait for a person (`arena review list`)")
    return metrics
