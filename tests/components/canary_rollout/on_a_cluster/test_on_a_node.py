"""Whole rollouts whose pods are containers on a real node, from outside the cluster.

Nothing here is a process of the tests but the users, the gateway and KServe's controllers: kubelet, probes, containers,
their end, and the API server's proxy that leads to them, are real.
"""

import pytest

from tests.components.canary_rollout.on_a_cluster import outcomes
from tests.components.canary_rollout.on_a_cluster.node import IMAGE, Node
from tests.manifests.nodes import ready_node_with
from tests.manifests.rendering import kubectl

pytestmark = [pytest.mark.node, pytest.mark.slow]
#: A container takes longer to start than a process that is forked.
PATIENT = {"start_timeout": 240, "move_timeout": 180, "pod_access": "auto"}


@pytest.fixture
def pods(namespace):
    ready_node_with([IMAGE])
    return Node


@pytest.fixture
def outsider(component):
    """Who rolls out from outside takes more than the Role, which is for pods."""
    where = f"--namespace={component.installation.namespace}"
    kubectl("create", "role", "outsider", "--verb=get,create", "--resource=pods/proxy", where)
    account = f"--serviceaccount={component.installation.namespace}:rollout"
    kubectl("create", "rolebinding", "outsider", "--role=outsider", account, where)
    return component


def test_a_good_challenger_is_promoted_and_no_answer_is_lost(installation, outsider):
    installation.storage.put("2")
    process = outsider.run(**PATIENT)
    assert process.code == 0, outsider.said
    outcomes.is_promoted(outsider)
    assert outcomes.count_answers(outsider) == {}


def test_one_that_flags_more_harmless_text_is_taken_back_before_any_user_meets_it(installation, outsider):
    installation.storage.put("2", bias=2.0)
    process = outsider.run(**PATIENT)
    assert process.code == 1, outsider.said
    outcomes.is_rolled_back(outsider, "benign flagged, champion")
    assert outcomes.count_answers(outsider) == {}
    assert installation.users.versions().keys() == {"1"}


def test_who_may_not_reach_the_pods_is_told_what_it_takes(installation, component):
    installation.storage.put("2")
    process = component.run(inconclusives=0, **PATIENT)
    assert process.code == 3, component.said
    outcomes.is_held(component, "measure-1", 'cannot create resource "pods/proxy"')
    assert installation.users.versions().keys() == {"1"}
