"""What each key of the object storage may do, on a real server that runs as the manifests run it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
import requests

from content_arena.components.shared.storage.object_copy import copied, main
from content_arena.components.shared.storage.store import client
from tests.manifests.rendering import Renderer, find
from tests.seaweedfs import PORTS, SeaweedFS

BUCKETS = ("mlflow", "models")
#: What each key may do in each bucket.
MAY = {
    ("stages", "models"): {"list", "read", "write", "delete"},
    ("stages", "mlflow"): set(),
    ("mlflow", "models"): set(),
    ("mlflow", "mlflow"): {"list", "read", "write", "delete"},
    ("predictor", "models"): {"list", "read"},
    ("predictor", "mlflow"): set(),
}


class Server(SeaweedFS):
    """SeaweedFS with the arguments of the StatefulSet, but for ports and folders."""

    scheme = "http"

    def __init__(self, manifests: Renderer, folder: Path, more: Sequence[str] = ()) -> None:
        stateful_set = find(manifests.objects("overlays/kind"), "StatefulSet", "seaweedfs")
        (container,) = stateful_set["spec"]["template"]["spec"]["containers"]
        self.identities = manifests.root / "secrets" / "arena-s3-identities.json"
        own = {"-dir", "-s3.config", "-metricsPort", *PORTS}
        kept = [argument for argument in container["args"] if argument.partition("=")[0] not in own]
        super().__init__(folder, (*kept, *more, f"-s3.config={self.identities}"), ["-metricsPort"], self.scheme)

    def listening(self) -> set[int]:
        """Ports that more than the pod itself can reach."""
        launched = psutil.Process(self.process.pid)
        found = [each for process in (launched, *launched.children(recursive=True)) for each in process.connections()]
        return {each.laddr.port for each in found if each.status == "LISTEN" and each.laddr.ip != "127.0.0.1"}

    def environment(self, name: str) -> dict[str, str]:
        """What a client with the key of that name has in its environment."""
        known = json.loads(self.identities.read_text())["identities"]
        ((keys,),) = [each["credentials"] for each in known if each["name"] == name]
        return {
            "S3_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": keys["accessKey"],
            "AWS_SECRET_ACCESS_KEY": keys["secretKey"],
        }


@pytest.fixture(scope="module")
def server(manifests: Renderer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(manifests, tmp_path_factory.mktemp("seaweedfs"))
    try:
        container = find(manifests.objects("overlays/kind"), "StatefulSet", "seaweedfs")["spec"]["template"]["spec"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            started.wait(container["containers"][0][probe]["httpGet"]["path"])
        admin = client(started.environment("admin"))
        for bucket in BUCKETS:
            admin.make_bucket(bucket)
        yield started
    finally:
        started.close()


def attempts(server: Server, name: str, bucket: str) -> dict[str, Callable[[], object]]:
    """What a key tries in a bucket, which has the objects ``there`` and ``doomed``."""
    own = client(server.environment(name))
    return {
        "list": lambda: list(own.list_objects(bucket, recursive=True)),
        "read": lambda: own.get_object(bucket, "there").read(),
        "write": lambda: own.put_object(bucket, "new", io.BytesIO(b"x"), 1),
        "delete": lambda: own.remove_object(bucket, "doomed"),
    }


@pytest.mark.parametrize(("name", "bucket"), MAY)
def test_a_key_does_its_own_work_and_no_others(server: Server, name: str, bucket: str):
    from minio.error import S3Error

    admin = client(server.environment("admin"))
    for key in ("there", "doomed"):
        admin.put_object(bucket, key, io.BytesIO(b"x"), 1)
    for action, attempt in attempts(server, name, bucket).items():
        if action in MAY[name, bucket]:
            attempt()
            continue
        with pytest.raises(S3Error, match="AccessDenied"):
            attempt()
    left = {item.object_name for item in admin.list_objects(bucket)}
    assert ("doomed" in left) == ("delete" not in MAY[name, bucket])
    assert ("new" in left) == ("write" in MAY[name, bucket])
    admin.remove_object(bucket, "new")


@pytest.mark.parametrize("name", ["stages", "mlflow", "predictor"])
def test_a_key_makes_no_bucket_and_copies_nothing_out_of_anothers(server: Server, name: str):
    from minio.commonconfig import CopySource
    from minio.error import S3Error

    own, admin = client(server.environment(name)), client(server.environment("admin"))
    with pytest.raises(S3Error, match="AccessDenied"):
        own.make_bucket(f"of-{name}")
    for bucket in BUCKETS:
        admin.put_object(bucket, "there", io.BytesIO(b"x"), 1)
    for source, target in (BUCKETS, BUCKETS[::-1]):
        with pytest.raises(S3Error, match="AccessDenied"):
            own.copy_object(target, "stolen", CopySource(source, "there"))


def test_nobody_is_let_in_without_a_key(server: Server):
    assert requests.get(f"{server.url}/models", timeout=5).status_code == 403
    wrong = server.environment("stages") | {"AWS_SECRET_ACCESS_KEY": "wrong-wrong-wrong"}
    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        list(client(wrong).list_objects("models"))


def test_only_s3_and_the_metrics_are_open(server: Server):
    """The other servers of SeaweedFS ask for no key. S3's own control port is 10,000 above, closed by NetworkPolicy."""
    s3, metrics = (server.ports[name] for name in ("-s3.port", "-metricsPort"))
    assert server.listening() == {s3, s3 + 10_000, metrics}
    assert "SeaweedFS_" in requests.get(f"http://127.0.0.1:{metrics}/metrics", timeout=5).text


# The copy from another server.


@pytest.fixture
def source(server: Server, s3_server: dict[str, str]) -> dict[str, str]:
    """Another server with two buckets of objects, which stands for MinIO; the environment that names both."""
    other = client(s3_server)
    for bucket in BUCKETS:
        if not other.bucket_exists(bucket):
            other.make_bucket(bucket)
        for number, body in enumerate((b"", b"one", os.urandom(6_000_000))):
            other.put_object(bucket, f"folder/{number}/object \u00e9", io.BytesIO(body), len(body))
    return server.environment("admin") | {f"SOURCE_{name}": value for name, value in s3_server.items()}


def test_every_object_is_copied_and_compared(server: Server, source: dict[str, str], s3_server, capsys):
    assert main(BUCKETS, source) == 0
    first = capsys.readouterr().out
    assert [line.split(":")[0] for line in first.splitlines()] == list(BUCKETS)
    assert "equal by SHA-256" in first
    before, after = client(s3_server), client(server.environment("admin"))
    for bucket in BUCKETS:
        for item in before.list_objects(bucket, recursive=True):
            bodies = [each.get_object(bucket, item.object_name).read() for each in (before, after)]
            assert bodies[0] == bodies[1], item.object_name


def test_a_copy_sends_only_what_is_missing_or_differs(server: Server, source: dict[str, str], s3_server):
    before, after = client(s3_server), client(server.environment("admin"))
    copied(before, after, "models")
    again = copied(before, after, "models")
    assert (again.sent, again.present) == (0, sum(1 for _ in before.list_objects("models", recursive=True)))
    after.put_object("models", "folder/1/object \u00e9", io.BytesIO(b"two"), 3)
    after.remove_object("models", "folder/2/object \u00e9")
    after.put_object("models", "of-the-target", io.BytesIO(b"x"), 1)
    assert copied(before, after, "models").sent == 2
    assert after.get_object("models", "folder/1/object \u00e9").read() == b"one"
    assert after.get_object("models", "of-the-target").read() == b"x"


def test_a_key_that_may_not_write_copies_nothing(server: Server, source: dict[str, str], capsys):
    assert main(["models"], source | server.environment("predictor")) == 2
    assert "refused" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["S3_ENDPOINT_URL", "SOURCE_S3_ENDPOINT_URL", "SOURCE_AWS_ACCESS_KEY_ID"])
def test_a_copy_needs_both_servers(source: dict[str, str], missing: str, capsys):
    del source[missing]
    assert main(["models"], source) == 2
    assert f"needs {missing.removeprefix('SOURCE_')}" in capsys.readouterr().err
