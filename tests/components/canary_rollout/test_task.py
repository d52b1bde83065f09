"""The stage roll_out without a cluster: what it makes of a verdict, and of a rollout that a killed task left."""

import time
from dataclasses import replace

import pytest

from content_arena.components.canary_rollout import launch, task
from content_arena.components.canary_rollout.launch import Phase, RolloutArtifacts, ServiceRef
from content_arena.components.canary_rollout.settings import RolloutSettings
from content_arena.components.canary_rollout.task import GateVerdict, RolloutJob, roll_out_challenger
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.version import RegisteredVersion
from content_arena.components.shared.errors import InputError
from tests.components.canary_rollout.rollouts import at
from tests.components.canary_rollout.stand_in import standard_world
from tests.components.canary_rollout.stand_in.api_server import ApiServer
from tests.components.canary_rollout.stand_in.served import NAMESPACE, SERVICE, Served

JOB = RolloutJob(ServiceRef("filter", "arena"), RolloutSettings(runtime="next"), None, "en")


@pytest.fixture
def artifacts(tmp_path):
    return RolloutArtifacts(tmp_path / "run" / "history.jsonl", tmp_path / "run" / "timeline.html")


def test_a_challenger_that_did_not_pass_the_gates_is_not_rolled_out(artifacts, capsys):
    verdict = {"challenger_version": "2", "passed": False, "promoted": None}
    answer = roll_out_challenger(verdict, artifacts, JOB, pipeline_run="run")
    assert answer == {"version": "2", "phase": "refused", "percent": 0, "reason": "the gates did not pass"}
    assert "nothing was rolled out" in artifacts.timeline.read_text()
    assert artifacts.history.read_text() == ""
    assert capsys.readouterr().out == "[roll_out] version 2 did not pass the gates and is not rolled out\n"


@pytest.mark.parametrize(
    "verdict", [{}, {"passed": True}, {"challenger_version": "2"}, {"challenger_version": "2", "passed": "yes"}]
)
def test_a_document_that_is_not_a_verdict_is_refused(verdict, artifacts, capsys):
    with pytest.raises(InputError, match="is it the verdict of promote_challenger"):
        GateVerdict.from_dict(verdict)
    with pytest.raises(SystemExit, match="2"):
        roll_out_challenger(verdict, artifacts, JOB, pipeline_run="run")
    assert capsys.readouterr().out.startswith("[roll_out] error: the verdict has ")
    assert not artifacts.timeline.exists()


def test_a_version_may_be_a_number_in_the_document():
    assert GateVerdict.from_dict({"challenger_version": 2, "passed": True}) == GateVerdict("2", True)


def test_the_settings_are_the_plan_and_the_overrides(tmp_path, artifacts):
    settings = RolloutSettings(steps=(0, 50), approvals=(50,), limits={"f1": 0.7})
    job = RolloutJob(ServiceRef("filter", "arena"), settings, tmp_path / "c", "en", metrics_port=9102)
    assert (settings.plan.steps, settings.plan.approvals) == ((0, 50), (50,))
    options = job.run_options(artifacts)
    assert options.overrides == {"limits": {"f1": 0.7}, "corpus": tmp_path / "c", "lang": "en"}
    assert (options.artifacts_for("any"), options.metrics_port) == (artifacts, 9102)


class Versions:
    def get(self, version):
        return RegisteredVersion(version, "ab" * 32, 0, tags={Registry.STORAGE_URI: "s3://models/content-filter/any"})


@pytest.fixture
def done_with(artifacts, tmp_path, monkeypatch):
    """What a task for a version does with the rollout that it finds: ``resume`` and ``start``, with their options."""
    done = []

    def resume(service, registry, options):
        done.append(("resume", options))
        return at(Phase.PROMOTED)

    def start(service, registry, request, options):
        assert request.challenger.runtime == "next"
        done.append((f"start {request.challenger.version}", options))
        return at(Phase.PROMOTED)

    monkeypatch.setattr(launch, "resume", resume)
    monkeypatch.setattr(launch, "start", start)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with Served(ApiServer(standard_world.StandardWorld(standard_world.service())), tmp_path) as served:
        monkeypatch.setenv("KUBECONFIG", str(served.kubeconfig))
        job = replace(JOB, service=ServiceRef(SERVICE, NAMESPACE), metrics_port=9102)

        def run(version, last=None):
            if last is not None:
                served.store_state(last.dump())
            task._rolled_out(version, Versions(), job, job.run_options(artifacts))
            return done

        yield run


def named(done):
    return [name for name, _ in done]


def test_a_first_rollout_begins(done_with):
    assert named(done_with("2")) == ["start 2"]


@pytest.mark.parametrize("phase", [Phase.BAKING, Phase.WAITING, Phase.PROMOTED, Phase.ROLLED_BACK, Phase.WITHDRAWN])
def test_a_task_that_is_tried_again_resumes_its_rollout_or_returns_its_end(done_with, phase):
    assert named(done_with("2", at(phase))) == ["resume"]


def test_a_rollout_of_another_version_that_was_left_is_run_to_its_end_first(done_with, artifacts):
    (_, resumed), (_, own) = done_with("3", at(Phase.BAKING))
    assert named(done_with("3", at(Phase.BAKING)))[:2] == ["resume", "start 3"]
    assert resumed.artifacts_for("r1") != own.artifacts_for("r2") == artifacts
    assert (resumed.metrics_port, resumed.leave_when_held, own.leave_when_held) == (None, True, False)
    assert set(resumed.overrides) == {"corpus", "lang"}, "the rest is as it began"


@pytest.mark.parametrize("phase", [Phase.PROMOTED, Phase.WITHDRAWN, Phase.WAITING])
def test_a_rollout_of_another_version_that_is_over_or_waits_for_a_person_is_not_resumed(done_with, phase):
    assert named(done_with("3", at(phase))) == ["start 3"]


@pytest.mark.parametrize(("ago", "expected"), [(60.0, "start 2"), (1e6, "resume")])
def test_a_rollout_that_was_withdrawn_for_want_of_a_process_begins_again_within_its_deadline(done_with, ago, expected):
    left = replace(at(Phase.WITHDRAWN, without_fault=True, is_abandoned=True), started_at=time.time() - ago)
    assert named(done_with("2", left)) == [expected]
