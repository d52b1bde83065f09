"""Roles instead of keys for S3: no pod asks for a key any more, and each account has its role."""

from __future__ import annotations

import pytest
import yaml

from tests.manifests.rendering import MANIFESTS, Object, Renderer, find, kubectl, of_kind, pods

ACCOUNTS = {"arena-run": "stages", "mlflow": "mlflow", "arena-predictor": "predictor"}


@pytest.fixture(scope="module")
def with_roles(manifests: Renderer) -> list[Object]:
    """Production with the component, the predictor as a Deployment, and the Job."""
    found: list[Object] = []
    for resource, components in (
        ("overlays/production", ("predictor-deployment", "s3-roles")),
        ("jobs/arena-run", ("s3-roles",)),
    ):
        folder = manifests.root / f"roles-{resource.replace('/', '-')}"
        folder.mkdir()
        kustomization = {
            "resources": [f"../{resource}"],
            "components": [f"../components/{name}" for name in components],
        }
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        found += [item for item in yaml.safe_load_all(kubectl("kustomize", str(folder))) if item]
    return found


def test_no_pod_asks_for_a_key(with_roles: list[Object]):
    rendered = pods(with_roles)
    assert {"Deployment/mlflow", "Deployment/predictor", "Job/arena-run"} <= {str(pod) for pod in rendered}
    for pod in rendered:
        for container in pod.containers:
            assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & {each["name"] for each in container["env"]}, pod
    assert "arena-s3-" not in yaml.safe_dump([item for item in with_roles if item["kind"] != "PrometheusRule"])


@pytest.mark.parametrize(("account", "part"), ACCOUNTS.items())
def test_each_account_has_its_role_and_no_secret(with_roles: list[Object], account: str, part: str):
    found = find(with_roles, "ServiceAccount", account)
    role = found["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    assert role == f"arn:aws:iam::111122223333:role/content-arena-{part}"
    assert "secrets" not in found
    # The platform's own volume brings the token.
    assert found["automountServiceAccountToken"] is False


def test_kserve_still_learns_which_s3_it_is(with_roles: list[Object]):
    annotations = find(with_roles, "ServiceAccount", "arena-predictor")["metadata"]["annotations"]
    assert annotations["serving.kserve.io/s3-endpoint"] == "s3.example.com"


def test_the_nodes_own_role_stays_out_of_reach(with_roles: list[Object]):
    """169.254.169.254 hands out the node's credentials to whoever asks."""
    blocks = [
        peer["ipBlock"]
        for item in of_kind(with_roles, "NetworkPolicy")
        for rule in item["spec"].get("egress", [])
        for peer in rule.get("to", [])
        if "ipBlock" in peer
    ]
    link_local = {block["cidr"] for block in blocks if block["cidr"].startswith("169.254.")}
    # Pod identity's own address, and that of a DNS cache on the node.
    assert link_local == {"169.254.170.23/32", "169.254.20.10/32"}
    assert all("169.254.0.0/16" in block["except"] for block in blocks if block["cidr"] == "0.0.0.0/0")


def test_the_file_of_roles_is_a_template():
    lines = (MANIFESTS / "components/s3-roles/roles.env").read_text().splitlines()
    assert all("111122223333" in line for line in lines if "=" in line)
