"""Simulated controllers of KServe's Standard mode and of the gateway, on a real API server.

The pure :mod:`tests.components.canary_rollout.stand_in.standard` computes the objects. Here they are written, with the
delays of the real controllers: Deployments and Services are deleted at once, the HTTPRoute is written afterwards, and
the gateway is configured later still.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.components.canary_rollout.on_a_cluster import workloads
from tests.components.canary_rollout.on_a_cluster.api import Api, Json
from tests.components.canary_rollout.on_a_cluster.gateway import Gateway
from tests.components.canary_rollout.stand_in import standard
from tests.components.canary_rollout.stand_in.standard import workload

#: Delays from a spec to its route, and from the route to the gateway's configuration: less than 2 s together.
_ROUTE_SECONDS, _GATEWAY_SECONDS = 0.4, 1.0
#: A canary that was deleted while it had a share: 500 until the gateway's controller has observed it, then 503.
_CLEARED_SECONDS = 8.0
_SEEN_SECONDS = 0.2
_CONTROLLER = "stand-in.example.com/gateway"


class StandardKServe:
    """Reconciles one service."""

    def __init__(
        self, namespace: str, service: str, runs: workloads.PodRunner, dropped: Callable[[str, float], None]
    ) -> None:  # fmt: skip
        self._api, self._service, self._dropped = Api(namespace), service, dropped
        self._runtimes = workloads.Runtimes(self._api)
        self._template = runs.template
        self._route: Json = {}
        self._route_at = 0.0
        self._observed = 0

    def reconcile_once(self) -> None:
        service = self._api.get("inferenceservices", self._service)
        if service is None:
            return
        label = f"{workloads.SERVICE_LABEL}={self._service}"
        deployments = {item["metadata"]["name"]: item for item in self._api.list("deployments", label)}
        services = {item["metadata"]["name"] for item in self._api.list("services", label)}
        wanted = standard.reconcile(service, {name: workloads.ready(item) for name, item in deployments.items()})
        for name, predictor in self._predictors(service).items():
            labels = self._labels(name, predictor)
            pods = workloads.with_metadata_of(service, self._template(predictor, self._runtimes.of(predictor), labels))
            owner, strategy = workloads.owner_of(service), workloads.strategy_of(predictor)
            workloads.apply(self._api, deployments.get(name), name, wanted.pods[name], labels, pods, owner, strategy)
            if name not in services:
                self._expose(name, labels, owner)
        for name in (set(deployments) | services) - set(wanted.pods):
            # After a promotion the new stable gets the old one's share. A deleted canary's share stays in the route.
            is_promoted = name == self._stable_before()
            self._dropped(name, _ROUTE_SECONDS if is_promoted else _CLEARED_SECONDS)
            self._api.delete("deployments", name)
            self._api.delete("services", name)
        if wanted.is_available or not self._route:
            # KServe leaves the route alone while PredictorReady is False.
            self._write_route(service, wanted)
        self._write_status(service, wanted, deployments)

    def _predictors(self, service: Json) -> dict[str, Json]:
        stable = service["spec"]["predictor"]
        found = {workload(self._service, stable.get("name")): stable}
        for entry in service["spec"].get("canary") or []:
            canary = standard.inherited(stable, entry["predictor"])
            found[workload(self._service, canary["name"])] = canary
        return found

    def _labels(self, name: str, predictor: Json) -> dict[str, str]:
        own = {"app": f"isvc.{name}", "component": "predictor", workloads.SERVICE_LABEL: self._service}
        return predictor.get("labels", {}) | own

    def _expose(self, name: str, labels: Json, owner: Json) -> None:
        metadata = {"name": name, "labels": labels, "ownerReferences": [owner]}
        port = {"name": name[:15].rstrip("-"), "port": 80, "targetPort": 8080}
        self._api.create(
            "services", {"metadata": metadata, "spec": {"selector": {"app": labels["app"]}, "ports": [port]}}
        )

    def _stable_before(self) -> str:
        """The stable variant: the first in the route as it was last written."""
        return self._route["rules"][0]["backendRefs"][0]["name"] if self._route else ""

    def _write_route(self, service: Json, wanted: standard.Wanted) -> None:
        # ``wanted`` has canaries first and stable last, a route has stable first.
        named = reversed(list(wanted.weights.items()))
        refs = [{"name": name, "port": 80, "weight": weight} for name, weight in named]
        spec = {
            "hostnames": [host_of(service)],
            "parentRefs": [{"name": "users", "namespace": "kserve"}],
            "rules": [{"backendRefs": refs}],
        }
        now = time.monotonic()
        if spec != self._route:
            self._route, self._route_at = spec, now + _ROUTE_SECONDS
        if self._route_at and now >= self._route_at:
            self._route_at = 0.0
            if self._api.merge("httproutes", self._service, {"spec": spec}) is None:
                metadata = {"name": self._service, "ownerReferences": [workloads.owner_of(service)]}
                kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
                self._api.create("httproutes", kind | {"metadata": metadata, "spec": spec})

    def _write_status(self, service: Json, wanted: standard.Wanted, deployments: dict[str, Json]) -> None:
        before = service.get("status", {})
        stable = workload(self._service, service["spec"]["predictor"].get("name"))
        is_up = 0 < wanted.pods[stable] <= workloads.ready(deployments.get(stable, {}))
        status = standard.status(service, wanted)
        status["conditions"].append({"type": "Stopped", "status": "False", "severity": "Info"})
        status["canaryStatuses"] = status["canaryStatuses"] or None
        loaded = "Loaded" if is_up else "Pending"
        status |= {
            "components": {"predictor": {"url": f"http://{stable}-{self._api.namespace}.example.com"}},
            "address": {"url": f"http://{stable}.{self._api.namespace}.svc.cluster.local"},
            "modelStatus": {
                "copies": {"failedCopies": 0, "totalCopies": workloads.ready(deployments.get(stable, {}))},
                "states": {"activeModelState": "Loaded", "targetModelState": loaded},
                "transitionStatus": "UpToDate" if is_up else "InProgress",
            },
            "url": f"http://{host_of(service)}",
        }
        if any(before.get(key) != value for key, value in status.items()):
            # KServe's counter here is not the generation of the spec.
            self._observed += 1
            status["observedGeneration"] = self._observed
            self._api.merge("inferenceservices", self._service, {"status": status}, "status")


class RouteFollower:
    """The gateway's controller: configures the gateway by the HTTPRoute, and marks the HTTPRoute as accepted."""

    def __init__(self, namespace: str, service: str, gateway: Gateway) -> None:
        self._api, self._service, self._gateway = Api(namespace), service, gateway
        self._weights: dict[str, int] = {}
        self._pending: list[tuple[float, dict[str, int]]] = []
        self._dropped: dict[str, tuple[float, float]] = {}

    def dropped(self, name: str, seconds: float) -> None:
        """Records a deleted Service. If it had a share, the gateway keeps it in its configuration for ``seconds``."""
        if self._weights.get(name) and name not in self._dropped:
            now = time.monotonic()
            self._dropped[name] = now + _SEEN_SECONDS, now + seconds

    def reconcile_once(self) -> None:
        now = time.monotonic()
        route = self._api.get("httproutes", self._service)
        if route is None:
            return
        shares = {ref["name"]: ref["weight"] for ref in route["spec"]["rules"][0]["backendRefs"]}
        last = self._pending[-1][1] if self._pending else self._weights
        if shares != last:
            held = max((until for _, until in self._dropped.values()), default=0.0)
            self._pending.append((max(now + _GATEWAY_SECONDS, held), shares))
        self._accept(route)
        while self._pending and self._pending[0][0] <= now:
            self._weights = self._pending.pop(0)[1]
            self._dropped = {name: when for name, when in self._dropped.items() if name in self._weights}
        self._gateway.configure(self._weights, self._members(now, shares))

    def _members(self, now: float, shares: dict[str, int]) -> dict[str, list[str]]:
        label = f"{workloads.SERVICE_LABEL}={self._service}"
        services = {
            item["metadata"]["name"]: item["spec"]["selector"]["app"] for item in self._api.list("services", label)
        }
        pods = [pod for pod in self._api.list("pods", label) if workloads.is_ready(pod)]
        found = {}
        for name in {*shares, *self._weights}:
            app = services.get(name)
            if app:
                found[name] = [pod["status"]["podIP"] for pod in pods if pod["metadata"]["labels"]["app"] == app]
            elif name in self._dropped and now >= self._dropped[name][0] and _is_cleared(self._dropped[name]):
                found[name] = []
        return found

    def _accept(self, route: Json) -> None:
        generation = route["metadata"]["generation"]
        parents = route.get("status", {}).get("parents") or []
        if parents and parents[0]["conditions"][0]["observedGeneration"] == generation:
            return
        since = {"lastTransitionTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        conditions = [
            {"type": name, "status": "True", "reason": name, "message": "", "observedGeneration": generation} | since
            for name in ("Accepted", "ResolvedRefs")
        ]
        (parent,) = route["spec"]["parentRefs"]
        status = {"parents": [{"parentRef": parent, "controllerName": _CONTROLLER, "conditions": conditions}]}
        self._api.merge("httproutes", self._service, {"status": status}, "status")


def _is_cleared(dropped: tuple[float, float]) -> bool:
    return dropped[1] - dropped[0] > _ROUTE_SECONDS


def host_of(service: Json) -> str:
    metadata = service["metadata"]
    return f"{metadata['name']}-{metadata['namespace']}.example.com"
