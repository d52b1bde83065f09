"""How KServe splits traffic in Knative mode, and what it remembers for it in the service's status.

After kserve/kserve: createKnativeService (pkg/controller/v1beta1/inferenceservice/reconcilers/knative) makes the split,
PropagateStatus (pkg/apis/serving/v1beta1/inference_service_status.go) reads it back.
"""

from __future__ import annotations

from dataclasses import dataclass

from content_arena.components.canary_rollout.kube.client import Json


@dataclass
class RolledOut:
    """``latestRolledoutRevision`` and ``previousRolledoutRevision`` of a status; empty if there is none."""

    latest: str = ""
    previous: str = ""

    def split(self, ready: str, percent: int | None) -> list[Json]:
        """The traffic of a service whose latest ready revision is ``ready``."""
        if percent is None or not self.latest:
            return [{"revisionName": ready, "latestRevision": True, "percent": 100}]
        traffic: list[Json] = [{"revisionName": ready, "latestRevision": True, "percent": percent}]
        if percent < 100:
            before = {"revisionName": self.latest, "latestRevision": False, "percent": 100 - percent, "tag": "prev"}
            traffic.append(before)
        return traffic

    def read(self, traffic: list[Json], created: str, ready: str) -> None:
        """Remembers which revisions have had all traffic.

        A split over one revision is taken for a rollback from 100 %: the revision before gets its traffic then.
        """
        percent = traffic[0]["percent"]
        if self.latest != ready:
            if percent == 100:
                self.previous, self.latest = self.latest, ready
            return
        shares = sum(entry["percent"] for entry in traffic if entry["revisionName"] == ready)
        if ready == created and percent < 100 and shares == 100 and self.previous:
            self.latest = self.previous
