"""KServe over Knative: revisions, and traffic between the latest that is ready and the one rolled out before.

The cluster needs no Knative: what Knative keeps in objects of its own is kept here, and published in the service's
status.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from tests.components.canary_rollout.on_a_cluster import workloads
from tests.components.canary_rollout.on_a_cluster.api import Api, Json
from tests.components.canary_rollout.on_a_cluster.gateway import Gateway
from tests.components.canary_rollout.on_a_cluster.standard import host_of
from tests.components.canary_rollout.stand_in.knative_traffic import RolledOut
from tests.components.canary_rollout.stand_in.objects import copied_to_pods

#: Delays from the status to the gateway's configuration, and from an observed spec to the status that describes it.
_GATEWAY_SECONDS, _STATUS_SECONDS = 1.0, 0.6
#: A revision without traffic is scaled to nothing after so long.
_IDLE_SECONDS = 15.0
#: Delay from a crash to its report in the status.
_FAILURE_SECONDS = 10.0
_REVISION_LABEL = "serving.knative.dev/revision"


@dataclass
class _Revision:
    name: str
    predictor: Json
    template: Json
    made_at: float
    idle_since: float = 0.0
    was_ready: bool = False


class KnativeKServe:
    """Reconciles one service, and configures the gateway."""

    def __init__(
        self, namespace: str, service: str, runs: workloads.PodRunner, gateway: Gateway
    ) -> None:  # fmt: skip
        self._api, self._service, self._gateway = Api(namespace), service, gateway
        self._runtimes = workloads.Runtimes(self._api)
        self._template = runs.template
        self._revisions: list[_Revision] = []
        self._rolled_out = RolledOut()
        self._weights: dict[str, int] = {}
        self._pending: list[tuple[float, dict[str, int]]] = []
        self._seen: tuple[int, float] = (0, 0.0)
        self._requested: tuple[int, int | None] = (0, None)
        self._published: Json = {}
        self._failure: Json | None = None

    def reconcile_once(self) -> None:
        service = self._api.get("inferenceservices", self._service)
        if service is None:
            return
        now = time.monotonic()
        label = f"{workloads.SERVICE_LABEL}={self._service}"
        deployments = {item["metadata"]["name"]: item for item in self._api.list("deployments", label)}
        predictor = {key: value for key, value in service["spec"]["predictor"].items() if key != "canaryTrafficPercent"}
        # KServe copies annotations and labels of the service to the template of the revision.
        template = predictor | copied_to_pods(service)
        if not self._revisions or template != self._revisions[-1].template:
            name = f"{self._service}-predictor-{len(self._revisions) + 1:05}"
            self._revisions.append(_Revision(name, predictor, template, now))
        latest = self._latest_ready(deployments)
        percent = service["spec"]["predictor"].get("canaryTrafficPercent")
        traffic = self._traffic(latest.name, percent) if latest else []
        self._run(service, deployments, {entry["revisionName"] for entry in traffic}, now)
        pods = self._api.list("pods", label)
        self._write_status(service, latest, traffic, pods, now)
        self._follow(traffic, pods, now)

    def _latest_ready(self, deployments: dict[str, Json]) -> _Revision | None:
        """The latest revision that was ever ready. One that stops later stays the latest ready one, with its share."""
        for revision in self._revisions:
            revision.was_ready |= self._is_up(revision, deployments.get(f"{revision.name}-deployment"))
        return next((revision for revision in reversed(self._revisions) if revision.was_ready), None)

    def _is_up(self, revision: _Revision, deployment: Json | None) -> bool:
        wanted = revision.predictor.get("minReplicas") or 1
        return deployment is not None and workloads.ready(deployment) >= wanted

    def _traffic(self, latest: str, percent: int | None) -> list[Json]:
        traffic = self._rolled_out.split(latest, percent)
        self._rolled_out.read(traffic, self._revisions[-1].name, latest)
        return traffic

    def _run(self, service: Json, deployments: dict[str, Json], routed: set[str], now: float) -> None:
        for revision in self._revisions:
            is_wanted = revision.name in routed or revision is self._revisions[-1]
            revision.idle_since = 0.0 if is_wanted else revision.idle_since or now
            is_idle = bool(revision.idle_since) and now - revision.idle_since > _IDLE_SECONDS
            replicas = 0 if is_idle else revision.predictor.get("minReplicas") or 1
            own = {"app": revision.name, "component": "predictor", _REVISION_LABEL: revision.name}
            labels = revision.predictor.get("labels", {}) | own | {workloads.SERVICE_LABEL: self._service}
            name = f"{revision.name}-deployment"
            pods = self._template(revision.predictor, self._runtimes.of(revision.predictor), labels)
            for port in pods["spec"]["containers"][0]["ports"]:
                port["name"] = "user-port"
            owner = workloads.owner_of(service)
            workloads.apply(self._api, deployments.get(name), name, replicas, labels, pods, owner)

    def _write_status(
        self, service: Json, latest: _Revision | None, traffic: list[Json], pods: list[Json], now: float
    ) -> None:
        created = self._revisions[-1]
        # The Knative Service counts changes of its template and of its traffic, and nothing else.
        requested = len(self._revisions), service["spec"]["predictor"].get("canaryTrafficPercent")
        if requested != self._requested:
            self._requested, self._seen = requested, (self._seen[0] + 1, now)
        component = {
            "latestCreatedRevision": created.name,
            "latestReadyRevision": latest.name if latest else None,
            "latestRolledoutRevision": self._rolled_out.latest or None,
            "previousRolledoutRevision": self._rolled_out.previous or None,
            "traffic": traffic or None,
        }
        # The counter is published at once, and the resulting revisions and traffic a while later.
        if now - self._seen[1] >= _STATUS_SECONDS:
            self._published = component
        is_up = latest is created
        self._note_failure(created, is_up, pods, now)
        conditions = [
            {"type": name, "status": "True" if is_up else "Unknown"} for name in ("LatestDeploymentReady", "Ready")
        ]
        model = {
            "copies": {"failedCopies": 0, "totalCopies": 1},
            "states": {"activeModelState": "Loaded", "targetModelState": "Loaded" if is_up else "Pending"},
            "transitionStatus": "UpToDate" if is_up else "InProgress",
        }
        if self._failure:
            model["lastFailureInfo"] = self._failure
        status = {
            "deploymentMode": "Knative",
            "observedGeneration": self._seen[0],
            "components": {"predictor": self._published},
            "conditions": conditions,
            "modelStatus": model,
            "url": f"http://{host_of(service)}",
        }
        if _without_nothing(status) != {key: service.get("status", {}).get(key) for key in status}:
            self._api.merge("inferenceservices", self._service, {"status": status}, "status")

    def _note_failure(self, created: _Revision, is_up: bool, pods: list[Json], now: float) -> None:
        """Publishes the failure of the created revision; it stays published after a later success."""
        if is_up or now - created.made_at < _FAILURE_SECONDS:
            return
        for pod in pods:
            if pod["metadata"]["labels"].get(_REVISION_LABEL) == created.name:
                for container in pod.get("status", {}).get("containerStatuses") or []:
                    dead = container.get("lastState", {}).get("terminated") or container["state"].get("terminated")
                    if dead:
                        failure = {"message": dead.get("message", ""), "exitCode": dead["exitCode"]}
                        self._failure = {"reason": "ModelLoadFailed"} | failure

    def _follow(self, traffic: list[Json], pods: list[Json], now: float) -> None:
        shares: dict[str, int] = {}
        for entry in traffic:
            shares[entry["revisionName"]] = shares.get(entry["revisionName"], 0) + entry["percent"]
        last = self._pending[-1][1] if self._pending else self._weights
        if shares != last:
            self._pending.append((now + _GATEWAY_SECONDS, shares))
        while self._pending and self._pending[0][0] <= now:
            self._weights = self._pending.pop(0)[1]
        members = {
            name: [
                pod["status"]["podIP"]
                for pod in pods
                if workloads.is_ready(pod) and pod["metadata"]["labels"].get(_REVISION_LABEL) == name
            ]
            for name in {*shares, *self._weights}
        }
        self._gateway.configure(self._weights, members)


def _without_nothing(given: Json) -> Json:
    """Without None values, as the API server returns it: a merge patch with None deletes a key."""
    return {
        key: _without_nothing(value) if isinstance(value, dict) else value
        for key, value in given.items()
        if value is not None
    }
