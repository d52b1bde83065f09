"""Which account a process uses inside a pod."""

from urllib.parse import urlsplit

import pytest
from kubernetes import client, config
from kubernetes.config import incluster_config

from content_arena.components.canary_rollout.kube.kubeconfig import TOKEN_VARIABLE
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from tests.manifests.rendering import kubectl


@pytest.fixture
def pod(namespace, tmp_path, monkeypatch):
    """The environment of a pod with the account ``default``; makes tokens of other accounts."""
    settings = client.Configuration()
    config.load_kube_config(client_configuration=settings)
    kubectl("create", "serviceaccount", "rolls-out", f"--namespace={namespace}")
    tokens = {
        name: kubectl("create", "token", name, f"--namespace={namespace}").strip() for name in ("default", "rolls-out")
    }
    token, address = tmp_path / "token", urlsplit(settings.host)
    token.write_text(tokens["default"])
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", settings.ssl_ca_cert)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", address.hostname)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(address.port))
    monkeypatch.delenv("KUBECONFIG")
    return tokens


def test_a_token_in_the_environment_goes_before_the_pods_own(pod, namespace, monkeypatch):
    own = KubernetesClient(namespace)
    assert own.user() == f"system:serviceaccount:{namespace}:default"
    monkeypatch.setenv(TOKEN_VARIABLE, f"{pod['rolls-out']}\n")
    given = KubernetesClient(namespace)
    assert given.user() == f"system:serviceaccount:{namespace}:rolls-out"
    assert own.user() == f"system:serviceaccount:{namespace}:default"
    monkeypatch.setenv(TOKEN_VARIABLE, "")
    assert KubernetesClient(namespace).user() == own.user()
