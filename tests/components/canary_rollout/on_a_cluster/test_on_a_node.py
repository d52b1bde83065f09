"""Whole rollouts whose pods are containers on a real node, from outside the cluster.

Only the users, the gateway and KServe's controllers are processes of the tests. Kubelet, probes, containers and their
termination, and the API server's proxy to the pods, are real.
"""

import pytest

from tests.components.canary_rollout.on_a_cluster import outcomes
from tests.components.canary_rollout.on_a_cluster.node import IMAGE, Node
from tests.manifests.nodes import ready_node_with

pytestmark = [pytest.mark.node, pytest.mark.slow]
#: A container takes longer to start than a process that is forked.
PATIENT = {"start_timeout": 240, "move_timeout": 180, "pod_access": "auto"}


@pytest.fixture
def pods(namespace):
    ready_node_with([IMAGE])
    return Node


def test_a_good_challenger_is_promoted_and_no_answer_is_lost(installation, outsider):
    installation.storage.put("2")
    process = outsider.run(**PATIENT)
    assert process.code == 0, outsider.output
    outcomes.is_promoted(outsider)
    assert outcomes.count_answers(outsider) == {}


def test_a_challenger_that_flags_more_benign_text_is_rolled_back_in_staging(installation, outsider):
    installation.storage.put("2", bias=2.0)
    process = outsider.run(**PATIENT)
    assert process.code == 1, outsider.output
    outcomes.is_rolled_back(outsider, "benign flagged, champion")
    assert outcomes.count_answers(outsider) == {}
    assert installation.users.versions().keys() == {"1"}


def test_an_account_without_the_right_to_the_pods_gets_an_error_that_names_it(installation, cli):
    installation.storage.put("2")
    process = cli.run(inconclusives=0, **PATIENT)
    assert process.code == 3, cli.output
    outcomes.is_held(cli, "measure-1", 'cannot create resource "pods/proxy"')
    assert installation.users.versions().keys() == {"1"}
