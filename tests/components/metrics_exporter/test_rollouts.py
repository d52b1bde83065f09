"""A service and its rollout as samples, from the record that a rollout writes."""

import pytest

from content_arena.components.canary_rollout.launch import Observed, Phase
from content_arena.components.canary_rollout.plan.gate import Gate
from content_arena.components.metrics_exporter import rollouts
from content_arena.components.metrics_exporter.refresh import Reading
from tests.components.canary_rollout.rollouts import START, at

WAITING = at(Phase.WAITING, step=2, gate=Gate.parse("step-100"), then=Phase.SHIFTING, then_step=3)


def samples(observed):
    found = {}
    for family in rollouts.families(observed):
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "service"}
            assert sample.labels["service"] == "filter"
            found[sample.name.removeprefix("content_arena_"), *labels.values()] = sample.value
    return found


def of(state, **more):
    return samples(Observed("filter", True, {"PredictorReady": "True"}, state, **more))


def test_the_phases_are_those_of_a_rollout():
    assert set(rollouts.PHASES) == {phase.value for phase in Phase}


def test_a_rollout_under_way():
    found = of(at(Phase.BAKING, step=2), renewed_at=START + 7)
    assert found["rollout_record_phase", "baking"] == 1
    assert sum(value for key, value in found.items() if key[0] == "rollout_record_phase") == 1
    assert found["rollout_record_info", "2", "1"] == 1
    assert (found["rollout_record_step",], found["rollout_record_steps",]) == (2, 3)
    assert found["rollout_record_share",] == 0.5
    assert (found["rollout_record_under_way",], found["rollout_record_waiting_for_approval",]) == (1, 0)
    assert found["rollout_record_phase_timestamp_seconds",] == START
    assert found["rollout_lease_renewed_timestamp_seconds",] == START + 7


@pytest.mark.parametrize(
    ("state", "under_way", "waiting", "going_back", "share"),
    [
        (at(Phase.ROLLING_BACK, step=2), 1, 0, 1, 0.5),
        (WAITING, 0, 1, 0, 0.5),
        (at(Phase.WAITING, step=2, gate=Gate.parse("step-100"), then=Phase.ROLLING_BACK), 0, 1, 1, 0.5),
        (at(Phase.PROMOTED, step=3), 0, 0, 0, 1.0),
        (at(Phase.ROLLED_BACK, step=2), 0, 0, 0, 0.0),
        (at(Phase.WITHDRAWN, step=2), 0, 0, 0, 0.0),
    ],
)
def test_who_has_to_act(state, under_way, waiting, going_back, share):
    found = of(state)
    names = ("under_way", "waiting_for_approval", "going_back", "share")
    assert [found[f"rollout_record_{name}",] for name in names] == [under_way, waiting, going_back, share]
    assert ("rollout_lease_renewed_timestamp_seconds",) not in found


def test_a_service_without_a_rollout_and_a_cluster_without_a_service():
    conditions = {"Ready": "Unknown", "PredictorReady": "False", "IngressReady": "True", "Other": "True"}
    assert samples(Observed("filter", True, conditions)) == {
        ("service_exists",): 1, ("service_condition", "Ready"): 0, ("service_condition", "PredictorReady"): 0,
        ("service_condition", "IngressReady"): 1,
    }  # fmt: skip
    assert samples(Observed("filter")) == {("service_exists",): 0}


def test_a_cluster_that_cannot_be_read_leaves_one_figure():
    (family,) = rollouts.RolloutCollector(lambda: Reading(None, START, 0.1)).collect()
    assert [(sample.name, sample.value) for sample in family.samples] == [("content_arena_exporter_cluster_up", 0)]
    families = list(rollouts.RolloutCollector(lambda: Reading(Observed("filter"), START, 0.1)).collect())
    assert families[0].samples[0].value == 1
    assert len({family.name for family in families}) == len(families) > 10
