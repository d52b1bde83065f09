"""A good challenger is promoted, and no answer is lost."""

import os
import time

import pytest

from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.shared import records
from tests.components.canary_rollout.on_a_cluster import outcomes
from tests.components.canary_rollout.on_a_cluster.installation import ARGUMENT_BEFORE, RUNTIME, RUNTIME_BEFORE
from tests.components.canary_rollout.on_a_cluster.rollout_cli import EVADED
from tests.components.canary_rollout.on_a_cluster.workloads import is_ready
from tests.components.canary_rollout.variants_under_test import corpus

pytestmark = pytest.mark.slow


def test_a_good_challenger_is_promoted_and_no_answer_is_lost(installation, cli):
    installation.storage.put("2")
    before = outcomes.replica_sets(cli)
    seen, process = set(before), cli.begin()
    while not process.is_over:
        seen |= outcomes.replica_sets(cli)
        time.sleep(0.5)
    assert process.code == 0, cli.output
    outcomes.is_promoted(cli)
    assert outcomes.count_answers(cli) == {}
    assert len(seen - before) == 1, "stable's pods were replaced, or made again as another revision"
    assert {"RolloutStarted", "RolloutShifting", "RolloutMove", "RolloutPromoted"} <= outcomes.events(cli)


def test_an_undo_takes_back_the_challenger_and_the_runtime_of_its_release(installation, cli):
    installation.storage.put("2")
    process = cli.begin(runtime=RUNTIME)
    cli.wait_for_phase("baking", 1, process)
    assert (runs_as_before(installation, "1"), runs_as_before(installation, "2")) == ({True}, {False})
    assert process.wait() == 0, cli.output
    outcomes.is_promoted(cli)
    assert installation.service()["spec"]["predictor"]["model"]["runtime"] == RUNTIME
    assert runs_as_before(installation, "2") == {False}
    assert cli.run("undo", reason="complaints").code == 0, cli.output
    outcomes.is_undone(cli, "complaints")
    assert installation.service()["spec"]["predictor"]["model"]["runtime"] == RUNTIME_BEFORE
    assert runs_as_before(installation, "1") == {True}
    assert outcomes.count_answers(cli) == {}


def runs_as_before(installation, version):
    """Whether the ready pods of a version are of the runtime before: True, False or both."""
    pods = filter(is_ready, installation.pods_of(version))
    return {ARGUMENT_BEFORE in pod["spec"]["containers"][0]["args"] for pod in pods}


@pytest.mark.parametrize("mode", ["Standard"], indirect=True)
def test_an_undo_needs_no_new_pods_while_the_version_before_is_kept(installation, cli):
    installation.storage.put("2")
    process = cli.begin(keep=600)
    is_promoted = lambda: process.is_over or cli.state().get("phase") == "promoted"  # noqa: E731
    installation.wait(is_promoted, "version 2 is promoted", 600)
    assert not process.is_over, cli.output
    before = outcomes.replica_sets(cli)
    assert cli.run("undo", reason="complaints").code == 0, cli.output
    outcomes.is_undone(cli, "complaints")
    assert outcomes.replica_sets(cli) <= before
    assert outcomes.count_answers(cli) == {}
    assert process.wait(60) == 0, "it watched what is no longer kept"


@pytest.mark.skipif(
    "CONTENT_ARENA_TEST_BAKE" not in os.environ,
    reason="needs CONTENT_ARENA_TEST_BAKE=100, seconds a bake: it takes 15 minutes then",
)
def test_the_default_plan_and_the_default_bounds(installation, cli, tmp_path):
    """Every step with 400 answers, and the default margins. At 1 % it takes several bakes for that many answers."""
    path = tmp_path / "probes.parquet"
    records.write(records.Sample, corpus(150), path)
    installation.storage.put("2")
    usual = Parameters()
    process = cli.run(
        plan=",".join(map(str, usual.steps)), bake=os.environ["CONTENT_ARENA_TEST_BAKE"],
        warmup=usual.warmup_seconds, min_requests=usual.min_requests, probe_corpus=path, probe_texts=120,
        limits=EVADED, usual_limits=True, seconds=3600,
    )  # fmt: skip
    assert process.code == 0, cli.output
    print(cli.output)
    outcomes.is_promoted(cli)
    assert outcomes.count_answers(cli) == {}
