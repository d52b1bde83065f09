"""Alerts about a rollout, from its record and its Lease, judged by promtool."""

import pytest

from .promtool import Case, arena, by_alert, judge, needs_promtool

#: What the operator adds to the exporter; the process of a rollout runs elsewhere and adds its own.
EXPORTER, PROCESS = {"pod": "exporter"}, {"pod": "roll-out"}
SERVICE = {"service": "content-filter"}


def record(name, values):
    return arena(f"rollout_record_{name}", values, **SERVICE, **EXPORTER)


def process(name, values):
    return arena(f"rollout_{name}", values, **SERVICE, **PROCESS)


def lease(values):
    return arena("rollout_lease_renewed_timestamp_seconds", values, **SERVICE, **EXPORTER)


UNDER_WAY = record("under_way", "1x300")
ALIVE = lease("0+60x300")
CASES = [
    Case("ContentArenaRolloutDead", "its process was killed", UNDER_WAY | lease("0+60x10 600x290"),
         {"12m": False, "15m": False, "19m": True, "60m": True}),
    Case("ContentArenaRolloutDead", "its process was stopped and let go", UNDER_WAY | lease("0+60x10 _x290"),
         {"12m": False, "22m": True}),
    Case("ContentArenaRolloutDead", "killed and resumed", UNDER_WAY | lease("0+60x10 600x3 840+60x280"),
         {"15m": False, "60m": False}),
    Case("ContentArenaRolloutDead", "it lives", UNDER_WAY | ALIVE, {"60m": False}),
    Case("ContentArenaRolloutDead", "it is over, and nobody holds the Lease", record("under_way", "1x10 0x290"),
         {"9m": True, "60m": False}),
    Case("ContentArenaRolloutDead", "its process left at a gate", record("under_way", "1x2 0x290") | lease("0+60x2"),
         {"60m": False}),
    Case("ContentArenaRolloutDead", "another service's is dead", UNDER_WAY | ALIVE
         | {name.replace("content-filter", "other"): values for name, values in UNDER_WAY.items()}, {"8m": True}),
    Case("ContentArenaRolloutDead", "a fresh install", arena("exporter_cluster_up", "1x300"), {"60m": False}),
    Case("ContentArenaRolloutWaiting", "its process left", record("waiting_for_approval", "1x60"),
         {"29m": False, "32m": True}),
    Case("ContentArenaRolloutWaiting", "its process stays, and the exporter is away",
         process("waiting_for_approval", "1x60"), {"29m": False, "32m": True}),
    Case("ContentArenaRolloutWaiting", "goes on",
         process("waiting_for_approval", "0x60") | record("waiting_for_approval", "0x60"), {"50m": False}),
    Case("ContentArenaRolloutNotBack", "refused", process("going_back", "0x10 1x60"), {"10m": False, "18m": True}),
    Case("ContentArenaRolloutNotBack", "its process died meanwhile", record("going_back", "0x10 1x60"),
         {"10m": False, "18m": True}),
    Case("ContentArenaRolloutNotBack", "back", process("going_back", "0x10 1x3 _x60")
         | record("going_back", "0x10 1x3 0x60"), {"12m": False, "30m": False}),
]  # fmt: skip


@needs_promtool
@pytest.mark.parametrize("alert", by_alert(CASES))
def test_it_fires_where_it_must_and_nowhere_else(alert, tmp_path):
    judge(by_alert(CASES)[alert], tmp_path)
