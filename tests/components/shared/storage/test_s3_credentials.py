"""Keys, session tokens and roles, asked of stand-ins for a cloud's servers."""

from __future__ import annotations

import logging

import pytest

from content_arena.components.shared.errors import InputError
from content_arena.components.shared.storage.s3_credentials import CredentialsError, credentials
from content_arena.components.shared.storage.store import Store

from .credential_servers import POD_TOKEN, Cloud, running

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "a-secret"}
VARIABLES = (
    *KEYS, "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_EC2_METADATA_DISABLED",
)  # fmt: skip
WAYS = ("web identity", "pod identity", "instance")


@pytest.fixture
def cloud():
    with running(Cloud(("role-key", "role-secret"))) as started:
        yield started


@pytest.fixture
def pod(cloud, monkeypatch, tmp_path):
    """Puts a process into a pod of the cloud; returns its environment."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def enter(way: str) -> dict[str, str]:
        token = tmp_path / "token"
        token.write_text(POD_TOKEN)
        environment = {
            "web identity": {
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
                "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/stages",
                "AWS_ENDPOINT_URL_STS": cloud.url,
            },
            "pod identity": {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{cloud.url}/v1/credentials",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
            },
            "instance": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": cloud.url},
        }[way]
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return environment

    return enter


def told(found):
    return found.access_key, found.secret_key, found.session_token


def test_keys_may_come_with_a_session_token():
    assert told(credentials(KEYS).retrieve()) == ("key", "a-secret", None)
    assert told(credentials({**KEYS, "AWS_SESSION_TOKEN": "t"}).retrieve()) == ("key", "a-secret", "t")


@pytest.mark.parametrize("way", WAYS)
def test_without_keys_it_is_the_role_of_the_platform(cloud, pod, way):
    assert told(credentials(pod(way)).retrieve()) == ("role-key", "role-secret", cloud.session)


@pytest.mark.parametrize("way", WAYS)
def test_boto3_finds_the_same_role(cloud, pod, way):
    """MLflow's artifacts and KServe's storage initialiser go through it."""
    import boto3

    pod(way)
    found = boto3.Session().get_credentials().get_frozen_credentials()
    assert (found.access_key, found.secret_key, found.token) == ("role-key", "role-secret", cloud.session)


@pytest.mark.parametrize("way", WAYS)
def test_keys_that_are_given_go_before_a_role(cloud, pod, way):
    assert told(credentials({**pod(way), **KEYS}).retrieve())[0] == "key"
    assert not cloud.asked


@pytest.mark.parametrize("way", WAYS)
def test_a_role_is_asked_again_before_its_keys_expire(cloud, pod, way):
    role = credentials(pod(way))
    role.retrieve()
    n_asked = len(cloud.asked)
    role.retrieve()
    assert len(cloud.asked) == n_asked
    cloud.seconds = 5
    short = credentials(pod(way))
    short.retrieve()
    cloud.keys, cloud.seconds = ("next-key", "next-secret"), 3600
    assert short.retrieve().access_key == "next-key"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [403, 302])
def test_a_refusal_is_told_without_any_secret(cloud, pod, caplog, way, status):
    cloud.status = status
    with caplog.at_level(logging.DEBUG), pytest.raises(CredentialsError, match=f"answered {status}") as raised:
        credentials(pod(way)).retrieve()
    assert "AWS_SECRET_ACCESS_KEY" in str(raised.value)
    assert POD_TOKEN not in str(raised.value) + caplog.text
    assert not any(POD_TOKEN in path for _, path, _ in cloud.asked)


@pytest.mark.parametrize("way", WAYS)
def test_a_cloud_that_is_away_is_told_without_any_secret(cloud, pod, monkeypatch, caplog, way):
    environment = pod(way)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace(cloud.url, "http://127.0.0.1:9"))
        environment[name] = value.replace(cloud.url, "http://127.0.0.1:9")
    with caplog.at_level(logging.DEBUG), pytest.raises(CredentialsError, match="does not answer") as raised:
        credentials(environment).retrieve()
    assert POD_TOKEN not in str(raised.value) + caplog.text


def test_an_answer_that_is_none_is_not_quoted(cloud, pod):
    cloud.keys, cloud.session = ("", "role-secret"), ""
    with pytest.raises(CredentialsError, match="its answer is none of credentials") as raised:
        credentials(pod("web identity")).retrieve()
    assert "role-secret" not in str(raised.value)


@pytest.mark.parametrize("way", ["web identity", "pod identity"])
def test_a_missing_token_file_is_named(pod, tmp_path, way):
    environment = pod(way)
    (tmp_path / "token").unlink()
    with pytest.raises(CredentialsError, match=f"No such file or directory: {tmp_path / 'token'}"):
        credentials(environment).retrieve()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": "key"}, "needs AWS_SECRET_ACCESS_KEY in"),
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}, "needs AWS_ROLE_ARN beside it"),
        ({"AWS_EC2_METADATA_DISABLED": "true"}, "or a role of the platform"),
    ],
)
def test_what_is_missing_is_named(environment, said):
    with pytest.raises(InputError, match=said):
        credentials(environment)


def test_the_store_says_what_the_platform_refused(cloud, pod):
    cloud.status = 403
    store = Store.from_environment({"S3_ENDPOINT_URL": "http://127.0.0.1:9", **pod("web identity")})
    with pytest.raises(CredentialsError, match="AWS_WEB_IDENTITY_TOKEN_FILE gave none"):
        store.files("s3://models/content-filter")
