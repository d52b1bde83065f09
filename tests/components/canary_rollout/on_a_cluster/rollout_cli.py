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

from content_arena.components.canary_rollout.measuring.config import PROBE_TOKEN_VARIABLE
from tests.components.canary_rollout.on_a_cluster.service_under_test import PROBE_TOKEN, SERVICE, ServiceUnderTest
from tests.components.canary_rollout.on_a_cluster.tcp_proxy import TcpProxy
from tests.manifests.rendering import MANIFESTS, kubectl

_ROLE = MANIFESTS / "base/arena/access/rollout-role.yaml"
_ACCOUNT = "rollout"
#: The tiny model knows whole words only, so every misspelt one evades it. Only differences between versions matter.
EVADED = {"evasion": 1.0}
#: Wide limits, because there are few answers: 20 answers can show a rate below 20 %, and 40 texts a margin of 0.1.
LIMITS = EVADED | {
    "evasion_margin": 0.1, "benign_margin": 0.1, "f1_margin": 0.1, "slower": 20.0, "error_rate": 0.2,
    "error_margin": 0.2, "throttled_rate": 0.2, "flagged_margin": 0.6, "p95_seconds": 0.5, "p99_seconds": 2.5,
}  # fmt: skip
#: A short plan with every kind of step. 381 answers are the least that can show that at most 1 % are slow.
QUICK = {"plan": "0,50,100", "bake": 6, "warmup": 1, "min-requests": 381, "move-timeout": 60, "start-timeout": 90}


class RolloutCli:
    """Runs ``arena rollout`` for one installation."""

    def __init__(self, installation: ServiceUnderTest, corpus: Path) -> None:
        self.installation, self._corpus = installation, corpus
        self._log = installation.folder / "rollout.log"
        self._processes: list[Process] = []
        self.kubeconfig = str(installation.folder / "kubeconfig")
        self.api_proxy = self._connected()
        self._environment = os.environ | {
            "KUBECONFIG": self.kubeconfig,
            "ARENA_HOME": str(installation.folder / "home"),
            "COLUMNS": "200",
            PROBE_TOKEN_VARIABLE: PROBE_TOKEN,
        }

    def close(self) -> None:
        for process in self._processes:
            process.kill()
        self.api_proxy.close()

    def options(self, command: str, **given: Any) -> list[str]:
        """The command line; ``start`` has the quick plan unless ``given`` overrides it."""
        found: dict[str, Any] = {"service": SERVICE, "namespace": self.installation.namespace}
        if command in ("start", "resume"):
            found |= {"pod-access": "direct", "probe-corpus": self._corpus, "probe-texts": 40, "probe-budget": 1}
            found |= {"settle": 3, "interval": 0.5, "tracking-uri": self.installation.registry}
            found |= {"leave-when-held": True}
            found |= QUICK if command == "start" else {}
        if command in ("reconcile", "undo"):
            found |= {"settle": 3, "interval": 0.5, "tracking-uri": self.installation.registry}
        if command in ("start", "undo") and self.installation.kserve_version:
            found |= {"kserve-version": self.installation.kserve_version}
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
        self._processes.append(Process(self.options(command, **given), self._environment, self._log))
        return self._processes[-1]

    def run(self, command: str = "start", seconds: float = 600, **given: Any) -> Process:
        """Runs a command to its end."""
        process = self.begin(command, **given)
        process.wait(seconds)
        return process

    def state(self) -> dict[str, Any]:
        """The state as recorded; empty before there is one."""
        record = self.installation.api.get("configmaps", f"rollout-{SERVICE}")
        return json.loads(record["data"]["state"]) if record else {}

    def wait_for_phase(self, phase: str, step: int, process: Process, seconds: float = 240) -> None:
        """Waits until the rollout is in a phase of a step."""

        def is_reached() -> bool:
            state = self.state()
            return process.is_over or (state.get("phase"), state.get("step")) == (phase, step)

        self.installation.wait(is_reached, f"{phase} of step {step}", seconds)
        assert not process.is_over, self.output

    def wait_for_lease(self, process: Process) -> None:
        """Waits until a process holds the lease, or has ended."""

        def holds_lease() -> bool:
            lease = self.installation.api.get("leases", f"rollout-{SERVICE}") or {"spec": {}}
            return process.is_over or f"_{process.pid}_" in lease["spec"].get("holderIdentity", "")

        self.installation.wait(holds_lease, "the process holds the lease", 120)

    @property
    def output(self) -> str:
        """Standard output and error of all processes so far."""
        return self._log.read_text()

    def delete_lease(self) -> None:
        """Deletes the lease of a killed process, so that the next one need not wait 30 s until it expires."""
        self.installation.api.delete("leases", f"rollout-{SERVICE}")

    def delete_role_binding(self) -> None:
        kubectl("delete", "rolebinding", _ACCOUNT, f"--namespace={self.installation.namespace}")

    def _connected(self) -> TcpProxy:
        """Writes a kubeconfig for the Role's account that connects through a proxy."""
        namespace = self.installation.namespace
        kubectl("create", "serviceaccount", _ACCOUNT, f"--namespace={namespace}")
        kubectl("apply", f"--namespace={namespace}", f"--filename={_ROLE}")
        kubectl("create", "rolebinding", _ACCOUNT, "--role=arena-rollout", f"--serviceaccount={namespace}:{_ACCOUNT}",
                f"--namespace={namespace}")  # fmt: skip
        token = kubectl("create", "token", _ACCOUNT, f"--namespace={namespace}", "--duration=4h").strip()
        settings = yaml.safe_load(kubectl("config", "view", "--raw", "--flatten", "--minify"))
        cluster = settings["clusters"][0]["cluster"]
        server = urlsplit(cluster["server"])
        proxy = TcpProxy(str(server.hostname), server.port or 443)
        cluster |= {"server": f"https://127.0.0.1:{proxy.port}", "tls-server-name": server.hostname}
        settings["users"][0]["user"] = {"token": token}
        Path(self.kubeconfig).write_text(yaml.safe_dump(settings))
        return proxy


class Process:
    """One process of ``arena rollout``."""

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
        """Sends SIGKILL and waits for the end."""
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
