"""No secret is in the repository, and none gets into a cluster by accident."""

from __future__ import annotations

import base64
import os
import re
import stat
import subprocess

import pytest

from tests.manifests.rendering import ADDITIONS, MANIFESTS, OVERLAYS, Renderer, kubectl, of_kind, pods

SECRETS = {
    "arena-s3": {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
    "arena-postgresql": {"POSTGRES_USER", "POSTGRES_PASSWORD"},
}
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
    assert found == (SECRETS if folder == "overlays/kind" else {})


def test_made_secrets_are_private_random_and_left_alone(tmp_path):
    first, second = Renderer(tmp_path / "first"), Renderer(tmp_path / "second")
    for name in SECRETS:
        path = first.root / "secrets" / f"{name}.env"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text() != (second.root / "secrets" / f"{name}.env").read_text()
        before = path.read_text()
        subprocess.run([first.root / "secrets/make-secrets"], check=True, capture_output=True)
        assert path.read_text() == before


def test_made_secrets_are_ones_that_minio_takes(manifests: Renderer):
    (s3,) = [item for item in of_kind(manifests.objects("overlays/kind"), "Secret") if "s3" in item["metadata"]["name"]]
    assert 3 <= len(base64.b64decode(s3["data"]["AWS_ACCESS_KEY_ID"])) <= 20
    assert 8 <= len(base64.b64decode(s3["data"]["AWS_SECRET_ACCESS_KEY"])) <= 40


@pytest.mark.parametrize("name", SECRETS)
def test_an_example_names_every_key_and_is_refused_as_it_stands(manifests: Renderer, name: str):
    example = MANIFESTS / "secrets" / f"{name}.example.env"
    lines = [line for line in example.read_text().splitlines() if not line.startswith("#")]
    assert {line.split()[0] for line in lines} == SECRETS[name]
    with pytest.raises(AssertionError, match="not a valid"):
        kubectl("create", "secret", "generic", name, f"--from-env-file={example}", "--dry-run=client", "--output=yaml")


@pytest.mark.skipif(not (MANIFESTS.parent / ".git").exists(), reason="needs a git checkout: git clone the repository")
def test_git_takes_the_examples_and_nothing_filled_in():
    folder = MANIFESTS / "secrets"
    names = [f"{name}{end}" for name in SECRETS for end in (".env", ".example.env")]
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    asked = subprocess.run(["git", "check-ignore", *names], cwd=folder, capture_output=True, text=True, env=environment)
    assert set(asked.stdout.split()) == {f"{name}.env" for name in SECRETS}
