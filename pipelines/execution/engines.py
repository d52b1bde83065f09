"""What runs the tasks of a pipeline on this machine: processes of this Python, or containers of the component image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from content_arena.components.attack_generation.settings import VICTIM_VARIABLES
from content_arena.components.shared.chat import LLM_VARIABLES
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.home import KEY_VARIABLE
from content_arena.pipelines.execution.home import MLFLOW_FOR_PEOPLE, ArenaHome

if TYPE_CHECKING:
    from kfp import local

    Engine: TypeAlias = local.SubprocessRunner | local.DockerRunner

#: Environment of every stage: unbuffered lines, no chatter from libraries, no minutes of silence, and no thread that
#: spins while it waits for another, which takes the CPU from other programs and, in a container, from its own quota.
STAGE_VARIABLES = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONWARNINGS": "ignore",
    "TOKENIZERS_PARALLELISM": "true",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "OMP_WAIT_POLICY": "PASSIVE",
    **MLFLOW_FOR_PEOPLE,
}
#: Credentials and keys; stages that are processes have them as they are. A command's list of arguments would show them.
_PASSED_ON = (
    "HF_TOKEN",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "S3_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "CONTENT_ARENA_DATA_USER",
    "CONTENT_ARENA_DATA_PASSWORD",
    KEY_VARIABLE,
    *VICTIM_VARIABLES,
    *LLM_VARIABLES,
    *STAGE_VARIABLES,
)


def subprocesses() -> Engine:
    """Runs every task as a process of this Python."""
    from kfp import local

    return local.SubprocessRunner(use_venv=False)


def containers(home: ArenaHome, image: str, folders: Sequence[Path]) -> Engine:
    """Runs every task as a container of the component image.

    The container is this machine's user and sees the arena's home, the registry's database and the given folders, under
    the same paths. It is as restricted as a pod: a read-only root, no capabilities, no new privileges.

    Args:
        home: Mounted writable, as is the folder of a database that MLFLOW_TRACKING_URI names.
        image: Has to be on this machine; nothing is pulled.
        folders: Mounted read-only.

    Raises:
        InputError: No Docker engine answers, or it has no such image.
    """
    import docker
    from kfp import local

    _require_image(image)
    mounts = []
    for folder in home.shared_folders:
        folder.mkdir(parents=True, exist_ok=True)
        mounts.append(docker.types.Mount(str(folder), str(folder), type="bind"))
    mounts += [
        docker.types.Mount(str(folder), str(folder), type="bind", read_only=True)
        for folder in dict.fromkeys(folder.absolute() for folder in folders)
    ]
    environment = {
        "ARENA_HOME": str(home.path),
        **STAGE_VARIABLES,
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
    }
    return local.DockerRunner(
        user=f"{os.getuid()}:{os.getgid()}",
        read_only=True,
        tmpfs={"/tmp": "mode=1777"},  # noqa: S108
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        # MLflow may listen on this machine's loopback.
        network_mode="host",
        mounts=mounts,
        environment=environment,
    )


def _require_image(image: str) -> None:
    import docker
    from docker.errors import DockerException, ImageNotFound

    try:
        client = docker.from_env()
        client.images.get(image)
        client.close()
    except ImageNotFound as error:
        raise InputError(f"Docker has no image {image}: `make images` builds it") from error
    except DockerException as error:
        raise InputError(f"no Docker engine answers ({error}): start one, or use --runner subprocess") from error
