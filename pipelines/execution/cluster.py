"""Runs on a Kubeflow Pipelines server, through its client: start, schedule, follow."""

from __future__ import annotations

import contextlib
import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.execution.following import Follower

#: States of a run that has ended.
FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"})


#: What a server with users says, by status.
_REFUSALS = {
    401: "Kubeflow Pipelines does not know you (401): give a valid one with --token or --cookie",
    403: "Kubeflow Pipelines does not let you do that (403): with Kubeflow's profiles, --namespace is your profile's",
}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what KFP's client warns of at every call, and without its tracebacks of what is raised as well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


@contextlib.contextmanager
def _client_errors(failure: str, advice: str = "") -> Iterator[None]:
    """Turns the errors of KFP's client into one line: what failed, the client's reason, and what to do."""
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    # The client raises TimeoutError, an OSError, if the server is another one, and ValueError for a malformed address.
    except (ApiException, HTTPError, OSError, ValueError) as error:
        if isinstance(error, ApiException) and error.status in _REFUSALS:
            raise InputError(_REFUSALS[error.status]) from error
        reason = str(getattr(error, "reason", None) or error).strip().splitlines()[0][:200]
        raise InputError(f"{failure} ({reason})" + (f": {advice}" if advice else "")) from error


class _Version(Protocol):
    """A version of an uploaded pipeline, as far as it is used; the client of Kubeflow Pipelines ships no types."""

    pipeline_id: str
    pipeline_version_id: str


@dataclass(frozen=True)
class Login:
    """How a server with users, such as Kubeflow's, knows whose requests these are.

    Attributes:
        token: Bearer token; None for none.
        cookie: Such as ``authservice_session=...``; None for none.
    """

    token: str | None = None
    cookie: str | None = None


def _has_users(host: str, login: Login) -> bool:
    """Whether a server keeps users apart.

    The client asks too, but five times with 5 s in between, and drops the reason.
    """
    from kfp_server_api import ApiClient, Configuration, HealthzServiceApi

    settings = Configuration(host=host)
    if login.token:
        settings.api_key, settings.api_key_prefix = {"authorization": login.token}, {"authorization": "Bearer"}
    found = HealthzServiceApi(ApiClient(settings, cookie=login.cookie)).healthz_service_get_healthz()
    if not hasattr(found, "multi_user"):
        raise ValueError("it answers with a page and not as an API")
    return bool(found.multi_user)


class Submission:
    """A Kubeflow Pipelines server and the experiment that runs belong to."""

    def __init__(
        self,
        host: str,
        namespace: str,
        experiment: str,
        service_account: str | None = None,
        login: Login = Login(),
    ) -> None:
        """Connects to a server, and makes the experiment if there is none.

        Args:
            host: URL of the server.
            namespace: Of the runs.
            experiment: Name of the experiment.
            service_account: Of the pods; the server's default if None.
            login: For a server with users.

        Raises:
            InputError: Nothing that is Kubeflow Pipelines answers there, or it does not let us in.
        """
        with _quiet():
            import kfp

        self._host, self._namespace, self._service_account = host.rstrip("/"), namespace, service_account
        unreachable = f"Kubeflow Pipelines does not answer at {host}"
        with _client_errors(unreachable, "is the port-forward up, and --host right?"), _quiet():
            # With users, pipelines are in namespaces as well.
            self._pipelines_namespace = namespace if _has_users(self._host, login) else None
            self._client = kfp.Client(
                host=self._host, namespace=namespace, existing_token=login.token, cookies=login.cookie
            )
            self._experiment_id: str = self._client.create_experiment(experiment, namespace=namespace).experiment_id
        if not self._experiment_id:
            raise InputError(f"{unreachable}: another server does; give the right --host")

    def start(self, name: str, package: Path, arguments: dict[str, Any]) -> dict[str, str]:
        """Uploads a pipeline and starts a run; returns run_id and url.

        Raises:
            InputError: The server refused, or stopped answering.
        """
        with _client_errors(f"Kubeflow Pipelines does not start {name}"), _quiet():
            version = self._upload(name, package)
            run = self._client.run_pipeline(
                experiment_id=self._experiment_id,
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
        """Uploads a pipeline and makes a recurring run. Runs never overlap, and missed ones are not caught up on.

        Args:
            name: Of the pipeline.
            package: The compiled pipeline.
            arguments: Its parameters.
            every: Seconds between starts.
            cron: A cron expression of six fields, seconds first; in place of ``every``.

        Raises:
            InputError: The server refused, or stopped answering.
        """
        with _client_errors(f"Kubeflow Pipelines does not schedule {name}"), _quiet():
            version = self._upload(name, package)
            made = self._client.create_recurring_run(
                experiment_id=self._experiment_id,
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
        """Logs what the stages do until the run has ended; returns the run's state.

        Args:
            run_id: Of the run.
            log: Called with a line at a time.
            interval: Seconds between two reads of the run's state.

        Raises:
            InputError: The server stopped answering; the run goes on.
        """
        follower = Follower(run_id, self._namespace)
        while True:
            with _client_errors(f"Kubeflow Pipelines no longer answers for run {run_id}, which goes on"), _quiet():
                run = self._client.get_run(run_id)
            for line in follower.lines((run.run_details.task_details or []) if run.run_details else []):
                log(line)
            ended: str = run.state
            if ended in FINAL:
                return ended
            time.sleep(interval)

    def _upload(self, name: str, package: Path) -> _Version:
        """A new version of the pipeline; the pipeline itself is made by the first upload."""
        stamp = time.strftime("%Y%m%d-%H%M%S")
        pipeline_id = self._find(name)
        if pipeline_id is None:
            made = self._client.upload_pipeline(str(package), pipeline_name=name, namespace=self._pipelines_namespace)
            versions = self._client.list_pipeline_versions(made.pipeline_id, page_size=1, sort_by="created_at desc")
            first: _Version = versions.pipeline_versions[0]
            return first
        version: _Version = self._client.upload_pipeline_version(
            str(package), pipeline_version_name=f"{name}-{stamp}", pipeline_id=pipeline_id
        )
        return version

    def _find(self, name: str) -> str | None:
        """The id of the pipeline of that name; None before the first upload."""
        # The client's get_pipeline_id names no namespace, and then a server with users shows shared pipelines only.
        predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        found = self._client.list_pipelines(
            filter=json.dumps({"predicates": [predicate]}), namespace=self._pipelines_namespace
        )
        return str(found.pipelines[0].pipeline_id) if found.pipelines else None
