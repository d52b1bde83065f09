"""A role instead of keys, from the token of a pod to an object: on a real server with its own STS (SeaweedFS).

The issuer of the tokens, the cluster's API server in life, is a stand-in.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.storage.s3_credentials import CredentialsError, credentials
from content_arena.components.shared.storage.store import Store, StoreError
from tests.seaweedfs import SeaweedFS

ADMIN = {"AWS_ACCESS_KEY_ID": "admin", "AWS_SECRET_ACCESS_KEY": "admin-secret"}
ROLE = "arn:aws:iam::role/stages"


class Issuer:
    """Signs tokens, and publishes the key to check them by."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        keys = json.dumps({"keys": [{**public, "kid": "k", "use": "sig", "alg": "RS256"}]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(keys)))
                self.end_headers()
                self.wfile.write(keys)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def token(self, audience: str = "sts.amazonaws.com") -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": audience, "sub": "system:serviceaccount:content-arena:arena-run"}
        return jwt.encode({**claims, "iat": now, "exp": now + 3600}, self._key, "RS256", headers={"kid": "k"})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def roles(issuer: Issuer) -> dict[str, Any]:
    """SeaweedFS's settings: tokens of the issuer may have the role, and the role may use the bucket models."""
    trusted = {"Effect": "Allow", "Principal": {"Federated": "cluster"}, "Action": ["sts:AssumeRoleWithWebIdentity"]}
    allowed = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::models", "arn:aws:s3:::models/*"]}
    provider = {"issuer": issuer.url, "clientId": "sts.amazonaws.com", "jwksUri": f"{issuer.url}/keys"}
    return {
        "sts": {
            "tokenDuration": "1h", "maxSessionLength": "12h", "issuer": "seaweedfs",
            "signingKey": base64.b64encode(os.urandom(32)).decode(),
            "providers": [{"name": "cluster", "type": "oidc", "enabled": True, "config": provider}],
        },
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "roles": [
            {"roleName": "stages", "roleArn": ROLE, "attachedPolicies": ["models"],
             "trustPolicy": {"Version": "2012-10-17", "Statement": [trusted]}},
        ],
        "policies": [{"name": "models", "document": {"Version": "2012-10-17", "Statement": [allowed]}}],
    }  # fmt: skip


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    started = Issuer()
    yield started
    started.close()


@pytest.fixture(scope="module")
def server(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the server, which has the buckets models and mlflow."""
    folder = tmp_path_factory.mktemp("roles")
    keys = {"accessKey": ADMIN["AWS_ACCESS_KEY_ID"], "secretKey": ADMIN["AWS_SECRET_ACCESS_KEY"]}
    identities = [{"name": "admin", "credentials": [keys], "actions": ["Admin"]}]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    (folder / "iam.json").write_text(json.dumps(roles(issuer)))
    storage = SeaweedFS(
        folder,
        (
            "server", "-ip=127.0.0.1", "-s3", f"-s3.config={folder / 's3.json'}",
            f"-s3.iam.config={folder / 'iam.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        ),
    )  # fmt: skip
    try:
        storage.wait()
        Store.from_environment({"S3_ENDPOINT_URL": storage.url, **ADMIN}).make_buckets(["models", "mlflow"])
        yield storage.url
    finally:
        storage.close()


@pytest.fixture
def pod(server: str, issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a pod with the role, as EKS sets it, and no keys."""
    (tmp_path / "token").write_text(issuer.token())
    for name in (*ADMIN, "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    environment = {
        "S3_ENDPOINT_URL": server, "MLFLOW_S3_ENDPOINT_URL": server, "AWS_ENDPOINT_URL_STS": server,
        "AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


def test_a_bundle_is_published_and_loaded_by_a_role(pod, tiny_bundle, tmp_path):
    store = Store.from_environment()
    store.publish(tiny_bundle, "s3://models/content-filter/1")
    assert store.download("s3://models/content-filter/1", tmp_path / "models").spec.digest == tiny_bundle.spec.digest


def test_a_role_may_no_more_than_its_policy_says(pod, tiny_bundle):
    with pytest.raises(StoreError, match="AccessDenied"):
        Store.from_environment().publish(tiny_bundle, "s3://mlflow/content-filter/1")


def test_keys_with_a_session_token_in_the_environment(pod, server, tiny_bundle):
    given = credentials(pod).retrieve()
    keys = {"AWS_ACCESS_KEY_ID": given.access_key, "AWS_SECRET_ACCESS_KEY": given.secret_key}
    whole = {"S3_ENDPOINT_URL": server, **keys, "AWS_SESSION_TOKEN": given.session_token}
    Store.from_environment(whole).publish(tiny_bundle, "s3://models/content-filter/2")
    with pytest.raises(StoreError, match="InvalidAccessKeyId"):
        Store.from_environment({"S3_ENDPOINT_URL": server, **keys}).files("s3://models/content-filter")


def test_mlflow_writes_artifacts_by_a_role(pod, tmp_path):
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    (tmp_path / "figures.json").write_text("{}")
    repository = S3ArtifactRepository("s3://models/runs/1")
    repository.log_artifact(str(tmp_path / "figures.json"))
    assert [each.path for each in repository.list_artifacts()] == ["figures.json"]


def test_kserve_loads_a_bundle_by_a_role(pod, tiny_bundle, tmp_path, monkeypatch):
    loader = pytest.importorskip(
        "kserve_storage", reason="needs kserve-storage: pip install --no-deps kserve-storage==0.21.0"
    )
    Store.from_environment().publish(tiny_bundle, "s3://models/content-filter/3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", pod["S3_ENDPOINT_URL"])
    loader.Storage.download("s3://models/content-filter/3", str(tmp_path / "models"))
    assert bundles.load(tmp_path / "models").spec.digest == tiny_bundle.spec.digest


def test_a_token_for_somebody_else_is_refused(pod, issuer, tmp_path):
    (tmp_path / "token").write_text(issuer.token(audience="somebody-else"))
    with pytest.raises(CredentialsError, match=r"AWS_WEB_IDENTITY_TOKEN_FILE gave none: .* answered 4\d\d"):
        Store.from_environment().files("s3://models/content-filter")
