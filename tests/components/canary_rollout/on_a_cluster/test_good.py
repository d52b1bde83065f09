"""A good challenger goes all the way, and no answer is lost."""

import os

import pytest

from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.shared import records
from tests.components.canary_rollout.on_a_cluster import outcomes
from tests.components.canary_rollout.on_a_cluster.component import EVADED
from tests.components.canary_rollout.variants_under_test import corpus

pytestmark = pytest.mark.slow


def test_a_good_challenger_is_promoted_and_no_answer_is_lost(installation, component):
    installation.storage.put("2")
    process = component.run()
    assert process.code == 0, component.said
    outcomes.is_promoted(component)
    assert outcomes.count_answers(component) == {}
    assert {"RolloutStarted", "RolloutShifting", "RolloutMove", "RolloutPromoted"} <= outcomes.events(component)


@pytest.mark.skipif(
    "CONTENT_ARENA_TEST_BAKE" not in os.environ,
    reason="needs CONTENT_ARENA_TEST_BAKE=100, seconds a bake: it takes 15 minutes then",
)
def test_the_plan_and_the_bounds_that_users_get(installation, component, tmp_path):
    """Every step, 400 answers at each, and margins as they are; at 1 % the answers come together in several bakes."""
    path = tmp_path / "probes.parquet"
    records.write(records.Sample, corpus(150), path)
    installation.storage.put("2")
    usual = Parameters()
    process = component.run(
        plan=",".join(map(str, usual.steps)), bake=os.environ["CONTENT_ARENA_TEST_BAKE"],
        warmup=usual.warmup_seconds, min_requests=usual.min_requests, probe_corpus=path, probe_texts=120,
        limits=EVADED, usual_limits=True, seconds=3600,
    )  # fmt: skip
    assert process.code == 0, component.said
    print(component.said)
    outcomes.is_promoted(component)
    assert outcomes.count_answers(component) == {}
