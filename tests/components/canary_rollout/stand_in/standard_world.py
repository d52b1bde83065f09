"""A simulated cluster in Standard mode, one tick a second, that counts lost requests."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from content_arena.components.canary_rollout.kube.client import Json
from tests.components.canary_rollout.stand_in import standard
from tests.components.canary_rollout.stand_in.objects import Stored

#: Seconds.
_METRICS_LAG, _DOWNSCALE_WINDOW = 30, 300
#: The ClusterStorageContainer whose init container Pod Security's profile ``restricted`` admits, unlike KServe's own.
STORAGE_CONTAINER = "content-arena"


@dataclass
class _Pod:
    template: str
    age: int = 0
    #: Whether a node has room for it.
    runs: bool = False


def service(min_replicas: int = 2, name: str = "v1") -> Json:
    env = [{"name": "OTHER", "value": "kept"}, {"name": "CONTENT_ARENA_MODEL_VERSION", "value": "1"}]
    model = {"modelFormat": {"name": "content-arena"}, "runtime": "content-arena",
             "storageUri": "s3://models/content-filter/1", "env": env}  # fmt: skip
    predictor = {"name": name, "minReplicas": min_replicas, "maxReplicas": 6, "model": model,
                 "storageContainerName": STORAGE_CONTAINER}  # fmt: skip
    metadata = {"name": "filter", "annotations": {"serving.kserve.io/deploymentMode": "Standard"}}
    return {"metadata": metadata, "spec": {"predictor": predictor}}


class StandardWorld:
    """Serves users. ``lost`` is in percent of a second's requests, summed."""

    def __init__(
        self,
        given: Json,
        *,
        start: int = 3,
        route_lag: int = 2,
        gateway_lag: int = 2,
        broken: Collection[str] = (),
        load: int = 0,
        room: int = 1_000,
        has_route_weights: bool = True,
    ) -> None:
        """``start``, ``route_lag``, ``gateway_lag``: seconds; ``broken``: bundles whose pods never get ready.

        ``load``: pods that all of the traffic takes; ``crowded`` counts the seconds in which a variant had fewer than
        its part of them. ``room``: how many pods fit on the nodes; the others are Pending.
        ``has_route_weights``: False for KServe before 0.21, whose route names stable alone.
        ``templates``: the templates that the pods of each Deployment have had, one after the other. ``hpas``:
        the autoscaler of each variant that there has been, which KServe never deletes.
        """
        self.now, self.lost, self.met, self.crowded = 0, 0, {}, 0
        self._start, self._broken, self._load, self.room = start, set(broken), load, room
        self._has_route_weights = has_route_weights
        self.templates: dict[str, list[str]] = {}
        self.hpas: set[str] = set()
        # The loads that the autoscaler saw and the pods that it wanted, of the Deployment named last.
        self._seen = deque([load], maxlen=_METRICS_LAG)
        self._wanted, self._autoscales = deque([load], maxlen=_DOWNSCALE_WINDOW), ""
        self.stored = Stored(given)
        wanted = standard.reconcile(self.stored.value, {}, load)
        self._uris: dict[str, str] = {}
        self._pods: dict[str, list[_Pod]] = {}
        self._scale(wanted)
        for pods in self._pods.values():
            for pod in pods:
                pod.age, pod.runs = start, True
        self._observed = 0
        self._route = Stored(_route(wanted.weights))
        self._route.patch({"status": _accepted(1)})
        self._routes = deque([wanted.weights] * route_lag, maxlen=route_lag + 1)
        self._gateway = deque([wanted.weights] * gateway_lag, maxlen=gateway_lag + 1)
        self.least_stable = self.pods_of("v1")
        self.tick(gateway_lag + route_lag + 1)

    def service(self, name: str) -> Json:
        return self.stored.read()

    def route(self, name: str) -> Json | None:
        return self._route.read()

    def ready_pods(self, service: str) -> dict[str, int]:
        return {name: self._ready(name) for name in self._pods}

    def patch_service(self, name: str, body: Json, resource_version: str, *, dry_run: bool = False) -> Json:
        return self.stored.patch(body, resource_version, dry_run=dry_run)

    def pods_of(self, variant: str) -> int:
        return self._ready(standard.workload("filter", variant))

    def tick(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self._reconcile_once()

    def _ready(self, name: str) -> int:
        if self._uris.get(name) in self._broken:
            return 0
        return sum(self._is_ready(pod) for pod in self._pods.get(name, []))

    def _is_ready(self, pod: _Pod) -> bool:
        return pod.runs and pod.age >= self._start

    def _scale(self, wanted: standard.Wanted) -> None:
        """Creates and removes pods at once, even if the gateway still sends traffic to them."""
        self._uris = wanted.uris
        self._pods = {name: self._scaled(name, wanted) for name in wanted.pods}
        running = sum(pod.runs for pods in self._pods.values() for pod in pods)
        for pod in (pod for pods in self._pods.values() for pod in pods if not pod.runs):
            pod.runs = running < self.room
            running += pod.runs

    def _scaled(self, name: str, wanted: standard.Wanted) -> list[_Pod]:
        """The pods of a Deployment after one iteration of its rolling update, which adds one pod at most."""
        number, template = wanted.pods[name], wanted.templates[name]
        if self.templates.setdefault(name, [])[-1:] != [template]:
            self.templates[name].append(template)
        if not self._is_admitted(template):
            return []
        # Pods that are not ready are removed first.
        pods = sorted(self._pods.get(name, []), key=lambda pod: not self._is_ready(pod))
        fresh = [pod for pod in pods if pod.template == template]
        old = [pod for pod in pods if pod.template != template]
        if not old:
            return [*fresh[:number], *(_Pod(template) for _ in range(number - len(fresh)))]
        while old and (sum(map(self._is_ready, [*old[:-1], *fresh])) >= number - wanted.unavailable[name]):
            old.pop()
        surge = min(number - len(fresh), number + 1 - len(old) - len(fresh))
        return [*old, *fresh[:number], *(_Pod(template) for _ in range(surge))]

    def _is_admitted(self, template: str) -> bool:
        return f'"storageContainerName": "{STORAGE_CONTAINER}"' in template

    def _weights(self, wanted: standard.Wanted) -> dict[str, int]:
        if self._has_route_weights:
            return wanted.weights
        return {standard.workload("filter", self.stored.value["spec"]["predictor"].get("name")): 100}

    def stop_pods(self, variant: str, number: int = 1) -> None:
        """Pods of a variant are gone, and come back where a node has room."""
        for pod in self._pods[standard.workload("filter", variant)][:number]:
            pod.age, pod.runs = 0, False

    def _autoscaled(self) -> int:
        """Pods that stable's autoscaler wants: it sees the load late, and scales down to the maximum of five minutes.

        The maximum is of what the load alone asked for, whatever the configured minimum.
        """
        if not self._load:
            return 0
        stable = standard.workload("filter", self.stored.value["spec"]["predictor"].get("name"))
        if stable != self._autoscales:
            self._autoscales = stable
            # A new autoscaler begins with the present number of pods.
            self._seen.clear()
            self._wanted.clear()
            self._seen.append(self._ready(stable))
        self._seen.append(math.ceil(self._load * self._gateway[0].get(stable, 0) / 100))
        self._wanted.append(self._seen[0])
        return max(self._wanted)

    def _reconcile_once(self) -> None:
        self.now += 1
        for pod in (pod for pods in self._pods.values() for pod in pods):
            pod.age += pod.runs
        ready = {name: self._ready(name) for name in self._pods}
        wanted = standard.reconcile(self.stored.value, ready, self._autoscaled())
        self._scale(wanted)
        self.hpas |= set(wanted.pods)
        status = standard.status(self.stored.value, wanted)
        if any(self.stored.value.get("status", {}).get(name) != value for name, value in status.items()):
            # A counter of KServe's own: the generation of the spec is another number.
            self._observed += 1
        self.stored.patch({"status": status | {"observedGeneration": self._observed}})
        # KServe leaves the route alone while PredictorReady is False.
        self._routes.append(self._weights(wanted) if wanted.is_available else self._routes[-1])
        generation = self._route.value["metadata"]["generation"]
        self._route.patch({"status": _accepted(generation)})
        self._route.patch({"spec": _route(self._routes[0])["spec"]})
        accepted = self._route.value["status"]["parents"][0]["conditions"][0]["observedGeneration"]
        if accepted == self._route.value["metadata"]["generation"]:
            self._gateway.append(self._routes[0])
        else:
            self._gateway.append(self._gateway[-1])
        for name, weight in self._gateway[0].items():
            if weight:
                self.met[name] = self.met.get(name, 0) + weight
                self.lost += weight * (self._ready(name) == 0)
                self.crowded += 100 * self._ready(name) < weight * self._load
        if standard.workload("filter", "v1") in self._pods:
            self.least_stable = min(self.least_stable, self.pods_of("v1"))


def _route(weights: dict[str, int]) -> Json:
    refs = [{"name": name, "port": 80, "weight": weight} for name, weight in sorted(weights.items())]
    return {"metadata": {"name": "filter"}, "spec": {"rules": [{"backendRefs": refs}]}}


def _accepted(generation: int) -> Json:
    return {"parents": [{"conditions": [{"type": "Accepted", "status": "True", "observedGeneration": generation}]}]}
