"""A real PostgreSQL server with an empty database, for the tests of what the manifests run on one."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.ports import free_ports

_PASSWORD = "p'w d\\$x"


def programs() -> Path:
    """The folder of PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    return found[-1].parent


@contextlib.contextmanager
def running(options: Sequence[str] = (), certificate: Path | None = None) -> Iterator[dict[str, str]]:
    """A server with an empty database mlflow; yields the environment that names it as the manifests do.

    Args:
        options: Further options, ``NAME=VALUE``; ``{folder}`` stands for the server's own folder.
        certificate: Without its ending, the path of a certificate (.crt) and a key (.key): copied to tls.crt and
            tls.key in the server's folder.
    """
    # pytest's own folders are closed to other users, and the server refuses to run as root.
    folder, owner = Path(tempfile.mkdtemp(prefix="postgresql-")), pwd.getpwuid(os.geteuid())
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        shutil.chown(folder, owner.pw_uid, owner.pw_gid)
    (folder / "password").write_text(_PASSWORD)
    (folder / "password").chmod(0o644)
    for ending in (".crt", ".key") if certificate else ():
        copy = shutil.copy(f"{certificate}{ending}", folder / f"tls{ending}")
        Path(copy).chmod(0o600)
        shutil.chown(copy, owner.pw_uid, owner.pw_gid)
    (port,) = free_ports(1)

    def run(program: str, *arguments: object) -> None:
        command = [str(programs() / program), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, user=owner.pw_uid, group=owner.pw_gid
        )
        assert done.returncode == 0, done.stderr

    own = ["listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", *options]
    given = " ".join(f"-c {option.format(folder=folder)}" for option in own)
    data = folder / "data"
    run("initdb", f"--pgdata={data}", "--username=mlflow", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256")
    # Its output would keep this test's pipe open.
    run("pg_ctl", f"--pgdata={data}", "--wait", f"--log={folder / 'log'}", f"--options=-p {port} {given}", "start")
    environment = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGDATABASE": "mlflow"}
    environment |= {"PGUSER": "mlflow", "PGPASSWORD": _PASSWORD}
    try:
        psql(environment | {"PGDATABASE": "postgres"}, "create database mlflow")
        yield environment
    finally:
        run("pg_ctl", f"--pgdata={data}", "--mode=immediate", "stop")
        shutil.rmtree(folder)


def psql(environment: dict[str, str], statement: str) -> None:
    """Runs a statement."""
    subprocess.run(["psql", "--quiet", "--command", statement], env=os.environ | environment, check=True)
