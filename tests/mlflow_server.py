"""A real MLflow server for tests that have to talk to one over HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.conftest import is_ok

#: Password of the user ``admin`` of a server with users.
ADMIN_PASSWORD = "the-administrators-own"


@contextlib.contextmanager
def with_users(folder: Path, settings: Path, password: str = ADMIN_PASSWORD) -> Iterator[str]:
    """A server that asks for a login, see :func:`serving`; its users are in the same database.

    Args:
        folder: See :func:`serving`.
        settings: MLflow's ``basic_auth.ini``, whose database is replaced.
        password: The administrator's.
    """
    lines = settings.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("database_uri")]
    own = folder / "basic_auth.ini"
    own.write_text("\n".join([*kept, f"database_uri = sqlite:///{folder / 'mlflow.db'}"]))
    environment = {
        "MLFLOW_AUTH_CONFIG_PATH": str(own), "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
        "MLFLOW_AUTH_ADMIN_PASSWORD": password, "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-a-test",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }  # fmt: skip
    with serving(folder, ["--app-name", "basic-auth"], environment) as url:
        yield url


@contextlib.contextmanager
def serving(folder: Path, more: Sequence[str] = (), environment: dict[str, str] | None = None) -> Iterator[str]:
    """An MLflow server that keeps ``mlflow.db`` and artifacts in a folder; yields its URL.

    Args:
        folder: An own one.
        more: Further arguments.
        environment: Further variables.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination", str(folder / "artifacts"), "--serve-artifacts", "--port", str(port),
        "--workers", "1", *more,
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with (folder / "mlflow.log").open("wb") as log:
        # Its workers are processes of their own: all are ended as a group.
        variables = os.environ | (environment or {})
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True, env=variables)
    try:
        deadline = time.monotonic() + 120
        while not is_ok(f"{url}/health"):
            assert process.poll() is None, (folder / "mlflow.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the MLflow server did not start"
            time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
