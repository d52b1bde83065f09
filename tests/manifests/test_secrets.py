"""No secret is in the repository, and none gets into a cluster by accident."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess

import pytest

from tests.manifests.rendering import ADDITIONS, MANIFESTS, OVERLAYS, Renderer, kubectl, of_kind, pods

LOGIN = {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}
S3_KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
SECRETS = {
    "arena-s3": S3_KEYS,
    "arena-s3-mlflow": S3_KEYS,
    "arena-s3-predictor": S3_KEYS,
    "arena-s3-admin": S3_KEYS,
    "arena-postgresql": {"POSTGRES_USER", "POSTGRES_PASSWORD"},
    "arena-mlflow-admin": LOGIN | {"MLFLOW_FLASK_SERVER_SECRET_KEY"},
    "arena-mlflow": LOGIN,
    "arena-mlflow-reader": LOGIN,
    "arena-probe": {"token"},
}
IDENTITIES = {"arena-s3-identities": {"s3.json"}}
EXAMPLES = {name: SECRETS[name] for name in ("arena-s3", "arena-postgresql", "arena-mlflow-admin", "arena-mlflow")}
SENSITIVE = re.compile(r"PASSWORD|SECRET|ACCESS_KEY|TOKEN", re.IGNORECASE)


@pytest.mark.parametrize("folder", [*OVERLAYS, *ADDITIONS])
def test_values_come_by_reference(manifests: Renderer, folder: str):
    for pod in pods(manifests.objects(folder)):
        for container in pod.containers:
            for entry in container.get("env", []):
                is_file = entry["name"].endswith("_FILE")
                assert is_file or not SENSITIVE.search(entry["name"]) or "secretKeyRef" in entry["valueFrom"], entry
            given = " ".join([*container.get("command", []), *container.get("args", [])])
            assert not re.search(r"://[^/\s]*:[^/\s]*@", given), pod


@pytest.mark.parametrize("folder", [*OVERLAYS, *ADDITIONS])
def test_only_the_kind_overlay_brings_secrets(manifests: Renderer, folder: str):
    found = {item["metadata"]["name"]: set(item["data"]) for item in of_kind(manifests.objects(folder), "Secret")}
    assert found == (SECRETS | IDENTITIES if folder == "overlays/kind" else {})


def test_made_secrets_are_private_random_and_left_alone(tmp_path):
    first, second = Renderer(tmp_path / "first"), Renderer(tmp_path / "second")
    for name in SECRETS:
        path = first.root / "secrets" / f"{name}.env"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text() != (second.root / "secrets" / f"{name}.env").read_text()
        before = path.read_text()
        subprocess.run([first.root / "secrets/make-secrets"], check=True, capture_output=True)
        assert path.read_text() == before


def test_the_server_knows_every_key_that_was_made_and_no_other(manifests: Renderer):
    secrets = {item["metadata"]["name"]: item["data"] for item in of_kind(manifests.objects("overlays/kind"), "Secret")}
    served = json.loads(base64.b64decode(secrets["arena-s3-identities"]["s3.json"]))["identities"]
    known = {each["name"]: each["credentials"] for each in served}
    assert list(known) == ["stages", "mlflow", "predictor", "admin"]
    for name, credentials in known.items():
        secret = secrets["arena-s3" if name == "stages" else f"arena-s3-{name}"]
        given = {key: base64.b64decode(secret[key]).decode() for key in sorted(S3_KEYS)}
        assert credentials == [{"accessKey": given["AWS_ACCESS_KEY_ID"], "secretKey": given["AWS_SECRET_ACCESS_KEY"]}]
        # What MinIO and Amazon take as well.
        assert 3 <= len(given["AWS_ACCESS_KEY_ID"]) <= 20
        assert 8 <= len(given["AWS_SECRET_ACCESS_KEY"]) <= 40


def test_a_key_that_is_made_anew_is_one_that_the_server_knows(tmp_path):
    folder = Renderer(tmp_path).root / "secrets"
    before = (folder / "arena-s3-mlflow.env").read_text()
    (folder / "arena-s3-mlflow.env").unlink()
    subprocess.run([folder / "make-secrets"], check=True, capture_output=True)
    after = (folder / "arena-s3-mlflow.env").read_text()
    identities = (folder / "arena-s3-identities.json").read_text()
    assert after != before
    assert all(line.partition("=")[2] in identities for line in after.splitlines())
    assert not any(line.partition("=")[2] in identities for line in before.splitlines())


def test_a_key_of_your_own_may_have_any_characters(tmp_path):
    folder, secret = Renderer(tmp_path).root / "secrets", 'a"b\\c&d/e'
    (folder / "arena-s3.env").write_text(f"AWS_ACCESS_KEY_ID=own\nAWS_SECRET_ACCESS_KEY={secret}\n")
    subprocess.run([folder / "make-secrets"], check=True, capture_output=True)
    (stages, *_) = json.loads((folder / "arena-s3-identities.json").read_text())["identities"]
    assert stages["credentials"] == [{"accessKey": "own", "secretKey": secret}]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_names_every_key_and_is_refused_as_it_stands(manifests: Renderer, name: str):
    example = MANIFESTS / "secrets" / f"{name}.example.env"
    lines = [line for line in example.read_text().splitlines() if not line.startswith("#")]
    assert {line.split()[0] for line in lines} == EXAMPLES[name]
    with pytest.raises(AssertionError, match="not a valid"):
        kubectl("create", "secret", "generic", name, f"--from-env-file={example}", "--dry-run=client", "--output=yaml")


@pytest.mark.skipif(not (MANIFESTS.parent / ".git").exists(), reason="needs a git checkout: git clone the repository")
def test_git_takes_the_examples_and_nothing_filled_in():
    folder = MANIFESTS / "secrets"
    names = [f"{name}{end}" for name in EXAMPLES for end in (".env", ".example.env")] + ["arena-s3-identities.json"]
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    asked = subprocess.run(["git", "check-ignore", *names], cwd=folder, capture_output=True, text=True, env=environment)
    assert set(asked.stdout.split()) == {f"{name}.env" for name in EXAMPLES} | {"arena-s3-identities.json"}
