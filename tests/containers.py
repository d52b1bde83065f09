"""Containers of the project's images, run as a pod of ours is: not root, a read-only root, no capabilities."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException, ImageNotFound
from docker.models.containers import Container

from tests.conftest import is_ok

ROOT = Path(__file__).parents[1]
#: The files that an image is built from.
_SOURCES = ("components", "pipelines", "images", "setup.cfg", "constraints.txt", "pyproject.toml")


def require(image: str) -> str:
    """The image, if it is on this machine and holds the present code; otherwise the test is skipped.

    Nothing is built here: that takes minutes, and an index.
    """
    try:
        labels = docker.from_env().images.get(image).labels
    except ImageNotFound:
        pytest.skip(f"needs the image {image}: `make images` builds it")
    except DockerException:
        pytest.skip("needs a Docker engine that answers, and the images of `make images`")
    revision = labels.get("org.opencontainers.image.revision", "unknown")
    same = subprocess.run(["git", "diff", "--quiet", revision, "--", *_SOURCES], cwd=ROOT, capture_output=True)
    if same.returncode:
        pytest.skip(f"needs {image} of the present code, it was built from {revision[:12]}: `make images` builds it")
    return image


@contextlib.contextmanager
def started(image: str, **options) -> Iterator[Container]:
    """A container in the background, gone afterwards.

    Args:
        image: Its image.
        options: Of ``docker.containers.run``, over what is restricted here.
    """
    restricted = {
        "user": "12345:12345",
        "read_only": True,
        "tmpfs": {"/tmp": "mode=1777"},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        # Servers of these tests listen on this machine's loopback.
        "network_mode": "host",
    }
    client = docker.from_env(timeout=600)
    container = client.containers.run(image, detach=True, **restricted | options)
    try:
        yield container
    finally:
        container.remove(force=True, v=True)
        client.close()


def finished(image: str, **options) -> tuple[int, str]:
    """Runs a container to its end: exit code, and what it wrote."""
    with started(image, **options) as container:
        code = container.wait(timeout=900)["StatusCode"]
        return code, container.logs().decode(errors="replace")


def answers(container: Container, url: str, seconds: float = 90) -> None:
    """Waits until the container answers a URL with success.

    Raises:
        AssertionError: It ended or never did; the message is what it wrote.
    """
    _await(lambda: is_ok(url), container, seconds)


def _await(holds: Callable[[], bool], container: Container, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        container.reload()
        assert container.status == "running", container.logs().decode(errors="replace")
        assert time.monotonic() < deadline, container.logs().decode(errors="replace")
        time.sleep(0.2)
