"""People's answers about attacked texts, kept in MLflow: each file of answers is an artifact of a run of its own."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pandas as pd

from content_arena.components.shared import records
from content_arena.components.shared.library_errors import during
from content_arena.components.shared.mlflow_tracking import tracking

_FOLDER, _FILE = "review_answers", "answers.parquet"
_TAG = "content_arena.review_answers"


def keep(client: tracking.Client, answers: pd.DataFrame) -> str:
    """Keeps answers, whole or not at all; returns the id of the MLflow run that keeps them.

    Args:
        client: Of MLflow.
        answers: Rows of Answer.
    """
    uri = str(client.tracking_uri)
    with during(f"keeping people's answers (MLflow at {uri})"), tempfile.TemporaryDirectory() as folder:
        records.write(records.Answer, answers, Path(folder) / _FILE)
        name = f"answers of {time.strftime('%Y-%m-%d %H:%M')}"
        run_id = str(client.create_run(tracking.experiment(client, uri), run_name=name).info.run_id)
        client.log_artifact(run_id, str(Path(folder) / _FILE), _FOLDER)
        client.set_terminated(run_id)
        # Last: the answers of a run that is killed before do not count.
        client.set_tag(run_id, _TAG, str(len(answers)))
    return run_id


def read(client: tracking.Client) -> pd.DataFrame:
    """Every answer that is kept, oldest first: rows of Answer; without those of runs that were deleted in MLflow."""
    tables = [
        tracking.read_kept(client, records.Answer, run, f"{_FOLDER}/{_FILE}")
        for run in tracking.every_run(client, f"tags.`{_TAG}` LIKE '%'", deleted=False)
    ]
    return pd.concat(tables, ignore_index=True) if tables else records.Answer.empty()
