"""A simulated cluster in Standard mode, one tick a second, that counts lost requests."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection

from content_arena.components.canary_rollout.kube.client import Json
from tests.components.canary_rollout.stand_in import standard
from tests.components.canary_rollout.stand_in.objects import Stored

#: Seconds.
_METRICS_LAG, _DOWNSCALE_WINDOW = 30, 300


def service(min_replicas: int = 2, name: str = "v1") -> Json:
    env = [{"name": "OTHER", "value": "kept"}, {"name": "CONTENT_ARENA_MODEL_VERSION", "value": "1"}]
    model = {"modelFormat": {"name": "content-arena"}, "storageUri": "s3://models/content-filter/1", "env": env}
    predictor = {"name": name, "minReplicas": min_replicas, "maxReplicas": 6, "model": model}
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
    ) -> None:
        """``start``, ``route_lag``, ``gateway_lag``: seconds; ``broken``: bundles whose pods never get ready.

        ``load``: pods that all of the traffic takes; ``crowded`` counts the seconds in which a variant had fewer than
        its part of them.
        """
        self.now, self.lost, self.met, self.crowded = 0, 0, {}, 0
        self._start, self._broken, self._load = start, set(broken), load
        # The loads that the autoscaler saw and the pods that it wanted, of the Deployment named last.
        self._seen = deque([load], maxlen=_METRICS_LAG)
        self._wanted, self._autoscales = deque([load], maxlen=_DOWNSCALE_WINDOW), ""
        self.stored = Stored(given)
        wanted = standard.reconcile(self.stored.value, {}, load)
        self._uris = dict(wanted.uris)
        self._ages = {name: [start] * pods for name, pods in wanted.pods.items()}
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
        return {name: self._ready(name) for name in self._ages}

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
        return sum(age >= self._start for age in self._ages.get(name, []))

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
        self._ages = {name: [age + 1 for age in ages] for name, ages in self._ages.items()}
        ready = {name: self._ready(name) for name in self._ages}
        wanted = standard.reconcile(self.stored.value, ready, self._autoscaled())
        # Pods are removed at once, even if the gateway still sends traffic to them.
        self._ages = {name: self._ages.get(name, [])[:n] + [0] * (n - len(self._ages.get(name, [])))
                      for name, n in wanted.pods.items()}  # fmt: skip
        self._uris = wanted.uris
        self.stored.patch({"status": standard.status(self.stored.value, wanted)})
        self._routes.append(wanted.weights)
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
        if standard.workload("filter", "v1") in self._ages:
            self.least_stable = min(self.least_stable, self.pods_of("v1"))


def _route(weights: dict[str, int]) -> Json:
    refs = [{"name": name, "port": 80, "weight": weight} for name, weight in sorted(weights.items())]
    return {"metadata": {"name": "filter"}, "spec": {"rules": [{"backendRefs": refs}]}}


def _accepted(generation: int) -> Json:
    return {"parents": [{"conditions": [{"type": "Accepted", "status": "True", "observedGeneration": generation}]}]}
