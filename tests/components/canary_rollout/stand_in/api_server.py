"""A simulated API server around a simulated cluster, with pods, Leases, Events, and failures on request."""

from __future__ import annotations

import copy
from typing import Any

from content_arena.components.canary_rollout.kube.client import AwayError, ConflictError, Json


class Killed(BaseException):
    """The process was killed. Nothing catches this."""


class ApiServer:
    """Implements RolloutClient. Counts writes, and kills the process at write number ``kill_at``.

    ``is_written``: whether that write is still stored. ``refusals`` are errors that the next writes of the service
    raise, in order.
    """

    def __init__(self, world: Any, *, kill_at: int | None = None, is_written: bool = False) -> None:
        self.world, self.kill_at, self.is_written = world, kill_at, is_written
        self.writes, self.away_until = 0, 0
        self.events: list[Json] = []
        self.leases: dict[str, Json] = {}
        self.crashed: list[Json] = []
        self.refusals: list[Exception] = []

    def service(self, name: str) -> Json:
        self._answer()
        return self.world.service(name)

    def route(self, name: str) -> Json | None:
        self._answer()
        return self.world.route(name)

    def ready_pods(self, service: str) -> dict[str, int]:
        self._answer()
        return self.world.ready_pods(service)

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
        dies = self.writes == self.kill_at
        self.writes += 1
        if dies and not self.is_written:
            raise Killed
        written = self.world.patch_service(name, body, resource_version)
        if dies:
            raise Killed
        return written

    def create_event(self, body: Json) -> None:
        self._answer()
        self.events.append(body)

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

    def annotate(self, **values: str | None) -> None:
        """Annotates the service as a person does with kubectl: ``approve``, ``abort``."""
        named = {f"content-arena/{name}": value for name, value in values.items()}
        self.world.stored.patch({"metadata": {"annotations": named}})

    def _answer(self) -> None:
        if self.world.now < self.away_until:
            raise AwayError("the API server does not answer")
