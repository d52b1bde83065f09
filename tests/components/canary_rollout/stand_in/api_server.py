"""A simulated API server around a simulated cluster, with pods, Leases, Events, and failures on request."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from content_arena.components.canary_rollout.kube.client import AwayError, ClusterError, ConflictError, Json
from tests.components.canary_rollout.stand_in.objects import Stored

RECORD = "rollout-filter"


class Killed(BaseException):
    """The process was killed. Nothing catches this."""


class ApiServer:
    """Implements RolloutClient. Counts writes, of the service or its record, and kills the process at ``kill_at``.

    ``is_written``: whether that write is still stored. If not, ``arrive`` delivers it later: the request was on its way
    when the process was killed. ``refusals`` are errors that the next writes of the service
    raise, in order.
    """

    def __init__(self, world: Any, *, kill_at: int | None = None, is_written: bool = False) -> None:
        self.world, self.kill_at, self.is_written = world, kill_at, is_written
        self.writes, self.away_until = 0, 0
        self._late: Callable[[], Json] | None = None
        self.runtimes = {"namespace": ["content-arena", "next"], "cluster": ["kserve-sklearnserver"]}
        self.events: list[Json] = []
        self.leases: dict[str, Json] = {}
        self.config_maps: dict[str, Stored] = {}
        self.crashed: list[Json] = []
        self.refusals: list[Exception] = []
        #: Image of KServe's storage initialiser, which tells its version; None if its configuration can not be read.
        self.storage_initializer: str | None = "kserve/storage-initializer:v0.21.0"

    def service(self, name: str) -> Json:
        self._answer()
        return self.world.service(name)

    def route(self, name: str) -> Json | None:
        self._answer()
        return self.world.route(name)

    def ready_pods(self, service: str) -> dict[str, int]:
        self._answer()
        return self.world.ready_pods(service)

    def serving_runtimes(self, *, of_cluster: bool = False) -> list[str]:
        self._answer()
        return list(self.runtimes["cluster" if of_cluster else "namespace"])

    def autoscalers(self, service: str) -> dict[str, str]:
        self._answer()
        return {name: name for name in sorted(self.world.hpas)}

    def delete_autoscaler(self, name: str) -> None:
        self._answer()
        self.world.hpas.discard(name)

    def pods(self, labels: str) -> list[Json]:
        self._answer()
        return self.crashed

    def previous_logs(self, pod: str, container: str) -> str:
        return "OSError: the bundle is torn"

    def patch_service(self, name: str, body: Json, resource_version: str, *, dry_run: bool = False) -> Json:
        self._answer()
        if dry_run:
            return self.world.patch_service(name, body, resource_version, dry_run=True)
        if self.refusals:
            raise self.refusals.pop(0)
        return self._written(lambda: self.world.patch_service(name, body, resource_version))

    def config_map(self, name: str, namespace: str | None = None) -> Json | None:
        self._answer()
        if namespace == "kserve":
            return self._kserve_config()
        found = self.config_maps.get(name)
        return found.read() if found else None

    def create_config_map(self, body: Json) -> Json:
        self._answer()
        name = body["metadata"]["name"]

        def store() -> Json:
            if name in self.config_maps:
                raise ConflictError(f'configmaps "{name}" already exists')
            self.config_maps[name] = Stored(body)
            return self.config_maps[name].read()

        return self._written(store)

    def patch_config_map(self, name: str, body: Json, resource_version: str) -> Json:
        self._answer()
        return self._written(lambda: self.config_maps[name].patch(body, resource_version))

    def create_event(self, body: Json) -> None:
        self._answer()
        self.events.append(body)

    def user(self) -> str:
        self._answer()
        return "alice@example.com"

    def lease(self, name: str) -> Json | None:
        self._answer()
        return copy.deepcopy(self.leases.get(name))

    def write_lease(self, body: Json) -> Json:
        self._answer()
        name = body["metadata"]["name"]
        before = self.leases.get(name, {"metadata": {}})["metadata"].get("resourceVersion")
        if body["metadata"].get("resourceVersion") != before:
            raise ConflictError("the object has been modified")
        metadata = body["metadata"] | {"resourceVersion": str(int(before or 0) + 1)}
        self.leases[name] = copy.deepcopy(body | {"metadata": metadata})
        return copy.deepcopy(self.leases[name])

    def arrive(self) -> bool:
        """Delivers the write of the killed process; whether it was stored."""
        late, self._late = self._late, None
        try:
            return late is not None and bool(late())
        except ConflictError:
            return False

    def annotate(self, **values: str | None) -> None:
        """Annotates the record as a person does with kubectl: ``approve``, ``abort``."""
        named = {f"content-arena/{name}": value for name, value in values.items()}
        self.config_maps[RECORD].patch({"metadata": {"annotations": named}})

    def store_state(self, text: str | None) -> None:
        """Overwrites the recorded state as a person does; None removes it."""
        if RECORD not in self.config_maps:
            owner = {
                "kind": "InferenceService",
                "name": "filter",
                "uid": self.world.service("filter")["metadata"]["uid"],
            }
            self.config_maps[RECORD] = Stored({"metadata": {"name": RECORD, "ownerReferences": [owner]}})
        self.config_maps[RECORD].patch({"data": {"state": text}})

    @property
    def requests(self) -> Json:
        """Annotations of the record."""
        found = self.config_maps.get(RECORD)
        return found.value["metadata"].get("annotations") or {} if found else {}

    def _kserve_config(self) -> Json:
        if self.storage_initializer is None:
            raise ClusterError('configmaps "inferenceservice-config" is forbidden: User "me" cannot get resource')
        return {"data": {"storageInitializer": json.dumps({"image": self.storage_initializer})}}

    def _written(self, write: Callable[[], Json]) -> Json:
        dies = self.writes == self.kill_at
        self.writes += 1
        if dies and not self.is_written:
            self._late = write
            raise Killed
        written = write()
        if dies:
            raise Killed
        return written

    def _answer(self) -> None:
        if self.world.now < self.away_until:
            raise AwayError("the API server does not answer")
