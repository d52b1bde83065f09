"""The default steps without bakes: how long the moves and each wait take, and that no answer is lost."""

import time
from collections import Counter

import pytest

from content_arena.components.canary_rollout.analysis.check import Check, Kind
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.controller.beginning import RolloutRequest
from content_arena.components.canary_rollout.controller.rollout import Rollout
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.kube.lease import Lease
from content_arena.components.canary_rollout.measuring.interface import Measurement
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Phase
from content_arena.components.canary_rollout.reporting.events import Events
from content_arena.components.canary_rollout.reporting.recorder import EventRecorder
from content_arena.components.canary_rollout.traffic.mode import Patch, Wait
from content_arena.components.canary_rollout.traffic.mover import Mover
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.sync import RegistrySync
from tests.components.canary_rollout.on_a_cluster import outcomes
from tests.components.canary_rollout.on_a_cluster.service_under_test import SERVICE
from tests.components.canary_rollout.on_a_cluster.storage import uri

pytestmark = pytest.mark.slow


class TimedMover(Mover):
    """Adds up the seconds of each wait."""

    def __init__(self, *given):
        super().__init__(*given)
        self.seconds = Counter()
        self._last = "", time.monotonic()

    def step(self, *given, **more):
        found = super().step(*given, **more)
        what = "writing" if isinstance(found, Patch) else found.why if isinstance(found, Wait) else "done"
        before, since = self._last
        self._last = what, time.monotonic()
        self.seconds[before] += self._last[1] - since
        return found


class AlwaysPasses:
    """Passes every window: the test times everything but the measuring."""

    def measure(self, moment):
        return Measurement(Verdict.PASS, "not measured", 0, (Check(Kind.OTHER, "none", Verdict.PASS, "not measured"),))


def test_the_default_steps_without_bakes(installation, cli):
    installation.storage.put("2")
    parameters = Parameters(bake_seconds=0, warmup_seconds=0, min_requests=0)
    cluster = KubernetesClient(installation.namespace)
    mover = TimedMover(cluster, SERVICE)
    began = time.monotonic()
    with Lease(cluster, SERVICE) as lease:
        rollout = Rollout(
            cluster, mover, AlwaysPasses(), RegistrySync(Registry(installation.registry), "tests/content-filter"),
            EventRecorder(Events(cluster, lease.holder)), service=SERVICE, assert_leadership=lease.ensure,
        )  # fmt: skip
        rollout.begin(RolloutRequest(Challenger("2", uri("2")), parameters))
        at_full = None
        while not (state := rollout.reconcile_once()).phase.is_end:
            if at_full is None and state.phase is Phase.BAKING and state.percent == 100:
                at_full = time.monotonic() - began
            time.sleep(1.0)
    whole = time.monotonic() - began
    assert at_full
    waited = {what: seconds for what, seconds in mover.seconds.items() if what not in ("", "writing", "done")}
    print(f"\n{installation.mode}: {at_full:.0f} s from start to 100 %, {whole:.0f} s to the end, "
          f"{sum(waited.values()):.0f} s of them waiting for the cluster:")  # fmt: skip
    for what, seconds in sorted(waited.items(), key=lambda item: -item[1]):
        print(f"  {seconds:5.1f} s  {what}")
    outcomes.is_promoted(cli)
    assert outcomes.count_answers(cli) == {}
