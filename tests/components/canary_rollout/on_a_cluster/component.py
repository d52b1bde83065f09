"""``arena rollout`` as a process of its own, with the rights of its Role and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.components.canary_rollout.on_a_cluster.installation import SERVICE, Installation
from tests.components.canary_rollout.on_a_cluster.wire import Wire
from tests.manifests.rendering import MANIFESTS, kubectl

_ROLE = MANIFESTS / "base/arena/access/rollout-role.yaml"
_ACCOUNT = "rollout"
#: The tiny model reads whole words, so that every misspelt one evades it: only differences are of interest.
EVADED = {"evasion": 1.0}
#: Few answers have to do: a rate of 20 % can be told from nothing by some twenty, a margin of 0.1 by 40 texts.
LIMITS = EVADED | {
    "evasion_margin": 0.1, "benign_margin": 0.1, "f1_margin": 0.1, "slower": 20.0, "error_rate": 0.2,
    "error_margin": 0.2, "throttled_rate": 0.2, "flagged_margin": 0.6, "p95_seconds": 0.5, "p99_seconds": 2.5,
}  # fmt: skip
#: Short, but with something of every step; that no more than 1 % is slow can be told from 381 answers on.
QUICK = {"plan": "0,50,100", "bake": 6, "warmup": 1, "min-requests": 381, "move-timeout": 60, "start-timeout": 90}


class Component:
    """Runs ``arena rollout`` for one installation, one process at a time."""

    def __init__(self, installation: Installation, corpus: Path) -> None:
        self.installation, self._corpus = installation, corpus
        self._log = installation.folder / "component.log"
        self._begun: list[Process] = []
        self.kubeconfig = str(installation.folder / "kubeconfig")
        self.wire = self._connected()
        self._environment = os.environ | {
            "KUBECONFIG": self.kubeconfig,
            "ARENA_HOME": str(installation.folder / "home"),
            "COLUMNS": "200",
        }

    def close(self) -> None:
        for process in self._begun:
            process.kill()
        self.wire.close()

    def options(self, command: str, **given: Any) -> list[str]:
        """The command line; ``start`` gets the quick plan unless told otherwise."""
        found: dict[str, Any] = {"service": SERVICE, "namespace": self.installation.namespace}
        if command in ("start", "resume"):
            found |= {"pod-access": "direct", "probe-corpus": self._corpus, "probe-texts": 40, "probe-budget": 1}
            found |= {"settle": 3, "interval": 0.5, "tracking-uri": self.installation.registry}
            found |= {"leave-when-held": True}
            found |= QUICK if command == "start" else {}
        if command == "reconcile":
            found |= {"settle": 3, "interval": 0.5, "tracking-uri": self.installation.registry}
        limits = ({} if given.pop("usual_limits", False) else LIMITS) | given.pop("limits", {})
        found |= {name.replace("_", "-"): value for name, value in given.items()}
        line = [str(Path(sys.executable).with_name("arena")), "rollout", command]
        for name, value in found.items():
            line += [f"--{name}"] * (value is True) if isinstance(value, bool) else [f"--{name}", str(value)]
        if command in ("start", "resume"):
            for name, value in limits.items():
                line += ["--limit", f"{name}={value}"]
        return line

    def begin(self, command: str = "start", **given: Any) -> Process:
        self._begun.append(Process(self.options(command, **given), self._environment, self._log))
        return self._begun[-1]

    def run(self, command: str = "start", seconds: float = 600, **given: Any) -> Process:
        """To its end."""
        process = self.begin(command, **given)
        process.wait(seconds)
        return process

    def state(self) -> dict[str, Any]:
        """As recorded on the service; empty before there is one."""
        annotations = self.installation.service()["metadata"].get("annotations", {})
        return json.loads(annotations.get("content-arena/rollout", "{}"))

    def reaches(self, phase: str, step: int, process: Process, seconds: float = 240) -> None:
        """Waits until a rollout is there."""

        def is_there() -> bool:
            state = self.state()
            return process.is_over or (state.get("phase"), state.get("step")) == (phase, step)

        self.installation.wait(is_there, f"{phase} of step {step}", seconds)
        assert not process.is_over, self.said

    def carries(self, process: Process) -> None:
        """Waits until a process holds the lease, or is over."""

        def is_so() -> bool:
            lease = self.installation.api.get("leases", f"rollout-{SERVICE}") or {"spec": {}}
            return process.is_over or f"_{process.pid}_" in lease["spec"].get("holderIdentity", "")

        self.installation.wait(is_so, "the process holds the lease", 120)

    @property
    def said(self) -> str:
        """What all its processes said so far."""
        return self._log.read_text()

    def forget_the_dead(self) -> None:
        """Takes a dead process's lease away, as a person may who knows that it is dead; else it takes 30 s."""
        self.installation.api.delete("leases", f"rollout-{SERVICE}")

    def take_rights_away(self) -> None:
        kubectl("delete", "rolebinding", _ACCOUNT, f"--namespace={self.installation.namespace}")

    def _connected(self) -> Wire:
        """Writes a kubeconfig that reaches the API server by a wire, as the Role's account."""
        namespace = self.installation.namespace
        kubectl("create", "serviceaccount", _ACCOUNT, f"--namespace={namespace}")
        kubectl("apply", f"--namespace={namespace}", f"--filename={_ROLE}")
        kubectl("create", "rolebinding", _ACCOUNT, "--role=arena-rollout", f"--serviceaccount={namespace}:{_ACCOUNT}",
                f"--namespace={namespace}")  # fmt: skip
        token = kubectl("create", "token", _ACCOUNT, f"--namespace={namespace}", "--duration=4h").strip()
        settings = yaml.safe_load(kubectl("config", "view", "--raw", "--flatten", "--minify"))
        cluster = settings["clusters"][0]["cluster"]
        server = urlsplit(cluster["server"])
        wire = Wire(str(server.hostname), server.port or 443)
        cluster |= {"server": f"https://127.0.0.1:{wire.port}", "tls-server-name": server.hostname}
        settings["users"][0]["user"] = {"token": token}
        Path(self.kubeconfig).write_text(yaml.safe_dump(settings))
        return wire


class Process:
    """One process of the component."""

    def __init__(self, line: list[str], environment: dict[str, str], log: Path) -> None:
        self._log = log
        self.began = time.monotonic()
        with log.open("ab") as file:
            self._process = subprocess.Popen(line, stdout=file, stderr=file, env=environment)

    def wait(self, seconds: float = 600) -> int:
        """Its exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not over within {seconds:g} s:\n{self._log.read_text()[-3000:]}") from None

    def kill(self) -> None:
        """With signal 9."""
        self._process.kill()
        self._process.wait(30)

    def terminate(self) -> None:
        self._process.terminate()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    @property
    def code(self) -> int:
        return self._process.wait(0)
