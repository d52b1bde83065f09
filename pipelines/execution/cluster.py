"""Runs on a Kubeflow Pipelines server, through its client: start, schedule, follow."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from content_arena.components.shared.errors import InputError

#: States a run does not leave any more.
FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"})


class _Version(Protocol):
    """A version of an uploaded pipeline, as far as it is used; the client of Kubeflow Pipelines ships no types."""

    pipeline_id: str
    pipeline_version_id: str


class Submission:
    """A Kubeflow Pipelines server and the experiment that runs belong to."""

    def __init__(self, host: str, namespace: str, experiment: str, service_account: str | None = None) -> None:
        """Connects to a server, and makes the experiment if there is none.

        Args:
            host: URL of the server.
            namespace: Of the runs.
            experiment: Name of the experiment.
            service_account: Of the pods; the server's default if None.

        Raises:
            InputError: Nothing that is Kubeflow Pipelines answers there.
        """
        import kfp

        self._host, self._namespace, self._service_account = host.rstrip("/"), namespace, service_account
        try:
            self._client = kfp.Client(host=self._host, namespace=namespace)
            self._experiment = self._client.create_experiment(experiment, namespace=namespace)
        except Exception as error:
            reason = str(getattr(error, "reason", None) or error).strip().splitlines()[0][:200]
            raise InputError(
                f"Kubeflow Pipelines does not answer at {host} ({reason}): is the port-forward up, and --host right?"
            ) from error

    def start(self, name: str, package: Path, arguments: dict[str, Any]) -> dict[str, str]:
        """Uploads a pipeline and starts a run; returns run_id and url."""
        version = self._upload(name, package)
        run = self._client.run_pipeline(
            experiment_id=self._experiment.experiment_id,
            job_name=f"{name} {time.strftime('%Y-%m-%d %H:%M:%S')}",
            params=arguments,
            pipeline_id=version.pipeline_id,
            version_id=version.pipeline_version_id,
            service_account=self._service_account,
        )
        return {"run_id": run.run_id, "url": f"{self._host}/#/runs/details/{run.run_id}"}

    def schedule(
        self, name: str, package: Path, arguments: dict[str, Any], *, every: int | None = None, cron: str | None = None
    ) -> dict[str, str]:
        """Uploads a pipeline and makes a recurring run; runs never overlap, and missed ones are not made up for.

        Args:
            name: Of the pipeline.
            package: The compiled pipeline.
            arguments: Its parameters.
            every: Seconds between starts.
            cron: Six fields, seconds first; or this.
        """
        version = self._upload(name, package)
        made = self._client.create_recurring_run(
            experiment_id=self._experiment.experiment_id,
            job_name=f"{name} {cron or f'every {every} s'}",
            params=arguments,
            pipeline_id=version.pipeline_id,
            version_id=version.pipeline_version_id,
            cron_expression=cron,
            interval_second=every,
            max_concurrency=1,
            no_catchup=True,
            service_account=self._service_account,
        )
        return {"recurring_run_id": made.recurring_run_id}

    def follow(self, run_id: str, log: Callable[[str], None], interval: float = 5.0) -> str:
        """Logs every task that changes its state until the run has ended; returns the run's state.

        Args:
            run_id: Of the run.
            log: Called with a line at a time.
            interval: Seconds between two reads of the run's state.
        """
        seen: dict[str, str] = {}
        while True:
            run = self._client.get_run(run_id)
            for task in (run.run_details.task_details or []) if run.run_details else []:
                title, state = task.display_name or "", task.state or ""
                if title and not title.endswith("-driver") and state and seen.get(task.task_id) != state:
                    seen[task.task_id] = state
                    log(f"{title}: {state.lower()}")
            ended: str = run.state
            if ended in FINAL:
                return ended
            time.sleep(interval)

    def _upload(self, name: str, package: Path) -> _Version:
        """A new version of the pipeline; the pipeline itself is made by the first upload."""
        stamp = time.strftime("%Y%m%d-%H%M%S")
        pipeline_id = self._client.get_pipeline_id(name)
        if pipeline_id is None:
            made = self._client.upload_pipeline(str(package), pipeline_name=name, namespace=self._namespace)
            versions = self._client.list_pipeline_versions(made.pipeline_id, page_size=1, sort_by="created_at desc")
            first: _Version = versions.pipeline_versions[0]
            return first
        version: _Version = self._client.upload_pipeline_version(
            str(package), pipeline_version_name=f"{name}-{stamp}", pipeline_id=pipeline_id
        )
        return version
