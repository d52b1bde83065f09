"""Every patch of a rollout on a real API server, and after each a second manager's server-side apply of what Git holds.

No controller runs: the patches are those that a rollout writes if the cluster applies each one at once.
"""

import copy

import pytest

from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.plan.state import Challenger
from content_arena.components.canary_rollout.traffic.dry_run import planned_patches
from content_arena.components.canary_rollout.traffic.mover import Mover, fingerprint
from tests.components.canary_rollout.gitops import MANAGER, PARTIAL, rest_of, with_live_values
from tests.components.canary_rollout.on_a_cluster.api import Api
from tests.components.canary_rollout.rollouts import PARAMETERS
from tests.components.canary_rollout.stand_in import knative_world, standard_world
from tests.components.canary_rollout.stand_in.api_server import ApiServer

SERVICES = {"Standard": standard_world.service, "Knative": knative_world.service}
STAND_INS = {"Standard": standard_world.StandardWorld, "Knative": knative_world.KnativeWorld}
TWO = Challenger("2", "s3://models/content-filter/2")
NAME = "filter"


@pytest.fixture
def whole(mode, namespace):
    """The manifest that Git would create the service with."""
    body = copy.deepcopy(SERVICES[mode]())
    body["metadata"] |= {"namespace": namespace}
    return body | {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}


@pytest.fixture
def api(namespace):
    made = Api(namespace)
    yield made
    made.delete("inferenceservices", NAME)


@pytest.fixture
def roll_out(mode, namespace):
    """Writes every patch of a rollout, with a sync after each; returns how many there were."""
    mover = Mover(ApiServer(STAND_INS[mode](SERVICES[mode]())), NAME)
    view = mover.read()
    patches = list(planned_patches(mover.mode, view, mover.mode.stable(view), TWO, PARAMETERS))
    client = KubernetesClient(namespace)

    def write(sync):
        for planned in patches:
            version = client.service(NAME)["metadata"]["resourceVersion"]
            written = fingerprint(client.patch_service(NAME, planned.patch.body, version))
            sync()
            assert fingerprint(client.service(NAME)) == written, planned.patch.why
        return len(patches)

    return write


@pytest.fixture
def partial(namespace):
    """What Git holds if it holds some fields."""
    body = copy.deepcopy(PARTIAL)
    body["metadata"] |= {"name": NAME, "namespace": namespace}
    return body


def served(api):
    return api.get("inferenceservices", NAME)["spec"]["predictor"]["model"]["storageUri"]


def test_git_holds_some_of_its_fields(api, whole, partial, roll_out):
    api.create("inferenceservices", whole)
    api.apply("inferenceservices", partial, MANAGER)
    assert roll_out(lambda: api.apply("inferenceservices", partial, MANAGER)) >= 5
    assert served(api) == TWO.storage_uri
    after = api.get("inferenceservices", NAME)
    assert after["spec"]["predictor"].items() >= partial["spec"]["predictor"].items()
    assert {MANAGER, "content-arena-rollout"} <= {entry["manager"] for entry in after["metadata"]["managedFields"]}


def test_git_creates_it_and_lets_go_of_the_rollouts_fields(api, whole, roll_out):
    """As Argo CD does with the options of the guide; nothing outside of the ignored fields ever differs."""
    created = rest_of(api.apply("inferenceservices", whole, MANAGER)["spec"])

    def sync():
        live = api.get("inferenceservices", NAME)
        assert rest_of(live["spec"]) == created
        api.apply("inferenceservices", with_live_values(whole, live), MANAGER)

    assert roll_out(sync) >= 5
    assert served(api) == TWO.storage_uri


def test_without_the_options_a_sync_takes_a_step_back(api, whole, roll_out):
    """What the guide is for: the rollout would find an edit."""
    api.apply("inferenceservices", whole, MANAGER)
    with pytest.raises(AssertionError):
        roll_out(lambda: api.apply("inferenceservices", whole, MANAGER))
