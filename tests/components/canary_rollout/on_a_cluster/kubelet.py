"""A simulated kubelet: it runs pods as processes of this machine, each with an IP address of its own.

Like a kubelet it handles the storage initialiser, probes, restarts with a back-off, the end of a container's log in its
status, ``preStop``, SIGTERM and SIGKILL after the grace period. Everything else, from Deployment to pod and from pods
back to the Deployment's status, is done by the cluster's own controllers.
"""

from __future__ import annotations

import multiprocessing
import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import requests

from content_arena.components.canary_rollout.measuring.config import PROBE_TOKEN_VARIABLE
from tests.components.canary_rollout.on_a_cluster import container
from tests.components.canary_rollout.on_a_cluster.api import Api, Json
from tests.components.canary_rollout.on_a_cluster.service_under_test import PROBE_TOKEN
from tests.components.canary_rollout.on_a_cluster.storage import Storage

#: The pods name a scheduler that does not exist, so that no node runs them.
SCHEDULER = "none-but-the-tests"
INITIALIZER = "storage-initializer"
SERVER = "kserve-container"
STORAGE_VARIABLE = "STAND_IN_STORAGE_URI"
_PORT = 8080
_PROBE_SECONDS = 1.0
_BACK_OFF = 10.0
_LOG_TAIL = 2048


@dataclass
class _Container:
    """The state of one container."""

    restarts: int = 0
    waiting: Json | None = None
    last: Json | None = None
    since: str = ""
    retry_at: float = 0.0

    def failed(self, code: int, message: str, *, is_first: bool) -> None:
        now = _now()
        self.last = {"exitCode": code, "reason": "Error", "finishedAt": now, "startedAt": self.since or now}
        if message:
            self.last["message"] = message
        # The first restart comes at once.
        wait = 0.5 if is_first else min(300.0, _BACK_OFF * 2 ** (self.restarts - 1))
        self.waiting = {"reason": "CrashLoopBackOff", "message": f"back-off {wait:.0f}s restarting failed container"}
        self.retry_at = time.monotonic() + wait


@dataclass
class _Pod:
    spec: Json
    ip: str
    log: Path
    folder: Path | None = None
    initializer: _Container = field(default_factory=_Container)
    server: _Container = field(default_factory=_Container)
    process: multiprocessing.process.BaseProcess | None = None
    is_initialized: bool = False
    is_ready: bool = False
    misses: int = 0
    probe_at: float = 0.0
    published: Json = field(default_factory=dict)


@dataclass
class _Terminating:
    process: multiprocessing.process.BaseProcess
    term_at: float
    kill_at: float
    is_terminated: bool = False


class Kubelet:
    """Runs the pods of one namespace."""

    def __init__(self, namespace: str, storage: Storage, folder: Path) -> None:
        self._api, self._storage, self._folder = Api(namespace), storage, folder
        self._context = container.template()
        self._pods: dict[str, _Pod] = {}
        self._terminating: list[_Terminating] = []
        self._net = f"127.{random.randrange(64, 255)}.{random.randrange(256)}"
        self._next = 0
        self._session = requests.Session()
        self._session.trust_env = False

    def template(self, predictor: Json, runtime: Json, labels: Mapping[str, str]) -> Json:
        """Pods that no node runs; see :class:`~tests.components.canary_rollout.on_a_cluster.workloads.PodRunner`."""
        model = predictor["model"]
        (serving,) = runtime["spec"]["containers"]
        kept = ("name", "args", "ports", "readinessProbe", "lifecycle", "terminationMessagePolicy")
        serving = {key: serving[key] for key in kept if key in serving}
        # The runtime takes the token from a Secret, which a real kubelet would look up.
        known = {"name": PROBE_TOKEN_VARIABLE, "value": PROBE_TOKEN}
        serving |= {"image": "none", "env": [known, *(model.get("env") or [])]}
        first = {"name": INITIALIZER, "image": "none", "terminationMessagePolicy": "FallbackToLogsOnError"}
        first["env"] = [{"name": STORAGE_VARIABLE, "value": model.get("storageUri", "")}]
        spec = {
            "schedulerName": SCHEDULER,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": predictor.get("terminationGracePeriodSeconds", 30),
            "initContainers": [first],
            "containers": [serving],
        }
        return {"metadata": {"labels": dict(labels)}, "spec": spec}

    def reconcile_once(self) -> None:
        found = {pod["metadata"]["uid"]: pod for pod in self._api.list("pods", "component=predictor")}
        for uid in set(self._pods) - set(found):
            self._begin_termination(self._pods.pop(uid))
        for uid, pod in found.items():
            if pod["spec"].get("schedulerName") != SCHEDULER:
                continue
            if uid not in self._pods:
                self._pods[uid] = _Pod(pod["spec"], self._address(), self._folder / f"{pod['metadata']['name']}.log")
            self._update(self._pods[uid])
            self._publish_status(pod["metadata"]["name"], self._pods[uid])
        self._finish_terminations()

    def close(self) -> None:
        for pod in self._pods.values():
            if pod.process:
                pod.process.kill()
        for pod in self._terminating:
            pod.process.kill()

    def kill(self, name: str) -> None:
        """Kills the process of a pod, as a node that runs out of memory does."""
        for pod in self._pods.values():
            if pod.log.stem == name and pod.process:
                pod.process.kill()

    def _address(self) -> str:
        while True:
            self._next += 1
            address = f"{self._net}.{self._next}"
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((address, _PORT))
                except OSError:
                    continue
            return address

    def _update(self, pod: _Pod) -> None:
        now = time.monotonic()
        if not pod.is_initialized and now >= pod.initializer.retry_at:
            self._initialize(pod)
        if not pod.is_initialized:
            return
        if pod.process and not pod.process.is_alive():
            pod.process.join()
            code = pod.process.exitcode or 0
            pod.server.failed(128 - code if code < 0 else code, _message(pod), is_first=pod.server.restarts == 0)
            pod.process, pod.is_ready, pod.misses = None, False, 0
        if pod.process is None and now >= pod.server.retry_at:
            self._start(pod)
        if pod.process and now >= pod.probe_at:
            pod.probe_at = now + _PROBE_SECONDS
            answers = self._probe(pod)
            pod.misses = 0 if answers else pod.misses + 1
            pod.is_ready = answers or (pod.is_ready and pod.misses < 2)

    def _initialize(self, pod: _Pod) -> None:
        (first,) = pod.spec["initContainers"]
        address = _environment(first)[STORAGE_VARIABLE]
        pod.folder = self._storage.folder_of(address)
        if pod.folder is None:
            message = f"Failed to fetch model. No model found in {address}."
            # The log of KServe's initialiser is in its status: FallbackToLogsOnError.
            pod.initializer.restarts += pod.initializer.last is not None
            pod.initializer.failed(1, message, is_first=pod.initializer.last is None)
            return
        pod.initializer.waiting, pod.is_initialized = None, True

    def _start(self, pod: _Pod) -> None:
        assert pod.folder
        pod.server.restarts += pod.server.last is not None
        pod.server.waiting, pod.server.since = None, _now()
        serving = _serving(pod)
        arguments = [argument.replace("/mnt/models", str(pod.folder)) for argument in serving["args"]]
        arguments.append(f"--host={pod.ip}")
        pod.log.write_bytes(b"")
        fault = self._storage.fault_of(pod.folder)
        given = (arguments, _environment(serving), pod.log, fault)
        pod.process = self._context.Process(target=container.run, args=given, daemon=True)
        pod.process.start()

    def _probe(self, pod: _Pod) -> bool:
        path = _serving(pod)["readinessProbe"]["httpGet"]["path"]
        try:
            return self._session.get(f"http://{pod.ip}:{_PORT}{path}", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def _publish_status(self, name: str, pod: _Pod) -> None:
        status = _status(pod)
        if status != pod.published and self._api.merge("pods", name, {"status": status}, "status"):
            pod.published = status

    def _begin_termination(self, pod: _Pod) -> None:
        if pod.process is None:
            return
        hook = _serving(pod).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        now = time.monotonic()
        self._terminating.append(_Terminating(pod.process, now + hook, now + pod.spec["terminationGracePeriodSeconds"]))

    def _finish_terminations(self) -> None:
        now = time.monotonic()
        for pod in self._terminating:
            if now >= pod.term_at and not pod.is_terminated:
                pod.is_terminated = True
                pod.process.terminate()
            if now >= pod.kill_at:
                pod.process.kill()
        self._terminating = [pod for pod in self._terminating if pod.process.is_alive()]


def _serving(pod: _Pod) -> Json:
    (serving,) = (each for each in pod.spec["containers"] if each["name"] == SERVER)
    return serving


def _environment(given: Json) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in given.get("env") or []}


def _message(pod: _Pod) -> str:
    """The end of the container's log, if its spec requests it in the status."""
    if _serving(pod).get("terminationMessagePolicy") != "FallbackToLogsOnError":
        return ""
    return pod.log.read_text(errors="replace")[-_LOG_TAIL:]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _status(pod: _Pod) -> Json:
    """A pod's status as a kubelet writes it."""
    ready = {"Initialized": pod.is_initialized, "ContainersReady": pod.is_ready, "Ready": pod.is_ready}
    before = {item["type"]: item for item in pod.published.get("conditions", [])}
    conditions = []
    for name, holds in ready.items():
        same = before.get(name, {}).get("status") == str(holds)
        since = before[name]["lastTransitionTime"] if same else _now()
        conditions.append({"type": name, "status": str(holds), "lastTransitionTime": since})
    done = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    initializer = done if pod.is_initialized else _state(pod.initializer)
    serving = _state(pod.server) if pod.is_initialized else {"waiting": {"reason": "PodInitializing"}}
    return {
        "phase": "Running" if pod.is_initialized else "Pending",
        "podIP": pod.ip,
        "podIPs": [{"ip": pod.ip}],
        "conditions": conditions,
        "initContainerStatuses": [_container(INITIALIZER, pod.initializer, initializer, pod.is_initialized)],
        "containerStatuses": [_container(SERVER, pod.server, serving, pod.is_ready)],
    }


def _state(of: _Container) -> Json:
    if of.waiting:
        # The first failure is shown as such (Error, or Init:Error), later ones as CrashLoopBackOff.
        return {"waiting": of.waiting} if of.restarts else {"terminated": of.last}
    return {"running": {"startedAt": of.since}} if of.since else {"waiting": {"reason": "ContainerCreating"}}


def _container(name: str, of: _Container, state: Json, ready: bool) -> Json:
    found = {"name": name, "image": "none", "imageID": "", "ready": ready, "restartCount": of.restarts, "state": state}
    return found | ({"lastState": {"terminated": of.last}} if of.last else {})
