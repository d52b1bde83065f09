"""What MLflow and its registry hold at one moment, read and never written.

Stages run in pods that are gone before Prometheus could scrape them; what they measured stays in MLflow. This module
reads it, and :mod:`content_arena.components.metrics_exporter.collector` turns it into metrics.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from content_arena.components.registry import tags
from content_arena.components.registry.gates import GateResult
from content_arena.components.registry.registry import MODEL_NAME, Registry
from content_arena.components.registry.version import RegisteredVersion
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking import database, tracking
from content_arena.components.shared.mlflow_tracking.metric_names import PIPELINE_RUN_TAG

Item_co = TypeVar("Item_co", covariant=True)
Item = TypeVar("Item")

_PARENT_TAG = "mlflow.parentRunId"
_RUN_NAME_TAG = "mlflow.runName"
#: Runs that began longer ago than this do not change any more: they are read once a day and not every time.
_UNCHANGING_SECONDS = 7 * 86_400
_REREAD_SECONDS = 86_400
_PAGE = 1_000


@dataclass(frozen=True)
class PipelineRun:
    """One pass through a pipeline.

    Attributes:
        run_id: MLflow's id.
        status: MLflow's status in lower case: running, scheduled, finished, failed or killed.
        started: Unix time, seconds.
        metrics: Last value of every metric, named ``stage.name``.
        params: Parameters, named ``stage.name``.
    """

    run_id: str
    status: str
    started: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """The newest training, with the last value of each of its curves.

    Attributes:
        stage: ``train_qlora`` or ``bootstrap_champion``.
        is_running: Whether it goes on; a training whose pipeline run has ended does not, whatever its own status.
        metrics: The Trainer's figures (``loss``, ``eval_f1``, ...) and MLflow's (``system/...``).
    """

    stage: str
    is_running: bool
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """Everything the collector needs.

    Attributes:
        runs: Pipeline runs, newest first.
        aliases: The version behind every alias that is set.
        registered: When each version was registered (Unix time, seconds), by version.
        n_rejected: Versions that were rejected or taken back.
        last_rejected: When the last of them was (Unix time, seconds); None if there is none.
        verdict: How each gate was decided for the newest version that was judged; empty if none was.
        training: The newest training; None before the first.
    """

    runs: tuple[PipelineRun, ...] = ()
    aliases: Mapping[str, RegisteredVersion] = field(default_factory=dict)
    registered: Mapping[int, float] = field(default_factory=dict)
    n_rejected: int = 0
    last_rejected: float | None = None
    verdict: tuple[GateResult, ...] = ()
    training: Training | None = None


class Reader:
    """Reads snapshots from one MLflow server; old runs are kept between reads."""

    def __init__(self, tracking_uri: str, clock: Callable[[], float] = time.time) -> None:
        """Connects to nothing yet.

        Args:
            tracking_uri: An MLflow server or database, see
                :func:`content_arena.components.shared.mlflow_tracking.tracking.connect`.
            clock: Unix time in seconds.
        """
        self._uri = tracking_uri
        self._clock = clock
        self._registry: Registry | None = None
        self._old_runs: dict[str, PipelineRun] = {}
        self._old_runs_read_at = float("-inf")

    def read(self) -> Snapshot:
        """What is there now.

        Raises:
            Exception: MLflow does not answer, or holds something that cannot be read. A snapshot is never partial.
        """
        registry = self._connected()
        versions = _all(lambda token: registry.client.search_model_versions(_OF_MODEL, page_token=token))
        experiment = registry.client.get_experiment_by_name(tracking.EXPERIMENT)
        runs = self._runs(registry.client, experiment.experiment_id) if experiment else ()
        described = [RegisteredVersion.from_tags(int(version.version), version.tags) for version in versions]
        judged = [version.version for version in described if tags.VERDICT in version.tags]
        rejected = [version for version in described if version.rejection is not None]
        verdict = registry.verdict(max(judged)) if judged else None
        return Snapshot(
            runs=runs,
            aliases=registry.aliases() if versions else {},
            registered={int(version.version): version.creation_timestamp / 1000 for version in versions},
            n_rejected=len(rejected),
            last_rejected=max(
                (version.rejected_at for version in rejected if version.rejected_at is not None), default=None
            ),
            verdict=verdict.gates if verdict else (),
            training=_training(registry.client, experiment.experiment_id, runs) if experiment else None,
        )

    def _connected(self) -> Registry:
        path = database.path_of(self._uri)
        if path is not None and not path.exists():
            # Connecting would make the database: an exporter makes nothing.
            raise InputError("the tracking database does not exist")
        if self._registry is None:
            self._registry = Registry(self._uri, follow_moves=False)
        return self._registry

    def _runs(self, client: tracking.Client, experiment_id: str) -> tuple[PipelineRun, ...]:
        """All pipeline runs, newest first; only the last days are asked for, unless a day has passed."""
        now = self._clock()
        reread = now - self._old_runs_read_at >= _REREAD_SECONDS
        old_before = now - _UNCHANGING_SECONDS
        query = f"tags.`{PIPELINE_RUN_TAG}` LIKE '%'"
        if not reread:
            query += f" AND attributes.start_time >= {int((self._old_runs_read_at - _UNCHANGING_SECONDS) * 1000)}"
        found = _all(lambda token: client.search_runs([experiment_id], query, max_results=_PAGE, page_token=token))
        runs = {run.info.run_id: _pipeline_run(run) for run in found}
        if reread:
            self._old_runs = {key: run for key, run in runs.items() if run.started < old_before}
            self._old_runs_read_at = now
        return tuple(sorted((self._old_runs | runs).values(), key=lambda run: run.started, reverse=True))


_OF_MODEL = f"name = '{MODEL_NAME}'"


class Page(Protocol[Item_co]):
    """One page of a search of MLflow's."""

    @property
    def token(self) -> str | None:
        """Asks for the next page; None or empty at the last."""
        ...

    def __iter__(self) -> Iterator[Item_co]: ...


def _all(search: Callable[[str | None], Page[Item]]) -> list[Item]:
    """Every page of a search of MLflow's."""
    found: list[Item] = []
    token: str | None = None
    while True:
        page = search(token)
        found += page
        token = page.token
        if not token:
            return found


def _pipeline_run(run: tracking.Run) -> PipelineRun:
    return PipelineRun(
        run_id=run.info.run_id,
        status=run.info.status.lower(),
        started=run.info.start_time / 1000,
        metrics=dict(run.data.metrics),
        params=dict(run.data.params),
    )


def _training(client: tracking.Client, experiment_id: str, runs: tuple[PipelineRun, ...]) -> Training | None:
    """The newest run that Tracking nested into a pipeline run."""
    query = f"tags.`{_PARENT_TAG}` LIKE '%'"
    found = client.search_runs([experiment_id], query, order_by=["start_time DESC"], max_results=1)
    if not found:
        return None
    (run,) = found
    status = {run.run_id: run.status for run in runs}
    # A pod that was killed leaves its training open; the exit handler closes the pipeline run around it.
    is_running = run.info.status == "RUNNING" and status.get(run.data.tags[_PARENT_TAG]) == "running"
    return Training(run.data.tags.get(_RUN_NAME_TAG, ""), is_running, dict(run.data.metrics))
