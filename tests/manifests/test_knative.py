"""The component for Knative: what Knative's validation refuses is gone, and everything else is as it was.

After knative/serving, pkg/apis/serving: fieldmask.go (PodSpecMask, ContainerMask) and k8s_validation.go (port names).
"""

import os
import shutil

import pytest
import yaml

from tests.manifests.rendering import MANIFESTS, find, kubectl, services, serving_runtime

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl: kubernetes.io/docs/tasks/tools")
_REFUSED_POD = {
    "activeDeadlineSeconds", "deploymentStrategy", "hostNetwork", "initContainers", "restartPolicy", "scaleMetric",
    "scaleTarget", "securityContext", "terminationGracePeriodSeconds", "topologySpreadConstraints",
}  # fmt: skip
_REFUSED_CONTAINER = {"lifecycle", "startupProbe", "stdin", "tty", "volumeDevices"}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Objects without the component, and with it."""

    def render(*components):
        folder = tmp_path_factory.mktemp("overlay").resolve()
        base = os.path.relpath(MANIFESTS / "base/arena", folder)
        body = {"resources": [base], "components": [os.path.relpath(MANIFESTS / name, folder) for name in components]}
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(body))
        return list(yaml.safe_load_all(kubectl("kustomize", str(folder))))

    return render(), render("components/knative")


def test_the_service_has_nothing_that_knative_refuses(rendered):
    (service,) = services(rendered[1])
    assert service["metadata"]["annotations"] == {"serving.kserve.io/deploymentMode": "Knative"}
    predictor = service["spec"]["predictor"]
    assert "name" not in predictor
    assert not _REFUSED_POD & set(predictor)
    before = services(rendered[0])[0]["spec"]["predictor"]
    assert predictor == {key: value for key, value in before.items() if key not in _REFUSED_POD | {"name"}}


def test_the_runtime_has_nothing_that_knative_refuses(rendered):
    (container,) = serving_runtime(rendered[1])["spec"]["containers"]
    assert not _REFUSED_CONTAINER & set(container)
    assert [port.get("name", "") for port in container["ports"]] == [""]
    assert container["securityContext"]["runAsNonRoot"] is True
    assert container["livenessProbe"]["initialDelaySeconds"] >= 60


def test_users_come_in_by_the_queue_proxy(rendered):
    policy = find(rendered[1], "NetworkPolicy", "predictor")["spec"]["ingress"]
    assert policy[:-1] == find(rendered[0], "NetworkPolicy", "predictor")["spec"]["ingress"]
    assert {port["port"] for port in policy[-1]["ports"]} >= {8012}
    (peer,) = policy[-1]["from"]
    assert "knative-serving" in peer["namespaceSelector"]["matchExpressions"][0]["values"]


def test_nothing_else_is_different(rendered):
    named = [{(item["kind"], item["metadata"]["name"]): item for item in objects} for objects in rendered]
    different = {name for name in named[0] if named[0][name] != named[1][name]}
    assert named[0].keys() == named[1].keys()
    assert different == {
        ("ConfigMap", "content-filter-template"),
        ("ServingRuntime", serving_runtime(rendered[0])["metadata"]["name"]),
        ("NetworkPolicy", "predictor"),
    }
