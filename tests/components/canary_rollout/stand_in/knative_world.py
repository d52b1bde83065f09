"""A simulated cluster in Knative mode, one tick a second, that records which model users get.

It behaves as KServe and Knative were observed to: "latest" is the latest revision that is ready, annotations and labels
of the service are a part of a revision's template, and ``observedGeneration`` counts changes of the Knative Service.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Collection

from content_arena.components.canary_rollout.kube.client import Json
from tests.components.canary_rollout.stand_in.knative_traffic import RolledOut
from tests.components.canary_rollout.stand_in.objects import Stored, copied_to_pods


def service() -> Json:
    env = [{"name": "CONTENT_ARENA_MODEL_VERSION", "value": "1"}]
    model = {"modelFormat": {"name": "content-arena"}, "runtime": "content-arena",
             "storageUri": "s3://models/content-filter/1", "env": env}  # fmt: skip
    metadata = {"name": "filter", "annotations": {"serving.kserve.io/deploymentMode": "Knative"}}
    return {"metadata": metadata, "spec": {"predictor": {"minReplicas": 1, "model": model}}}


class KnativeWorld:
    """``met``: the share of users that each bundle answered in every second; ``lost``: the share without answer.

    ``revisions``: how many there have been.
    """

    def __init__(
        self,
        given: Json,
        *,
        start: int = 3,
        status_lag: int = 1,
        gateway_lag: int = 2,
        broken: Collection[str] = (),
        revision_lag: int = 0,
        room: float = math.inf,
    ) -> None:
        """``start``, ``status_lag``, ``gateway_lag``: seconds; ``broken``: bundles whose revisions never get ready.

        ``room``: how many revisions' pods the nodes have room for, the oldest first.
        ``revision_lag``: seconds from a split of the traffic to the revision that was asked for in the same patch.
        """
        self.now, self.lost = 0, 0
        self.met: list[dict[str, int]] = []
        self._start, self._broken = start, set(broken)
        self.stored = Stored(given)
        self.room = room
        self._templates: list[Json] = []
        self._observed, self._percent = 0, None
        self._ages: list[int] = []
        self._revision_lag, self._unmade = revision_lag, 0
        self._rolled_out = RolledOut()
        self._statuses: deque[Json] = deque(maxlen=status_lag + 1)
        self._gateway: deque[dict[str, int]] = deque(maxlen=gateway_lag + 1)
        self.tick(start + status_lag + gateway_lag + 2)
        self.lost = 0
        self.met.clear()

    def service(self, name: str) -> Json:
        return self.stored.read()

    def patch_service(self, name: str, body: Json, resource_version: str, *, dry_run: bool = False) -> Json:
        return self.stored.patch(body, resource_version, dry_run=dry_run)

    @property
    def revisions(self) -> int:
        return len(self._templates)

    def tick(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self._reconcile_once()

    def _uri(self, revision: str) -> str:
        return self._templates[int(revision) - 1]["model"]["storageUri"]

    def _is_ready(self, number: int) -> bool:
        uri = self._templates[number - 1]["model"]["storageUri"]
        return self._ages[number - 1] >= self._start and uri not in self._broken and number <= self.room

    def _reconcile_once(self) -> None:
        self.now += 1
        self._ages = [age + 1 for age in self._ages]
        predictor = copy.deepcopy(self.stored.value["spec"]["predictor"])
        percent = predictor.pop("canaryTrafficPercent", None)
        template = predictor | copied_to_pods(self.stored.value)
        is_new = not self._templates or template != self._templates[-1]
        self._unmade = self._unmade + 1 if is_new and self._templates else 0
        is_new &= not self._templates or self._unmade > self._revision_lag
        if is_new:
            self._unmade = 0
            self._templates.append(template)
            self._ages.append(0)
        self._observed += is_new or percent != self._percent
        self._percent = percent
        numbers = range(1, len(self._templates) + 1)
        latest = max((number for number in numbers if self._is_ready(number)), default=0)
        created, ready = f"{len(self._templates):05}", f"{latest:05}" if latest else ""
        traffic = self._rolled_out.split(ready, percent) if latest else []
        if latest:
            self._rolled_out.read(traffic, created, ready)
        component = {
            "latestCreatedRevision": created,
            "latestReadyRevision": ready,
            "latestRolledoutRevision": self._rolled_out.latest,
            "previousRolledoutRevision": self._rolled_out.previous,
            "traffic": traffic,
        }
        self._statuses.append(component)
        # A list, so that what an earlier status had is not merged into this one.
        self.stored.patch({"status": None})
        status = {
            "deploymentMode": "Knative",
            "observedGeneration": self._observed,
            "components": {"predictor": self._statuses[0]},
        }
        self.stored.patch({"status": status})
        shares: dict[str, int] = {}
        for entry in traffic:
            shares[entry["revisionName"]] = shares.get(entry["revisionName"], 0) + entry["percent"]
        self._gateway.append(shares)
        met: dict[str, int] = {}
        for revision, share in self._gateway[0].items():
            if share:
                met[self._uri(revision)] = met.get(self._uri(revision), 0) + share
        self.met.append(met)
        self.lost += 100 - sum(met.values())
