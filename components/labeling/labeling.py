"""The stage label_attacks: labels a battle, keeps it for later trainings, queues doubtful attacks for review."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from content_arena.components.labeling import quality, queue, review
from content_arena.components.labeling.answers import PERSON, PERSON_OF_ORIGINAL, Said, settled, waiting
from content_arena.components.labeling.judge import Judge, JudgeVoter
from content_arena.components.labeling.quality import CorpusLabels
from content_arena.components.labeling.settings import LabelingSettings
from content_arena.components.shared import records
from content_arena.components.shared.chat import ChatSettings
from content_arena.components.shared.errors import ChatError
from content_arena.components.shared.mlflow_tracking import kept_answers
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.stage import log, note, stage

STAGE = "label_attacks"


#: Ids of doubtful labels in the log.
_LOGGED = 10


@dataclass(frozen=True)
class Outputs:
    """Where the stage writes.

    Attributes:
        labelled: Parquet of LabelledAttack, doubtful rows included.
        review: What waits for a person as CSV, the least certain first; no cell is a formula.
        tasks: The same as tasks for Label Studio.
        corpus_labels: What was found about the labels of the corpus, as JSON; texts are named by their ids.
    """

    labelled: Path
    review: Path
    tasks: Path
    corpus_labels: Path


@stage(STAGE)
def label_attacks(
    attacks_path: Path,
    corpus_path: Path,
    written: Outputs,
    *,
    lang: str,
    pipeline_run: str,
    tracking_uri: str | None = None,
    settings: LabelingSettings = LabelingSettings(),  # noqa: B008 - frozen
    chat: ChatSettings = ChatSettings(),  # noqa: B008 - frozen
) -> dict[str, float]:
    """Labels attacks, keeps them in MLflow for every later training, and queues doubtful ones for review.

    It also looks for wrong labels of the corpus, see quality.py.

    Args:
        attacks_path: Parquet of Attack.
        corpus_path: Parquet of Sample.
        written: Where to write.
        lang: ISO 639-1 code of the corpus.
        pipeline_run: Id of the pipeline run.
        tracking_uri: MLflow server; the environment's if None.
        settings: How sure a label has to be.
        chat: How an LLM is asked, if one judges.

    Returns:
        n_labelled, n_review, n_judged, n_by_people, n_doubtful_labels, n_odd_sources, and mean_confidence if there are
        attacks.
    """
    attacks = records.read(records.Attack, attacks_path)
    tracking = Tracking(tracking_uri, pipeline_run)
    said = settled(kept_answers.read(tracking.client))
    log(STAGE, f"labelling {len(attacks)} attacks; people said what {len(said.texts)} texts are")
    labelled = review.label(attacks, min_confidence=settings.min_confidence, said=said)
    labelled, n_judged = _judged(labelled, said, settings, chat)
    records.write(records.LabelledAttack, labelled, written.labelled)
    doubtful = waiting(labelled, said).assign(battle=pipeline_run)
    for path, write in ((written.review, queue.spreadsheet), (written.tasks, queue.label_studio)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(write(queue.one_per_text(doubtful)).encode("utf-8", "surrogatepass"))
    corpus_labels = quality.check(records.read(records.Sample, corpus_path), settings.doubtful_labels)
    written.corpus_labels.parent.mkdir(parents=True, exist_ok=True)
    written.corpus_labels.write_text(corpus_labels.as_json(), encoding="utf-8")
    n_left_out = int(labelled["needs_review"].sum())
    metrics = {
        "n_labelled": float(len(labelled)),
        "n_review": float(len(doubtful)),
        "n_judged": float(n_judged),
        "n_by_people": float(labelled["label_source"].isin([PERSON, PERSON_OF_ORIGINAL]).sum()),
        "n_doubtful_labels": float(len(corpus_labels.doubtful)),
        "n_odd_sources": float(len(corpus_labels.odd_sources)),
    }
    if len(labelled):
        metrics["mean_confidence"] = float(labelled["label_confidence"].mean())
    tracking.log_labelled(lang, labelled)
    tracking.log(STAGE, metrics)
    log(STAGE, f"{len(labelled) - n_left_out} to train on, {len(doubtful)} wait for a person (`arena review list`)")
    for line in _findings(corpus_labels):
        log(STAGE, line)
    return metrics


def _judged(
    labelled: pd.DataFrame, said: Said, settings: LabelingSettings, chat: ChatSettings
) -> tuple[pd.DataFrame, int]:
    """Adds an LLM's votes on texts that wait for a person, those first that a person is asked about first.

    These votes have no weight: an LLM that is down or absent is told in the log, and does not end the stage.

    Returns:
        The table, and how many texts have its vote.
    """
    if not settings.judged_texts:
        return labelled, 0
    asked = queue.one_per_text(waiting(labelled, said)).head(settings.judged_texts)
    texts = dict(zip(asked["perturbed_text"], asked["original_text"], strict=True))
    try:
        judge = Judge.open(chat)
    except ChatError as error:
        note(STAGE, f"no LLM judged: {error}")
        return labelled, 0
    votes = judge.verdicts(texts)
    note(STAGE, judge.summary(len(texts)))
    return review.with_votes(labelled, JudgeVoter(votes)), sum(vote == vote for vote in votes.values())


def _findings(found: CorpusLabels) -> Iterator[str]:
    """Lines about the labels of the corpus."""
    if found.doubtful:
        ids = ", ".join(each.sample_id for each in found.doubtful[:_LOGGED])
        yield f"labels of the corpus that look wrong most (sample_id): {ids}; corpus_labels names {len(found.doubtful)}"
    for each in found.odd_sources:
        yield (
            f"source {each.source!r} labels otherwise than the rest: {each.doubtful.rate:.0%} of its {each.doubtful.n} "
            f"labels look wrong, {each.others.rate:.0%} of the others"
        )
