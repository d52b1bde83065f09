"""The part of Kubeflow Pipelines' launcher, played by hand: runs a task of a compiled pipeline in a container.

As the launcher of release 2.17 (backend/src/v2/component there) it copies input artifacts to where the task's code
looks for them, fills ``{{$}}`` in the command, and collects what the executor left. The container gets the pod's user,
environment, secrets, claims and limits, and less than a pod's file system: here the root is read-only, too.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from docker.types import Mount

from tests import containers
from tests.pipelines.backend.driver import Json, Task, TaskFailedError, Values

_BUCKET = "minio://"
_OUTPUT_FILE = "/tmp/kfp_outputs/output_metadata.json"
#: What a pod of the backend may write to beside /tmp and the artifacts.
_SCRATCH = ("/.local", "/.cache", "/.config")
_BYTES = {"Mi": 2**20, "Gi": 2**30}


class Launcher:
    """Runs tasks one after the other; artifacts are kept in a folder that stands for the object storage."""

    def __init__(self, folder: Path, secrets: dict[str, dict[str, str]]) -> None:
        """Keeps everything in a folder.

        Args:
            folder: Holds the object storage, the claims and the scratch space of every task.
            secrets: Keys and values by name of the Secret.
        """
        self._folder, self._secrets = folder, secrets
        self.launched: list[Task] = []
        self.logs: dict[str, str] = {}

    def __call__(self, task: Task) -> Values:
        """Runs a task.

        Raises:
            TaskFailedError: Exit code, and what the container wrote.
        """
        self.launched.append(task)
        executor_input = _executor_input(task)
        scratch = self._folder / f"{len(self.launched)}-{task.name}"
        tmp, minio = (_writable_by_all(scratch / name) for name in ("tmp", "minio"))
        for artifacts in task.inputs.artifacts.values():
            for artifact in artifacts:
                _copy(self._stored(artifact["uri"]), minio / artifact["uri"].removeprefix(_BUCKET))
        _open(minio)
        container, settings = task.container, task.settings
        given = json.dumps(executor_input, ensure_ascii=False)
        code, log = containers.finished(
            container["image"],
            entrypoint=[part.replace("{{$}}", given) for part in container["command"]],
            command=[part.replace("{{$}}", given) for part in container["args"]],
            environment=self._environment(container, settings),
            user=_user(settings["securityContext"]),
            tmpfs=dict.fromkeys(_SCRATCH, "mode=1777"),
            mounts=[
                Mount("/tmp", str(tmp), type="bind"),
                Mount("/minio", str(minio), type="bind"),
                *(self._claim(mount) for mount in settings.get("pvcMount", [])),
            ],
            mem_limit=_bytes(container["resources"]["resourceMemoryLimit"]),
            nano_cpus=int(min(float(container["resources"]["resourceCpuLimit"]), os.cpu_count() or 1) * 1e9),
        )
        self.logs[task.name] = log
        self._make_readable(container["image"], scratch)
        if code:
            raise TaskFailedError(f"{task.name} ended with exit code {code}:\n{log[-4000:]}")
        return self._collect(task, executor_input, tmp, minio)

    def _environment(self, container: Json, settings: Json) -> dict[str, str]:
        environment = {one["name"]: one["value"] for one in container.get("env", [])}
        for secret in settings.get("secretAsEnv", []):
            values = self._secrets.get(secret["secretNameParameter"]["runtimeValue"]["constant"])
            if values is None:
                assert secret["optional"], secret
                continue
            environment |= {one["envVar"]: values[one["secretKey"]] for one in secret["keyToEnv"]}
        return environment

    def _claim(self, mount: Json) -> Mount:
        name = mount["pvcNameParameter"]["runtimeValue"]["constant"]
        return Mount(mount["mountPath"], str(_writable_by_all(self._folder / "claims" / name)), type="bind")

    def _make_readable(self, image: str, scratch: Path) -> None:
        """Makes files of the pod's user writable for all: the tests run as another user, and have to clean up."""
        code, log = containers.finished(
            image, entrypoint=["chmod", "-R", "a+rwX", "/scratch"], user="0:0", cap_drop=[],
            mounts=[Mount("/scratch", str(scratch), type="bind")],
        )  # fmt: skip
        assert code == 0, log

    def _collect(self, task: Task, executor_input: Json, tmp: Path, minio: Path) -> Values:
        """What the executor left: parameters by its output file, artifacts uploaded, their metadata merged."""
        written = (tmp / _OUTPUT_FILE.removeprefix("/tmp/")).read_text(encoding="utf-8")
        output = json.loads(written, parse_constant=_refuse)
        outputs = Values(parameters=output.get("parameterValues", {}))
        missing = executor_input["outputs"]["parameters"].keys() - outputs.parameters.keys()
        assert not missing, f"{task.name} left no {missing}"
        for name, artifacts in executor_input["outputs"]["artifacts"].items():
            (artifact,) = artifacts["artifacts"]
            left = output.get("artifacts", {}).get(name, {}).get("artifacts", [{}])[0]
            outputs.artifacts[name] = [artifact | {"metadata": left.get("metadata", {})}]
            local = minio / artifact["uri"].removeprefix(_BUCKET)
            # The backend lets a task leave an artifact out, and a metric is metadata alone.
            if local.exists():
                _copy(local, self._stored(artifact["uri"]))
        return outputs

    def _stored(self, uri: str) -> Path:
        return self._folder / "storage" / uri.removeprefix(_BUCKET)


def _executor_input(task: Task) -> Json:
    """What the driver hands to the launcher, with the defaults that the launcher adds."""
    definitions: dict[str, Any] = task.component.get("inputDefinitions", {}).get("parameters", {})
    defaults = {name: one["defaultValue"] for name, one in definitions.items() if "defaultValue" in one}
    outputs = task.component.get("outputDefinitions", {})
    root = f"{_BUCKET}mlpipeline/v2/artifacts/{task.pipeline}/{task.run_id}/{task.name}/{uuid.uuid4()}"
    return {
        "inputs": {
            "parameterValues": {
                name: int(value) if isinstance(value, float) and value.is_integer() else value
                for name, value in (defaults | task.inputs.parameters).items()
            },
            "artifacts": {name: {"artifacts": artifacts} for name, artifacts in task.inputs.artifacts.items()},
        },
        "outputs": {
            "parameters": {name: {"outputFile": f"/tmp/kfp/outputs/{name}"} for name in outputs.get("parameters", {})},
            "artifacts": {
                name: {"artifacts": [{"name": name, "type": one["artifactType"], "uri": f"{root}/{name}"}]}
                for name, one in outputs.get("artifacts", {}).items()
            },
            "outputFile": _OUTPUT_FILE,
        },
    }


def _refuse(constant: str) -> None:
    raise AssertionError(f"the launcher's JSON parser knows no {constant}")


def _user(security_context: Json) -> str:
    assert security_context["runAsNonRoot"]
    return f"{security_context['runAsUser']}:{security_context['runAsGroup']}"


def _bytes(quantity: str) -> int:
    return int(quantity[:-2]) * _BYTES[quantity[-2:]]


def _writable_by_all(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    return folder


def _open(folder: Path) -> None:
    """What the launcher itself made belongs to the pod's user."""
    for path in folder.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o644)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
