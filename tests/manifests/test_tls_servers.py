"""MLflow and PostgreSQL under TLS, as the manifests start them and as their clients are set up: real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from content_arena.components.shared.errors import ArenaError, InputError
from content_arena.components.shared.mlflow_tracking import reachable
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.tracking_login import PASSWORD, USERNAME, advice
from tests.manifests.postgresql_server import running
from tests.manifests.rendering import Object, Renderer, find, kubectl
from tests.manifests.test_tls import Encrypted, authority, server_arguments
from tests.ports import free_ports

ADMIN = {USERNAME: "admin", PASSWORD: "the-administrators-own"}
#: What a client without the CA has: the public ones.
PUBLIC = "/etc/ssl/certs/ca-certificates.crt"


@pytest.fixture(scope="module")
def encrypted(manifests: Renderer) -> list[Object]:
    """The overlay `kind` with the component."""
    folder = manifests.root / "tls-servers"
    folder.mkdir()
    components = [f"../components/{name}" for name in ("tls", "settings", "cluster-settings")]
    kustomization = {"resources": ["../base", "../secrets"], "components": components}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return [item for item in yaml.safe_load_all(kubectl("kustomize", str(folder))) if item]


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CA's file; the certificates of all servers lie beside it."""
    return authority(tmp_path_factory.mktemp("ca"), "right")


@pytest.fixture(scope="module")
def postgresql(encrypted: list[Object], ca: Path) -> Iterator[dict[str, str]]:
    """PostgreSQL with the options of the component, and the variables of its clients."""
    (container,) = find(encrypted, "StatefulSet", "postgresql")["spec"]["template"]["spec"]["containers"]
    options = [word.replace("/etc/content-arena/tls", "{folder}") for word in container["args"] if "=" in word]
    assert len(options) == 3
    settings = find(encrypted, "ConfigMap", "arena-settings")["data"]
    with running(options, ca.parent / "postgresql") as environment:
        # The name is what the certificate is compared with.
        named = {"PGHOST": "localhost", "PGHOSTADDR": "127.0.0.1", "PGSSLMODE": settings["PGSSLMODE"]}
        yield environment | named | {"PGSSLROOTCERT": str(ca)}


_ENCRYPTION = """
import psycopg2
cursor = psycopg2.connect("").cursor()
cursor.execute("select ssl, version from pg_stat_ssl where pid = pg_backend_pid()")
print(*cursor.fetchone())
"""


def connected(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Connects as MLflow does, by its driver and libpq's variables, and prints how the connection is encrypted."""
    command = [sys.executable, "-c", _ENCRYPTION]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)


def test_postgresql_is_reached_under_tls_alone_by_who_has_the_ca(postgresql):
    assert connected(postgresql).stdout == "True TLSv1.3\n"
    for wrong, said in (
        ({"PGSSLROOTCERT": PUBLIC}, "certificate verify failed"),
        ({"PGHOST": "elsewhere"}, 'does not match host name "elsewhere"'),
        ({"PGSSLROOTCERT": "/nowhere.crt"}, 'root certificate file "/nowhere.crt" does not exist'),
    ):
        refused = connected(postgresql | wrong)
        assert (refused.returncode, said in refused.stderr) == (1, True), refused.stderr


def test_an_error_of_another_certificate_is_no_advice_on_mlflow():
    because = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"
    other, own = (
        requests.exceptions.SSLError(f"Max retries exceeded with url: {path} (Caused by SSLError(1, '{because}'))")
        for path in ("/elsewhere", "/api/2.0/mlflow/experiments/get-by-name")
    )
    assert advice(other) is None
    assert "not trusted (self-signed certificate): MLFLOW_TRACKING_SERVER_CERT_PATH" in (advice(own) or "")


@pytest.fixture(scope="module")
def mlflow(
    manifests: Renderer, encrypted: list[Object], postgresql: dict[str, str], ca: Path, tmp_path_factory
) -> Iterator[str]:
    """MLflow with the command and the variables of its Deployment, on PostgreSQL and SeaweedFS under TLS; its URL."""
    folder = tmp_path_factory.mktemp("mlflow")
    (data := folder / "data").mkdir()
    storage = Encrypted(manifests, data, server_arguments(encrypted, ca))
    try:
        storage.wait(ca=ca)
        buckets = os.environ | storage.environment("admin") | {"SSL_CERT_FILE": str(ca)}
        store = [sys.executable, "-m", "content_arena.components.shared.storage.store", "make-buckets", "mlflow"]
        subprocess.run(store, env=buckets, check=True)
        yield from _served(encrypted, folder, ca, postgresql | storage.environment("mlflow"))
    finally:
        storage.close()


def _served(encrypted: list[Object], folder: Path, ca: Path, given: dict[str, str]) -> Iterator[str]:
    (container,) = find(encrypted, "Deployment", "mlflow")["spec"]["template"]["spec"]["containers"]
    (port,) = free_ports(1)
    login = folder / "basic_auth.ini"
    login.write_text(find(encrypted, "ConfigMap", "mlflow-login")["data"]["basic_auth.ini"])
    own = {"--host=0.0.0.0": "--host=127.0.0.1", "--port=5000": f"--port={port}"}
    arguments = [
        own.get(each, each).replace("/etc/content-arena/tls/tls", f"{ca.parent}/mlflow") for each in container["args"]
    ]
    settings = find(encrypted, "ConfigMap", "arena-settings")["data"]
    environment = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    environment |= {
        name: str(ca) if value.startswith("/etc/content-arena/ca/") else value for name, value in settings.items()
    }
    environment |= given | {
        "MLFLOW_AUTH_CONFIG_PATH": str(login), "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN[USERNAME],
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[PASSWORD], "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-a-test",
        "MLFLOW_S3_ENDPOINT_URL": given["S3_ENDPOINT_URL"], "MLFLOW_WORKERS": "1",
    }  # fmt: skip
    url = f"https://localhost:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *container["command"][1:], *arguments], env=os.environ | environment, stdout=log,
            stderr=log, cwd=folder, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 300
        while not _is_healthy(url, ca):
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
            time.sleep(0.5)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _is_healthy(url: str, ca: Path) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=5, verify=str(ca)).ok
    except requests.RequestException:
        return False


@pytest.mark.slow
def test_mlflow_is_written_and_read_by_who_has_the_ca(mlflow, ca, monkeypatch):
    for name, value in (ADMIN | {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(ca)}).items():
        monkeypatch.setenv(name, value)
    run = Tracking(mlflow, "under-tls")
    run.log("train", {"loss": 0.5})
    run.log_page("page.html", "a page")
    again = Tracking(mlflow, "under-tls")
    assert again.run_id == run.run_id
    assert again.client.get_run(run.run_id).data.metrics["train.loss"] == 0.5
    assert [each.path for each in again.client.list_artifacts(run.run_id)] == ["page.html"]
    monkeypatch.setenv(PASSWORD, "guessed-by-somebody")
    with pytest.raises(ArenaError, match="does not know the user admin"):
        Tracking(mlflow, "under-tls")


@pytest.mark.slow
def test_behind_a_gateway_mlflow_asks_for_a_host_that_it_knows_and_for_the_login(mlflow, ca):
    """A gateway hands on the host that its client named, and the header Authorization."""

    def status(host: str, login: tuple[str, str] | None) -> int:
        address = f"{mlflow}/api/2.0/mlflow/experiments/search?max_results=1"
        return requests.get(address, headers={"Host": host}, auth=login, timeout=30, verify=str(ca)).status_code

    login, known = (ADMIN[USERNAME], ADMIN[PASSWORD]), "mlflow.content-arena:5000"
    assert status("mlflow.example.com", login) == 403
    assert status(known, None) == status(known, ("admin", "guessed-by-somebody")) == 401
    assert status(known, login) == 200


@pytest.mark.slow
def test_mlflow_is_not_used_by_who_lacks_the_ca(mlflow, ca, monkeypatch):
    for name, value in (ADMIN | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_SERVER_CERT_PATH", raising=False)
    refused = r"its certificate is not trusted .* MLFLOW_TRACKING_SERVER_CERT_PATH has to"
    with pytest.raises(ArenaError, match=refused):
        Tracking(mlflow, "refused")
    # What a command asks first: the client would try for minutes.
    with pytest.raises(InputError, match=f"MLflow at {mlflow} is not used: {refused}"):
        reachable.require(mlflow)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(ca))
    reachable.require(mlflow)
    plain = mlflow.replace("https://", "http://")
    with pytest.raises(requests.RequestException):
        requests.get(f"{plain}/health", timeout=5)
