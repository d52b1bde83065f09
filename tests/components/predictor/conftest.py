"""A real server in a process of its own, on a free port."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

MODULE = "content_arena.components.predictor.server"
#: Environment of a server that knows a rollout's probes.
PROBE_TOKEN = "token-of-the-probes"
KNOWS_PROBES = {"CONTENT_ARENA_PROBE_TOKEN": PROBE_TOKEN}
SLOW = "tests.components.predictor.slow_server"
_SERVING = re.compile(r"serving content-filter .* on http://\S+:(\d+)")


@dataclass
class Server:
    """A running server: its base URL, process, and what it has written to stdout and stderr so far."""

    process: subprocess.Popen
    port: int = 0
    lines: list[str] = field(default_factory=list)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self):
        return "".join(self.lines)

    def predict(self, **request):
        return requests.post(f"{self.url}/v1/models/content-filter:predict", timeout=30, **request)

    def infer(self, **request):
        return requests.post(f"{self.url}/v2/models/content-filter/infer", timeout=30, **request)

    def metrics(self):
        """Samples by name and sorted labels, like ``name{a="1",b="2"}``."""
        samples = {}
        for line in requests.get(f"{self.url}/metrics", timeout=30).text.splitlines():
            if line.startswith("content_arena"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples


def start(bundle: Path, *arguments: str, module: str = MODULE, environment: dict[str, str] | None = None) -> Server:
    """Starts a server and waits until it logs that it serves, and answers."""
    command = [sys.executable, "-m", module, "--model_dir", str(bundle), "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment() | (environment or {}),
    )
    server = Server(process)
    serving = threading.Event()

    def read():
        for line in process.stdout:
            server.lines.append(line)
            if found := _SERVING.search(line):
                server.port = int(found[1])
            if server.port and "Application startup complete" in line:
                serving.set()
        serving.set()

    threading.Thread(target=read, daemon=True).start()
    assert serving.wait(200), server.log
    assert process.poll() is None, server.log
    # uvicorn logs the line shortly before it listens.
    with requests.Session() as session:
        retry = requests.adapters.Retry(20, backoff_factor=0.05)
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
        assert session.get(f"{server.url}/v2/health/ready", timeout=5).ok
    return server


def clean_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("CONTENT_ARENA")}


@contextlib.contextmanager
def running(bundle: Path, *arguments: str, module: str = MODULE, environment: dict[str, str] | None = None):
    server = start(bundle, *arguments, module=module, environment=environment)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait(10)


@pytest.fixture(scope="session")
def server(tiny_bundle):
    with running(tiny_bundle.path, "--model_version", "7", "--model_alias", "champion") as server:
        yield server


@pytest.fixture(scope="session")
def slow_server(tiny_bundle):
    with running(tiny_bundle.path, "--model_version", "7", module=SLOW) as server:
        yield server
