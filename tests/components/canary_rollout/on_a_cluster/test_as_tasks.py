"""The stage roll_out and the exit handler as Kubeflow Pipelines runs them: by the component's command and executor.

The tests do what the launcher of Kubeflow Pipelines does: they fill in ``{{$}}`` and read the executor's output.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from content_arena.components.canary_rollout.component import roll_out
from content_arena.components.canary_rollout.measuring.config import PROBE_TOKEN_VARIABLE
from content_arena.components.canary_rollout.reporting.history import read
from content_arena.components.promotion.component import close_run
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from tests.components.canary_rollout.on_a_cluster import outcomes
from tests.components.canary_rollout.on_a_cluster.rollout_cli import LIMITS
from tests.components.canary_rollout.on_a_cluster.service_under_test import PROBE_TOKEN, SERVICE

pytestmark = pytest.mark.slow

_PORT = roll_out.component_spec.inputs["metrics_port"].default
_OUTPUTS = {"timeline": "system.HTML", "history": "system.Artifact", "metrics": "system.Metrics"}


class Task:
    """One task of a pipeline's run, as a process."""

    def __init__(self, kfp_component, folder: Path, cli, corpus: Path | None = None, **values) -> None:
        folder.mkdir()
        self.artifacts = {name: folder / name for name in _OUTPUTS} if corpus else {}
        self._output, self._log = folder / "output.json", folder / "log"
        given = {
            "inputs": {
                "parameterValues": values,
                "artifacts": {"corpus": _artifact("corpus", "system.Dataset", corpus)} if corpus else {},
            },
            "outputs": {
                "artifacts": {name: _artifact(name, _OUTPUTS[name], path) for name, path in self.artifacts.items()},
                "parameters": {"rollout": {"outputFile": str(folder / "rollout")}} if corpus else {},
                "outputFile": str(self._output),
            },
        }
        container = kfp_component.component_spec.implementation.container
        line = [part.replace("{{$}}", json.dumps(given)) for part in (*container.command, *container.args)]
        environment = os.environ | {
            "KUBECONFIG": cli.kubeconfig,
            PROBE_TOKEN_VARIABLE: PROBE_TOKEN,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(line, stdout=log, stderr=log, env=environment, start_new_session=True)

    def end(self, seconds: float = 400) -> int:
        """Its exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(self.log) from None

    def kill(self) -> None:
        """Kills the shell and its child processes with SIGKILL."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    @property
    def log(self) -> str:
        return self._log.read_text()[-4000:]

    @property
    def rollout(self) -> dict:
        return json.loads(self._output.read_text())["parameterValues"]["rollout"]


def _artifact(name, kind, path):
    return {"artifacts": [{"name": name, "type": {"schemaTitle": kind}, "uri": str(path), "metadata": {}}]}


@pytest.fixture
def task(installation, cli, probes, tmp_path):
    """Makes the stage's task."""

    def make(name="roll-out", **values):
        usual = {
            "verdict": {"challenger_version": 2, "passed": True}, "service": SERVICE,
            "namespace": installation.namespace, "pipeline_run": "run-1", "lang": "en", "steps": [0, 100],
            "bake_seconds": 6.0, "min_requests": 381, "limits": LIMITS, "approvals": [],
            "prometheus": "", "settings": {"rollout": {"kserve_version": installation.kserve_version}},
            "models_uri": "", "runtime": "", "tracking_uri": installation.registry,
        }  # fmt: skip
        return Task(roll_out, tmp_path / name, cli, probes, **(usual | values))

    return make


@pytest.fixture
def exit_handler(installation, cli, tmp_path):
    def make(state, name="close-run"):
        status = {"state": state, "pipelineJobResourceName": "run-1", "pipelineTaskName": "arena", "error": {}}
        return Task(
            close_run, tmp_path / name, cli, status=status, pipeline_run="run-1", rollout_service=SERVICE,
            rollout_namespace=installation.namespace, tracking_uri=installation.registry,
        )  # fmt: skip

    return make


def _scraped() -> set[str]:
    """The phase by the stage's own metrics, at the port that the PodMonitor scrapes."""
    try:
        text = requests.get(f"http://127.0.0.1:{_PORT}/metrics", timeout=5).text
    except requests.ConnectionError:
        return set()
    return {
        sample.labels["content_arena_rollout_phase"]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if family.name == "content_arena_rollout_phase" and sample.value == 1
    }


def _run_of(installation):
    tracking = Tracking(installation.registry, "run-1")
    return tracking.client.get_run(tracking.run_id)


def test_a_good_challenger_is_promoted_and_the_timeline_is_an_artifact(installation, cli, task, exit_handler):
    installation.storage.put("2")
    ran = task()
    installation.wait(lambda: "baking" in _scraped() or ran.is_over, "Prometheus can see it", 240)
    assert not ran.is_over, ran.log
    assert ran.end() == 0, ran.log
    outcomes.is_promoted(cli)
    assert outcomes.count_answers(cli) == {}
    assert (ran.rollout["phase"], ran.rollout["percent"]) == ("promoted", 100)
    assert "version 2 serves alone and is the champion" in ran.artifacts["timeline"].read_text()
    assert read(ran.artifacts["history"])[-1].phase == "promoted"

    again = task("roll-out-again")
    assert again.end() == 0, again.log
    assert again.rollout == ran.rollout, "a task that is retried after its end returns the same result"
    assert "Promoted" in again.artifacts["timeline"].read_text()

    closed = exit_handler("SUCCEEDED")
    assert closed.end() == 0, closed.log
    assert "run finished, champion is version 2" in closed.log
    assert _run_of(installation).info.status == "FINISHED"
    assert _run_of(installation).data.metrics["roll_out.promoted"] == 1.0


def test_a_rollback_is_a_result_with_a_page_and_the_task_succeeds(installation, cli, task):
    installation.storage.put("2")
    installation.storage.tear("2")
    ran = task()
    assert ran.end() == 0, ran.log
    outcomes.is_rolled_back(cli)
    assert ran.rollout["phase"] == "rolled_back"
    assert "the challenger does not start" in ran.rollout["reason"]
    page = ran.artifacts["timeline"].read_text()
    assert "Rolled back" in page
    assert "the challenger does not start" in page


def test_the_exit_handler_withdraws_the_rollout_of_a_killed_run(installation, cli, task, exit_handler):
    installation.storage.put("2")
    ran = task(steps=[0, 50, 100], bake_seconds=600.0)
    installation.wait(lambda: cli.state().get("phase") == "baking" or ran.is_over, "the challenger is up", 240)
    ran.kill()
    closed = exit_handler("RUNNING")
    assert closed.end() == 0, closed.log
    outcomes.is_withdrawn(cli)
    assert "no process ran it any more" in cli.state()["reason"]
    assert _run_of(installation).info.status == "KILLED"

    again = exit_handler("RUNNING", "close-run-again")
    began = time.time()
    assert again.end() == 0, again.log
    assert cli.state()["since"] < began, "the second has nothing to do"

    retried = task("roll-out-again")
    assert retried.end() == 0, retried.log
    outcomes.is_promoted(cli)


def test_a_challenger_that_did_not_pass_the_gates_is_not_rolled_out(installation, cli, task):
    ran = task(verdict={"challenger_version": 2, "passed": False})
    assert ran.end() == 0, ran.log
    assert ran.rollout["phase"] == "refused"
    assert cli.state() == {}
    assert "nothing was rolled out" in ran.artifacts["timeline"].read_text()
