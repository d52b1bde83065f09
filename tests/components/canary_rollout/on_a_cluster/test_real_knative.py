"""Whole rollouts in Knative mode with nothing simulated but the users: real controllers, gateway, storage and pods.

Needs the node that ``tests/manifests/node/conftest.py`` describes, KServe with Knative Serving, and its gateway.
"""

import uuid

import pytest

from tests.components.canary_rollout.on_a_cluster import outcomes
from tests.components.canary_rollout.on_a_cluster.full_node import full_node
from tests.components.canary_rollout.on_a_cluster.real_knative import RealKnative, platform
from tests.components.canary_rollout.on_a_cluster.service_under_test import SERVICE
from tests.manifests.conftest import RESTRICTED
from tests.manifests.guards import serving_runtimes
from tests.manifests.nodes import kserve_runs, ready_node_with
from tests.manifests.rendering import NAMESPACE, Renderer, find, kubectl, pods

pytestmark = [pytest.mark.node, pytest.mark.slow]
#: A container takes longer to start than a process that is forked.
PATIENT = {"start_timeout": 240, "move_timeout": 180, "pod_access": "auto", "settle": 5}
#: Most answers of a rollout that may be lost by Envoy Gateway itself: a rollout changes the backends two to four times.
_GATEWAYS_OWN = 40


@pytest.fixture
def mode():
    return "Knative"


@pytest.fixture(scope="module")
def shared(namespace, tmp_path_factory):
    """SeaweedFS and what the whole cluster has once; skipped where the cluster has not what it needs."""
    if not kserve_runs():
        pytest.skip("needs KServe's controller in the cluster of KUBECONFIG")
    if "services.serving.knative.dev" not in kubectl("api-resources", "--output=name").split():
        pytest.skip("needs Knative Serving in the cluster of KUBECONFIG")
    manifests = Renderer(tmp_path_factory.mktemp("rendered"))
    objects = manifests.objects("overlays/kind")
    initialiser = find(objects, "ClusterStorageContainer", "content-arena")["spec"]["container"]["image"]
    ready_node_with([initialiser, *(container["image"] for pod in pods(objects) for container in pod.containers)])
    if kubectl("get", "namespace", NAMESPACE, "--ignore-not-found"):
        pytest.skip(f"needs a cluster without the namespace {NAMESPACE}: kubectl delete namespace {NAMESPACE}")
    _restrict(namespace)
    with platform(manifests, namespace) as made:
        yield made


@pytest.fixture
def installation(shared, namespace, tmp_path):
    """Version 1 serves, four users send requests, and version 2 is in the registry without a bundle."""
    name = f"{namespace}-{uuid.uuid4().hex[:4]}"
    kubectl("create", "namespace", name)
    try:
        _restrict(name)
        # The admission policies of the manifests are bound to such namespaces.
        kubectl("label", "namespace", name, "app.kubernetes.io/part-of=content-arena")
        made = RealKnative(name, tmp_path / "installation", shared)
        try:
            made.start()
            made.publish("challenger")
            yield made
        finally:
            made.close()
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def _restrict(namespace):
    kubectl("label", "namespace", namespace, *(f"{name}={value}" for name, value in RESTRICTED.items()))


def served_by(installation):
    """The versions that had a revision, in the order in which the revisions were made."""
    return [version for _, version in sorted(installation.revisions().items())]


def loses_nothing(outsider):
    """Every answer was 200, but for those that Envoy Gateway loses at any change of a route's backends.

    For some 30 ms the route names a cluster that its Envoy does not have (``cluster_not_found`` in Envoy's log): one to
    six of 30,000 answers of a rollout, which is no patch's fault.
    """
    lost, unrouted = outcomes.count_answers(outsider), outsider.installation.users.unrouted()
    assert sum(lost.values()) == unrouted, outsider.installation.users.bad()
    assert unrouted <= _GATEWAYS_OWN


def test_good_challengers_are_promoted_one_after_the_other(installation, outsider):
    installation.storage.put("2")
    process = outsider.run(plan="0,10,50,100", **PATIENT)
    assert process.code == 0, outsider.output
    outcomes.is_promoted(outsider)
    begin = installation.now()
    # KServe knows a revision before stable's from now on, and may not send anybody back to it.
    installation.storage.put(installation.publish("challenger"))
    process = outsider.run(**PATIENT)
    assert process.code == 0, outsider.output
    outcomes.is_promoted(outsider, "3", "2")
    assert installation.users.versions(begin).keys() == {"2", "3"}
    loses_nothing(outsider)
    assert served_by(installation) == ["1", "2", "3"]


def test_an_undo_takes_back_the_challenger_and_the_runtime_of_its_release(installation, outsider):
    runtime, other = serving_runtimes()[:2]
    installation.add_runtime(other, "--threads=1")
    installation.storage.put("2")
    process = outsider.run(runtime=other, **PATIENT)
    assert process.code == 0, outsider.output
    outcomes.is_promoted(outsider)
    assert installation.service()["spec"]["predictor"]["model"]["runtime"] == other
    assert outsider.run("undo", reason="complaints").code == 0, outsider.output
    outcomes.is_undone(outsider, "complaints")
    assert installation.service()["spec"]["predictor"]["model"]["runtime"] == runtime
    assert {version: "--threads=1" in its for version, its in installation.arguments().items()} == {
        "1": False,
        "2": True,
    }
    loses_nothing(outsider)
    assert served_by(installation) == ["1", "2", "1"]


def test_one_that_users_find_out_about_is_rolled_back_at_ten_per_cent(installation, outsider):
    """Its probes pass with these limits, so only the share of users' texts that it flags gives it away."""
    installation.storage.put("2", bias=1.0)
    limits = {
        "benign_flagged": 1.0,
        "benign_margin": 1.0,
        "f1": 0.0,
        "f1_margin": 1.0,
        "psi": 9.0,
        "flagged_margin": 0.05,
    }
    process = outsider.run(plan="0,10,100", bake=60, limits=limits, **PATIENT)
    assert process.code == 1, outsider.output
    outcomes.is_rolled_back(outsider, "failed at 10 %", "flagged")
    loses_nothing(outsider)
    assert installation.users.versions()["2"] > 0
    # Clearing the percentage promotes whatever the spec names, so stable's model has to be in it again.
    assert served_by(installation) == ["1", "2", "1"]


def test_one_that_crashes_at_load_never_meets_a_user(installation, outsider):
    installation.storage.put("2")
    installation.storage.tear("2")
    process = outsider.run(**PATIENT)
    assert process.code == 1, outsider.output
    outcomes.is_rolled_back(outsider, "the challenger does not start", "kserve-container", "exit code 2")
    loses_nothing(outsider)
    assert installation.users.versions().keys() == {"1"}
    assert served_by(installation) == ["1", "2", "1"]


def test_a_person_aborts_with_kubectl(installation, outsider):
    installation.storage.put("2")
    process = outsider.begin(**PATIENT | {"bake": 20})
    outsider.wait_for_phase("baking", 1, process)
    request = "content-arena/abort=2 by alice: complaints"
    kubectl("annotate", "configmap", f"rollout-{SERVICE}", request, f"--namespace={installation.namespace}")
    assert process.wait() == 1, outsider.output
    outcomes.is_withdrawn(outsider, "aborted: complaints")
    loses_nothing(outsider)
    assert served_by(installation) == ["1", "2", "1"]


def test_killed_in_every_step_it_is_resumed(installation, outsider):
    installation.storage.put("2")
    moments = [("staging", 0), ("baking", 0), ("shifting", 1), ("baking", 1), ("shifting", 2), ("baking", 2),
               ("promoting", 2)]  # fmt: skip
    process = outsider.begin(**PATIENT)
    for phase, step in moments:
        outsider.wait_for_phase(phase, step, process)
        process.kill()
        outsider.delete_lease()
        process = outsider.begin("resume", pod_access="auto", settle=5)
    assert process.wait() == 0, outsider.output
    outcomes.is_promoted(outsider)
    loses_nothing(outsider)
    assert served_by(installation) == ["1", "2"]


def test_on_a_full_node_it_waits_is_withdrawn_and_may_be_rolled_out_again(installation, outsider):
    installation.storage.put("2")
    with full_node(installation.namespace):
        process = outsider.run(**PATIENT | {"start_timeout": 40, "move_timeout": 20})
        assert process.code == 3, outsider.output
        # Withdrawn as far as users are concerned. The fresh revision of version 1 waits for room, as version 2 did.
        outcomes.is_held(outsider, "withdraw-1", "the fresh revision of version 1 is not ready", "Insufficient memory")
        assert "the challenger was not ready within 40 s" in outsider.state()["cause"]
        assert "Insufficient memory" in outsider.state()["cause"]
    assert outsider.run("reconcile").code == 0, outsider.output
    outcomes.is_withdrawn(outsider, "the challenger was not ready within 40 s", "Insufficient memory")
    assert installation.users.versions().keys() == {"1"}
    loses_nothing(outsider)
    assert served_by(installation) == ["1", "2", "1"]
    assert outsider.run("start", **PATIENT).code == 0, outsider.output
    outcomes.is_promoted(outsider)
