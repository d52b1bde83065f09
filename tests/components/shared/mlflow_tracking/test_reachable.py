"""A tracking server that is not there is refused at once."""

import socket
import time

import pytest

from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking import reachable


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_nothing_listens(closed_port):
    with pytest.raises(InputError, match=r"does not answer: Connection refused.*MLFLOW_TRACKING_URI"):
        reachable.require(f"http://127.0.0.1:{closed_port}")


def test_a_name_that_is_none():
    with pytest.raises(InputError, match="does not answer"):
        reachable.require("http://no-such-host.invalid:5000")


def test_a_server_that_drops_what_it_gets_is_not_waited_for_long():
    with socket.socket() as full:
        # A listener whose queue is full lets every further connection time out, as a firewall does.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [_connecting(port) for _ in range(4)]
        with pytest.raises(InputError, match="timed out"):
            reachable.require(f"http://127.0.0.1:{port}", seconds=0.2)
        for each in waiting:
            each.close()


def _connecting(port):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", port))
    time.sleep(0.05)
    return client


def test_a_server_that_listens_is_taken(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        reachable.require(f"http://127.0.0.1:{port}")
        reachable.require(f"postgresql+psycopg2://me:secret@127.0.0.1:{port}/mlflow")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        reachable.require("http://only-the-proxy-knows.invalid:5000")


@pytest.mark.parametrize("uri", ["sqlite:////data/mlflow.db", "databricks", "file:///data/mlruns", "./mlruns"])
def test_what_names_no_host_is_taken(uri):
    reachable.require(uri)


def test_no_password_is_shown(closed_port):
    with pytest.raises(InputError) as caught:
        reachable.require(f"http://me:secret@127.0.0.1:{closed_port}")
    assert "secret" not in str(caught.value)
    with pytest.raises(InputError, match="is no address"):
        reachable.require("http://127.0.0.1:port")


def test_the_password_of_a_database_may_hold_a_slash(closed_port):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        reachable.require(f"postgresql://arena:ab/cd@127.0.0.1:{port}/mlflow")
    with pytest.raises(InputError, match=r"MLflow at postgresql://\*\*\*@127.0.0.1:\d+/mlflow does not answer"):
        reachable.require(f"postgresql://arena:ab/cd@127.0.0.1:{closed_port}/mlflow")


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://arena:p@geheim@db/mlflow",
        "postgresql://arena:p@x:geheim@db/mlflow",
        "mysql+pymysql://arena:p@[geheim@db/mlflow",
        "http://arena:geheim/cd@mlflow:5000",
        "http://arena:[geheim@mlflow:5000",
    ],
)
def test_a_password_that_ends_too_early_is_told_and_not_shown(uri):
    with pytest.raises(InputError, match=r"://\*\*\*@(db|mlflow).* is no address .*%40 for an @") as caught:
        reachable.require(uri)
    assert "geheim" not in str(caught.value)
