"""What the arena keeps between runs, in MLflow: figures, curves and labelled attacks.

One MLflow run stands for one pass through the pipeline. Its stages find it by the pipeline run's id, so nothing but
that id has to travel between pods. Where Kubeflow Pipelines has opened an MLflow run for the task itself (it sets
MLFLOW_RUN_ID), the task's figures go there as well.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.library_errors import during, naming
from content_arena.components.shared.mlflow_tracking import database, relocation
from content_arena.components.shared.mlflow_tracking.metric_names import (
    PIPELINE_RUN_TAG,
    of_stage,
    seconds_of,
    stage_timed_by,
)

if TYPE_CHECKING:
    # Importing it takes seconds.
    from mlflow import ActiveRun, MlflowClient
    from mlflow.entities import Run as MlflowRun

#: MLflow's types under names that other modules may use without importing MLflow.
Client: TypeAlias = "MlflowClient"
Run: TypeAlias = "MlflowRun"

EXPERIMENT = "content-arena"
_LABELLED = "labelled_attacks"
_LABELLED_TAG = "content_arena.labelled_lang"
#: Folder of a run's artifacts with the attacks that it adds to the regression suite, a file a stage.
REGRESSIONS = "regressions"
#: What an attacker that learns takes to the next battle.
_MEMORY, _MEMORY_TAG = "attacker_memory.json", "content_arena.attacker_memory"
_REGRESSIONS_TAG = "content_arena.regressions_lang"


def connect(tracking_uri: str | None, *, follow_moves: bool = True) -> Client:
    """An MLflow client; also sets the process's tracking URI, which MLflow's fluent calls and callbacks read.

    Args:
        tracking_uri: An MLflow server or ``sqlite:///`` file; MLFLOW_TRACKING_URI if None.
        follow_moves: Whether a database whose folder was moved or copied is brought in line with where it lies, see
            :mod:`content_arena.components.shared.mlflow_tracking.relocation`; not for those who change nothing.

    Raises:
        InputError: Neither is given, or the file is no database.
    """
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        raise InputError("no MLflow server given: set the tracking_uri parameter or MLFLOW_TRACKING_URI")
    # MLflow asks the network for newer releases of itself and reports usage unless switched off.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # A server in front of S3 offers links that it signed for its own name of the storage, which a client in another
    # namespace or behind a port-forward cannot resolve; it retries for minutes. Through the server it works everywhere.
    os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
    import mlflow

    path = database.path_of(uri)
    with during(f"connecting to MLflow at {uri}"):
        if path is not None:
            _prepare_database(path, follow_moves=follow_moves)
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        return mlflow.MlflowClient(uri, uri)


def _prepare_database(path: Path, *, follow_moves: bool) -> None:
    from mlflow.store.db import utils

    # MLflow makes the folder that it reads out of the address, and takes `%20` in it for three characters of its name.
    utils._make_parent_dirs_if_sqlite = lambda db_uri: None
    if not path.exists():
        _make_database(path)
    elif follow_moves:
        relocation.follow(path, EXPERIMENT)


def _make_database(path: Path) -> None:
    """Makes a new SQLite database beside its place and moves it there.

    MLflow builds its tables in some three hundred steps, each of which SQLite commits: a process killed among them
    would leave half a database, which MLflow can neither use nor mend.
    """
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    engine = create_sqlalchemy_engine(database.uri_of(unfinished))
    _initialize_tables(engine)
    engine.dispose()
    unfinished.replace(path)


@contextlib.contextmanager
def active_run(client: Client, run_id: str) -> Iterator[None]:
    """Makes a run the active one for MLflow's fluent calls, and leaves it open.

    MLflow would mark it as finished at the end of the block, and other stages have still to log into it.
    """
    import mlflow

    try:
        with mlflow.start_run(run_id=run_id):
            yield
    finally:
        client.update_run(run_id, status="RUNNING")


def seconds_since_start() -> float:
    """Seconds since this process began: what a stage took, its imports included."""
    import psutil

    return time.time() - psutil.Process().create_time()


class Tracking:
    """The MLflow run of one pipeline run."""

    def __init__(self, tracking_uri: str | None, pipeline_run: str) -> None:
        """Finds or makes the run.

        Args:
            tracking_uri: See :func:`connect`.
            pipeline_run: Id of the pipeline run; every stage of a run passes the same.
        """
        self.client = connect(tracking_uri)
        self.uri = str(self.client.tracking_uri)
        self.pipeline_run = pipeline_run
        with during(f"opening the run (MLflow at {self.uri})"):
            self.experiment_id = experiment(self.client, self.uri)
            self.run_id = self._find() or self._create()
        # Taken out of the environment: MLflow would resume it whenever the stage starts a run of its own.
        self._task_run_id = os.environ.pop("MLFLOW_RUN_ID", None)

    def _find(self) -> str | None:
        query = f"tags.`{PIPELINE_RUN_TAG}` = '{self.pipeline_run}'"
        found = self.client.search_runs([self.experiment_id], query, max_results=1)
        return found[0].info.run_id if found else None

    def _create(self) -> str:
        tags = {PIPELINE_RUN_TAG: self.pipeline_run}
        created = self.client.create_run(self.experiment_id, tags=tags, run_name=self.pipeline_run[:60])
        return str(created.info.run_id)

    @naming("keeping the figures of {stage}")
    def log(self, stage: str, metrics: Mapping[str, float | None], params: Mapping[str, object] | None = None) -> None:
        """Logs a finished stage: its figures, its parameters and how long it took, all named ``stage.name``.

        Of the shards of a stage, which run side by side, the seconds are the slowest one's.
        """
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        rows = {of_stage(stage, name): float(value) for name, value in metrics.items() if value is not None}
        rows[seconds_of(stage)] = max(seconds_since_start(), self.seconds().get(stage, 0.0))
        entries = [Metric(name, value, now, 0) for name, value in rows.items()]
        parameters = [Param(of_stage(stage, name), str(value)[:500]) for name, value in (params or {}).items()]
        self.client.log_batch(self.run_id, metrics=entries, params=parameters)
        if self._task_run_id:
            self.client.log_batch(self._task_run_id, metrics=entries)

    @naming("keeping the seconds of {stage}")
    def log_seconds(self, stage: str, seconds: float) -> None:
        """Logs the seconds of a stage that cannot log them itself, such as one whose result was cached."""
        self.client.log_metric(self.run_id, seconds_of(stage), seconds)

    @naming("reading the seconds of the stages")
    def seconds(self) -> dict[str, float]:
        """Seconds of every stage logged so far, by stage."""
        metrics = self.client.get_run(self.run_id).data.metrics
        return {stage: value for name, value in metrics.items() if (stage := stage_timed_by(name)) is not None}

    @naming("keeping a page")
    def log_page(self, name: str, page: str) -> None:
        """Keeps an HTML page with the run.

        Args:
            name: Path among the run's artifacts, such as ``corpus/quality.html``.
            page: The page.
        """
        self.client.log_text(self.run_id, page, name)

    @naming("closing the run")
    def finish(self, status: str) -> None:
        """Closes the run, and those nested in it that a killed stage left open.

        Args:
            status: FINISHED, FAILED or KILLED.
        """
        open_ones = f"tags.`mlflow.parentRunId` = '{self.run_id}' and attributes.status = 'RUNNING'"
        for nested in self.client.search_runs([self.experiment_id], open_ones):
            self.client.set_terminated(nested.info.run_id, status)
        self.client.set_terminated(self.run_id, status)

    @contextlib.contextmanager
    def training_run(self, name: str) -> Iterator[ActiveRun]:
        """A nested, active MLflow run with system metrics, which the Trainer's MLflow callback logs into."""
        import mlflow

        mlflow.set_experiment(experiment_id=self.experiment_id)
        with (
            active_run(self.client, self.run_id),
            mlflow.start_run(run_name=name, nested=True, log_system_metrics=True) as run,
        ):
            yield run

    @naming("keeping the labelled attacks")
    def log_labelled(self, lang: str, labelled: pd.DataFrame) -> None:
        """Keeps a battle's labelled attacks for every later training."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "labelled.parquet"
            records.write(records.LabelledAttack, labelled, path)
            self.client.log_artifact(self.run_id, str(path), _LABELLED)
        # After the upload: a run that is killed during it is then not taken for one with attacks.
        self.client.set_tag(self.run_id, _LABELLED_TAG, lang)

    @naming("reading the labelled attacks of earlier runs")
    def earlier_labelled(self, lang: str) -> list[pd.DataFrame]:
        """The labelled attacks of all other runs in a language, oldest first."""
        battles = labelled_battles(self.client, lang)
        return [battle.attacks for battle in battles if battle.run_id != self.run_id]

    @naming("keeping attacks for the regression suite")
    def log_regressions(self, lang: str, stage: str, attacks: pd.DataFrame) -> None:
        """Keeps a stage's attacks (rows of Attack, maybe none) for the regression suite of every later comparison."""
        if attacks.empty:
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{stage}.parquet"
            records.write(records.Attack, attacks, path)
            self.client.log_artifact(self.run_id, str(path), REGRESSIONS)
        self.client.set_tag(self.run_id, _REGRESSIONS_TAG, lang)

    @naming("reading the regression suite")
    def _regressions_of(self, run_id: str) -> list[pd.DataFrame]:
        import mlflow

        with tempfile.TemporaryDirectory() as folder:
            path = mlflow.artifacts.download_artifacts(
                run_id=run_id, artifact_path=REGRESSIONS, dst_path=folder, tracking_uri=self.uri
            )
            return [records.read(records.Attack, file) for file in sorted(Path(path).glob("*.parquet"))]

    def earlier_regressions(self, lang: str) -> Iterator[tuple[str, pd.DataFrame]]:
        """What all other runs in a language kept for the regression suite, the newest run first, a table a stage."""
        query = f"tags.`{_REGRESSIONS_TAG}` = '{lang}'"
        with during(f"listing the runs (MLflow at {self.uri})"):
            # MLflow's own bound of a page; older runs than these could fill no suite any more.
            runs = self.client.search_runs([self.experiment_id], query, order_by=["start_time DESC"], max_results=1000)
        for run in runs:
            if run.info.run_id != self.run_id:
                for table in self._regressions_of(run.info.run_id):
                    yield run.info.run_id, table

    @naming("keeping what the attacker learnt")
    def log_attacker_memory(self, lineage: str, memory: str) -> None:
        """Keeps what an attacker learnt (JSON) for later battles.

        Args:
            lineage: Names the filters that it is about.
            memory: What it learnt.
        """
        self.client.log_text(self.run_id, memory, _MEMORY)
        self.client.set_tag(self.run_id, _MEMORY_TAG, lineage)

    @naming("reading what attackers learnt")
    def earlier_attacker_memory(self, lineage: str) -> str | None:
        """What the attacker of the newest other run learnt about these filters; None if there is none."""
        import mlflow

        query = f"tags.`{_MEMORY_TAG}` = '{lineage}'"
        runs = self.client.search_runs([self.experiment_id], query, order_by=["start_time DESC"], max_results=2)
        for run in runs:
            if run.info.run_id != self.run_id:
                with tempfile.TemporaryDirectory() as folder:
                    path = mlflow.artifacts.download_artifacts(
                        run_id=run.info.run_id, artifact_path=_MEMORY, dst_path=folder, tracking_uri=self.uri
                    )
                    return Path(path).read_text(encoding="utf-8")
        return None


@dataclass(frozen=True)
class LabelledBattle:
    """A battle whose labelled attacks are kept.

    Attributes:
        run_id: The MLflow run that keeps them.
        name: Id of the pipeline run.
        day: When that began.
        lang: ISO 639-1 code.
        attacks: Rows of LabelledAttack.
    """

    run_id: str
    name: str
    day: str
    lang: str
    attacks: pd.DataFrame


def labelled_battles(client: Client, lang: str | None = None) -> Iterator[LabelledBattle]:
    """The battles whose labelled attacks are kept, oldest first.

    Args:
        client: Of MLflow.
        lang: Only those in this language; all if None.
    """
    query = f"tags.`{_LABELLED_TAG}` " + ("LIKE '%'" if lang is None else f"= '{lang}'")
    for run in every_run(client, query, deleted=False):
        tags = run.data.tags
        yield LabelledBattle(
            run_id=run.info.run_id,
            name=tags.get(PIPELINE_RUN_TAG, run.info.run_id),
            day=time.strftime("%Y-%m-%d", time.localtime(run.info.start_time / 1000)),
            lang=tags[_LABELLED_TAG],
            attacks=read_kept(client, records.LabelledAttack, run, f"{_LABELLED}/labelled.parquet"),
        )


def read_kept(client: Client, schema: type[records.Record], run: Run, artifact: str) -> pd.DataFrame:
    """A table among the artifacts of a run."""
    with tempfile.TemporaryDirectory() as folder:
        with during(f"reading runs:/{run.info.run_id}/{artifact} (MLflow at {client.tracking_uri})"):
            path = client.download_artifacts(run.info.run_id, artifact, folder)
        return records.read(schema, path)


def every_run(client: Client, query: str = "", *, deleted: bool = True) -> Iterator[Run]:
    """The arena's runs, oldest first.

    Args:
        client: Of MLflow.
        query: Which of them, in MLflow's language of filters; all if empty.
        deleted: Whether those deleted in MLflow are among them: their artifacts are still there.
    """
    from mlflow.entities import ViewType

    view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY
    with during(f"listing the runs (MLflow at {client.tracking_uri})"):
        found = client.get_experiment_by_name(EXPERIMENT)
        token: str | None = None
        while found is not None:
            page = client.search_runs([found.experiment_id], query, view, order_by=["start_time ASC"], page_token=token)
            yield from page
            token = page.token
            if not token:
                return


def experiment(client: Client, uri: str) -> str:
    """The id of the arena's experiment, which is made if there is none.

    For a local database its artifacts lie beside the database, not in the working folder.
    """
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return found.experiment_id
    path = database.path_of(uri)
    location = relocation.artifacts_of(path) if path else None
    from mlflow.exceptions import MlflowException

    try:
        return client.create_experiment(EXPERIMENT, artifact_location=location)
    except MlflowException:
        # Another stage made it between the two calls.
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is None:
            raise
        return found.experiment_id
