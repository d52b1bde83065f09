"""Whole rollouts whose pods are containers on a real node, from outside the cluster.

Nothing here is a process of the tests but the users, the gateway and KServe's controllers: kubelet, probes, containers,
their end, and the API server's proxy that leads to them, are real.
"""

import pytest

from tests.components.canary_rollout.on_a_cluster import outcomes
from tests.components.canary_rollout.on_a_cluster.node import IMAGE, Node
from tests.manifests.nodes import ready_node_with

pytestmark = [pytest.mark.node, pytest.mark.slow]
#: A container takes longer to start than a process that is forked.
PATIENT = {"start_timeout": 240, "move_timeout": 180, "reach": "auto"}


@pytest.fixture
def pods(namespace):
    ready_node_with([IMAGE])
    return Node


def test_a_good_challenger_is_promoted_and_no_answer_is_lost(installation, component):
    installation.storage.put("2")
    process = component.run(**PATIENT)
    assert process.code == 0, component.said
    outcomes.is_promoted(component)
    assert outcomes.count_answers(component) == {}


def test_one_that_flags_more_harmless_text_is_taken_back_before_any_user_meets_it(installation, component):
    """Its probes go through the API server's proxy, with the rights of the Role."""
    installation.storage.put("2", bias=2.0)
    process = component.run(**PATIENT)
    assert process.code == 1, component.said
    outcomes.is_rolled_back(component, "benign flagged, champion")
    assert outcomes.count_answers(component) == {}
    assert installation.users.versions().keys() == {"1"}
