"""The stage roll_out without a cluster: what it makes of a verdict."""

import pytest

from content_arena.components.canary_rollout.launch import RolloutArtifacts, ServiceRef
from content_arena.components.canary_rollout.settings import RolloutSettings
from content_arena.components.canary_rollout.task import GateVerdict, RolloutJob, roll_out_challenger
from content_arena.components.shared.errors import InputError

JOB = RolloutJob(ServiceRef("filter", "arena"), RolloutSettings(), None, "en")


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
