import pytest

from content_arena.components.canary_rollout.plan.state import Stable, StateError
from content_arena.components.canary_rollout.traffic.knative import Knative
from content_arena.components.canary_rollout.traffic.mode import (
    StableSpec,
    View,
    mode_of,
)
from content_arena.components.canary_rollout.traffic.standard import Standard
from content_arena.components.shared.errors import InputError


def service(annotation=None, status=None):
    metadata = {"name": "filter"}
    if annotation:
        metadata["annotations"] = {"serving.kserve.io/deploymentMode": annotation}
    return {"metadata": metadata} | ({"status": {"deploymentMode": status}} if status else {})


@pytest.mark.parametrize(
    ("annotation", "status", "mode"),
    [
        ("Standard", None, "Standard"),
        (None, "Standard", "Standard"),
        (None, "RawDeployment", "Standard"),
        ("Knative", None, "Knative"),
        (None, "Serverless", "Knative"),
        ("Standard", "Knative", "Knative"),
    ],
)
def test_the_mode_is_found_from_the_service(annotation, status, mode):
    assert mode_of(service(annotation, status)) == mode


@pytest.mark.parametrize(("annotation", "found"), [("ModelMesh", "ModelMesh"), (None, "unknown")])
def test_any_other_mode_is_refused(annotation, found):
    with pytest.raises(InputError, match=f"deployment mode {found}"):
        mode_of(service(annotation))


def test_the_stable_spec_is_recorded_under_the_same_keys_as_before():
    spec = StableSpec("v1", 2, 6, "1", "filter-00001", 3)
    stable = Stable("1", "s3://models/content-filter/1", spec.as_state())
    assert stable.as_dict() == {
        "version": "1", "storage_uri": "s3://models/content-filter/1", "name": "v1", "min_replicas": 2,
        "max_replicas": 6, "told_version": "1", "revision": "filter-00001", "pods": 3,
    }  # fmt: skip
    assert StableSpec.of(Stable.from_dict(stable.as_dict())) == spec


def test_a_record_without_later_fields_is_read_and_one_with_unknown_ones_refused():
    assert StableSpec.of(Stable("1", "s3://1", {"name": "v1", "min_replicas": 2})) == StableSpec("v1", 2)
    with pytest.raises(StateError, match="charm"):
        StableSpec.of(Stable("1", "s3://1", {"name": "v1", "charm": 2}))


@pytest.mark.parametrize("mode", [Standard(), Knative()], ids=lambda mode: mode.name)
def test_stables_pods_are_found_by_labels_and_by_their_deployment(mode):
    stable = Stable("1", "s3://1", StableSpec("v1", revision="filter-00001").as_state())
    labels = mode.stable_labels(View({"metadata": {"name": "filter"}}), stable)
    assert (labels, mode.deployment_of(labels)) == {
        "Standard": ("app=isvc.filter-v1-predictor", "filter-v1-predictor"),
        "Knative": ("serving.knative.dev/revision=filter-00001", "filter-00001-deployment"),
    }[mode.name]


def test_a_revision_that_is_not_known_has_no_labels():
    stable = Stable("1", "s3://1", StableSpec("v1").as_state())
    assert Knative().stable_labels(View({"metadata": {"name": "filter"}}), stable) == ""
