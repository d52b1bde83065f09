"""Ways from this machine to what is in the cluster."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator


@contextlib.contextmanager
def forwarded(target: str, port: int, namespace: str) -> Iterator[str]:
    """A URL on this machine that leads to a Service."""
    command = ["kubectl", "port-forward", target, f":{port}", f"--namespace={namespace}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert found, line + process.stdout.read()
        yield f"http://127.0.0.1:{found[1]}"
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
