"""The component that closes the predictor's door: keys are mounted, and without the Secret no pod starts."""

import os
import shutil

import pytest
import yaml

from tests.manifests.rendering import MANIFESTS, find, kubectl, serving_runtime

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl: kubernetes.io/docs/tasks/tools")


@pytest.fixture(scope="module")
def pod_specs(tmp_path_factory):
    """The spec of the predictor's pods with KServe, and without."""
    folder = tmp_path_factory.mktemp("overlay").resolve()
    resources = [os.path.relpath(MANIFESTS / "base/arena", folder)]
    names = ("predictor-deployment", "api-keys")
    components = [os.path.relpath(MANIFESTS / "components" / name, folder) for name in names]
    body = {"resources": resources, "components": components}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(body))
    objects = list(yaml.safe_load_all(kubectl("kustomize", str(folder))))
    deployment = find(objects, "Deployment", "predictor")
    return [serving_runtime(objects)["spec"], deployment["spec"]["template"]["spec"]]


def test_keys_are_mounted_where_the_server_looks_for_them(pod_specs):
    for spec in pod_specs:
        container = spec["containers"][0]
        (mount,) = [one for one in container["volumeMounts"] if one["name"] == "api-keys"]
        assert mount["readOnly"]
        assert f"--api_keys={mount['mountPath']}" in container["args"]
        (volume,) = [one for one in spec["volumes"] if one["name"] == "api-keys"]
        assert volume["secret"] == {"secretName": "arena-api-keys"}, "optional would open the door without it"


def test_the_rollouts_token_is_read_by_the_runtime_and_may_be_absent(pod_specs):
    for spec in pod_specs:
        (token,) = [one for one in spec["containers"][0]["env"] if one["name"] == "CONTENT_ARENA_PROBE_TOKEN"]
        assert token["valueFrom"]["secretKeyRef"] == {"name": "arena-probe", "key": "token", "optional": True}
