"""TLS inside: what the component renders to, and the servers and clients of it as processes with a CA of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from content_arena.components.shared.storage.store import Store, StoreError
from tests.manifests.rendering import MANIFESTS, Object, Renderer, find, kubectl, of_kind, pods
from tests.manifests.test_s3_keys import Server

CA_FILE = "/etc/content-arena/ca/cabundle.crt"
SERVERS = {"StatefulSet/seaweedfs": "s3", "Deployment/mlflow": "mlflow", "StatefulSet/postgresql": "postgresql"}
JOBS = ("arena-run", "backup", "copy-minio", "mlflow-upgrade", "restore")


@pytest.fixture(scope="module")
def encrypted(manifests: Renderer) -> list[Object]:
    """The base with the component, and every Job with the clients' part of it."""
    wanted = {"overlay": (["../base", "../secrets"], ["tls", "settings", "cluster-settings"])}
    wanted |= {f"job-{name}": ([f"../jobs/{name}"], ["tls/clients"]) for name in JOBS}
    found: list[Object] = []
    for name, (resources, components) in wanted.items():
        folder = manifests.root / f"tls-{name}"
        folder.mkdir()
        kustomization = {"resources": resources, "components": [f"../components/{each}" for each in components]}
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        found += [item for item in yaml.safe_load_all(kubectl("kustomize", str(folder))) if item]
    return found


def test_every_client_has_the_ca_and_every_server_its_certificate(encrypted: list[Object]):
    for pod in pods(encrypted):
        mounts = {mount["mountPath"] for each in pod.containers for mount in each["volumeMounts"]}
        uses = any(pod.labels.get(f"content-arena/uses-{name}") for name in ("mlflow", "s3", "postgresql"))
        # KServe mounts the CA itself, and a predictor uses nothing once its model is there.
        if uses and pod.kind != "InferenceService":
            for container in pod.containers:
                assert "/etc/content-arena/ca" in {each["mountPath"] for each in container["volumeMounts"]}, pod
        assert ("/etc/content-arena/tls" in mounts) == (str(pod) in SERVERS), pod
    for owner, name in SERVERS.items():
        (pod,) = [each for each in pods(encrypted) if str(each) == owner]
        (volume,) = [each["secret"] for each in pod.spec["volumes"] if each["name"] == "tls"]
        certificate = find(encrypted, "Certificate", f"arena-tls-{name}")["spec"]
        assert volume["secretName"] == certificate["secretName"]
        assert {name, f"{name}.content-arena"} <= set(certificate["dnsNames"])


def test_addresses_say_https_everywhere(encrypted: list[Object]):
    settings = find(encrypted, "ConfigMap", "arena-settings")["data"]
    assert (settings["S3_ENDPOINT_URL"], settings["S3_USE_HTTPS"]) == ("https://s3:9000", "1")
    assert settings["PGSSLMODE"] == "verify-full"
    files = ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "PGSSLROOTCERT", "MLFLOW_TRACKING_SERVER_CERT_PATH")
    assert {settings[name] for name in files} == {CA_FILE}
    text = yaml.safe_dump([item for item in encrypted if item["kind"] != "PrometheusRule"])
    assert "http://s3:" not in text
    assert "http://mlflow:" not in text
    for item in of_kind(encrypted, "ServiceAccount", "Secret"):
        if item["metadata"]["name"] in ("arena-predictor", "arena-s3-predictor"):
            assert item["metadata"]["annotations"]["serving.kserve.io/s3-cabundle-configmap"] == "arena-ca"
            assert item["metadata"]["annotations"]["serving.kserve.io/s3-usehttps"] == "1"


def authority(folder: Path, name: str) -> Path:
    """Makes a CA and a certificate for 127.0.0.1 by the commands of the README; returns the CA's file."""
    text = (MANIFESTS / "README.md").read_text()
    script = text.partition("<!-- certificates -->")[2].split("```sh\n")[1].split("```")[0]
    own = folder / name
    own.mkdir()
    (own / "make").write_text(script)
    done = subprocess.run(["sh", "-eu", "make"], cwd=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return own / "ca.crt"


class Encrypted(Server):
    """SeaweedFS with the arguments of the component, and the certificate of a CA."""

    scheme = "https"


def server_arguments(encrypted: list[Object], ca: Path) -> list[str]:
    """What the component adds to SeaweedFS' arguments, with the certificate that lies beside the CA."""
    (container,) = find(encrypted, "StatefulSet", "seaweedfs")["spec"]["template"]["spec"]["containers"]
    own = [word for word in container["args"] if "/etc/content-arena/tls" in word]
    assert len(own) == 2
    return [word.replace("/etc/content-arena/tls/tls", str(ca.parent / "s3")) for word in own]


@pytest.fixture(scope="module")
def server(
    manifests: Renderer, encrypted: list[Object], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Path]]:
    """The server and the CA's file."""
    folder = tmp_path_factory.mktemp("tls")
    ca = authority(folder, "right")
    (data := folder / "data").mkdir()
    started = Encrypted(manifests, data, server_arguments(encrypted, ca))
    try:
        started.wait(ca=ca)
        yield started, ca
    finally:
        started.close()


def test_a_bundle_goes_through_tls(server, tiny_bundle, tmp_path, monkeypatch):
    started, ca = server
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    store = Store.from_environment(started.environment("admin"))
    store.make_buckets(["models"])
    store.publish(tiny_bundle, "s3://models/content-filter/1")
    assert store.download("s3://models/content-filter/1", tmp_path / "models").spec.digest == tiny_bundle.spec.digest


def test_mlflows_s3_client_trusts_the_ca_too(server, tmp_path):
    started, ca = server
    keys = started.environment("admin")
    (tmp_path / "figures.json").write_text("{}")
    script = """
import os, sys
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository
from content_arena.components.shared.storage.store import Store
Store.from_environment(os.environ).make_buckets(["mlflow"])
repository = S3ArtifactRepository("s3://mlflow/tls")
repository.log_artifact(sys.argv[1])
print([each.path for each in repository.list_artifacts()])
"""
    # A process of its own, as MLflow's server is: boto3 keeps the first keys that a process gave it.
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "figures.json"], capture_output=True, text=True,
        env={**os.environ, **keys, "MLFLOW_S3_ENDPOINT_URL": started.url,
             "AWS_CA_BUNDLE": str(ca), "SSL_CERT_FILE": str(ca)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['figures.json']\n"


@pytest.mark.parametrize("trusted", ["another CA", "the public ones"])
def test_a_server_of_another_ca_is_refused_with_what_to_do(server, tmp_path, monkeypatch, trusted):
    started, _ = server
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if trusted == "another CA":
        monkeypatch.setenv("SSL_CERT_FILE", str(authority(tmp_path, "wrong")))
    store = Store.from_environment(started.environment("admin"))
    with pytest.raises(StoreError, match=r"certificate is not trusted.*SSL_CERT_FILE has to name") as raised:
        store.files("s3://models/content-filter")
    assert "certificate verify failed" in str(raised.value)


def test_nothing_else_of_the_server_is_open(server):
    started, _ = server
    s3, metrics = (started.ports[name] for name in ("-s3.port", "-metricsPort"))
    assert started.listening() == {s3, s3 + 10_000, metrics}
