"""Rollouts that end though nothing is wrong with the version: it is withdrawn, or waits, and is not rejected."""

import pytest

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.plan.gate import Gate
from content_arena.components.canary_rollout.plan.state import Phase
from tests.components.canary_rollout.bench import ONE, QUICK, TWO, Bench


def pod(*, init=(), main=(), conditions=()):
    status = {"initContainerStatuses": list(init), "containerStatuses": list(main), "conditions": list(conditions)}
    return {"metadata": {"name": "pod-a"}, "status": status}


def container(name, **waiting):
    died = {"terminated": {"exitCode": 1}} if waiting["reason"] == "CrashLoopBackOff" else {}
    return {"name": name, "state": {"waiting": waiting}, "lastState": died, "restartCount": 3, "ready": False}


NO_ROOM = pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "1 Insufficient cpu"}])
NO_IMAGE = pod(main=[container("kserve-container", reason="ImagePullBackOff", message="no such image")])
NO_BUNDLE = pod(init=[container("storage-initializer", reason="CrashLoopBackOff")])


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (NO_ROOM, "pod pod-a has no node: 1 Insufficient cpu"),
        (NO_IMAGE, "kserve-container of pod pod-a: ImagePullBackOff (no such image)"),
        (NO_BUNDLE, "storage-initializer of pod pod-a: CrashLoopBackOff, exit code 1: OSError"),
    ],
    ids=["a full node", "an image that is not pulled", "a bundle that can not be loaded"],
)
def test_pods_that_can_not_start_are_waited_for_and_then_withdrawn(mode, found, told):
    bench = Bench(mode, broken=[TWO.storage_uri]).begun()
    bench.api.crashed = [found]
    began = bench.world.now
    state = bench.end()
    bench.check(state)
    assert state.phase is Phase.WITHDRAWN
    assert state.reason.startswith(f"the challenger was not ready within {QUICK.start_seconds:g} s (")
    assert told in state.reason
    assert bench.world.now - began >= QUICK.start_seconds
    # It may be rolled out again, without a reason, once that is mended.
    bench.api.crashed = []
    bench.world._broken.clear()
    bench.check(bench.begun().end())


@pytest.mark.parametrize("found", [NO_ROOM, NO_IMAGE, NO_BUNDLE], ids=["node", "image", "S3"])
def test_a_trouble_that_passes_within_half_a_minute_changes_nothing(mode, found):
    bench = Bench(mode, start=40).begun()
    bench.api.crashed = [found]
    bench.end(until=lambda state: bench.world.now > 30)
    bench.api.crashed = []
    state = bench.end()
    bench.check(state)
    assert state.phase is Phase.PROMOTED


def test_a_full_node_is_waited_for_and_the_version_withdrawn():
    """There is room for stable alone; its own additional pods stay Pending."""
    bench = Bench("Standard", room=2).begun()
    state = bench.end()
    bench.check(state)
    assert state.phase is Phase.WITHDRAWN
    assert "stable has fewer than 3 ready pods" in state.reason
    assert bench.world.pods_of("v1") == 2


def test_on_a_full_node_knative_mode_waits_for_room_for_the_champion_too():
    """Stable's model needs a fresh revision, so the withdrawal ends once there is room for that."""
    bench = Bench("Knative", room=1)
    no_room_for = {"serving.knative.dev/revision=00002", "serving.knative.dev/revision=00003"}
    bench.api.pods = lambda labels: [NO_ROOM] if bench.world.room == 1 and labels in no_room_for else []
    state = bench.begun().held()
    assert (state.gate, state.then) == (Gate.parse("withdraw-1"), Phase.ROLLING_BACK)
    assert "the fresh revision of version 1 is not ready, 2 has 0 %; pod pod-a has no node" in state.reason
    assert (bench.world.met[-1], bench.aliases.rejected) == ({ONE: 100}, ())
    bench.world.room = 3
    bench.api.annotate(approve="2/withdraw-1 by alice")
    state = bench.end()
    bench.check(state)
    assert state.phase is Phase.WITHDRAWN
    assert "pod pod-a has no node" in state.reason


def test_a_node_that_becomes_full_takes_no_users_from_stable():
    bench = Bench("Standard").begun()
    bench.end(until=lambda state: state.phase is Phase.BAKING and state.percent == 25)
    bench.world.room = 3
    state = bench.end()
    bench.check(state)
    assert state.phase is Phase.WITHDRAWN


def test_a_rollout_that_is_not_done_by_its_deadline_is_withdrawn(mode):
    bench = Bench(mode).begun()
    bench.end(until=lambda state: state.phase is Phase.BAKING and state.percent == 25)
    bench.world.tick(int(QUICK.deadline_seconds))
    state = bench.end()
    bench.check(state)
    assert (state.phase, state.reason) == (Phase.WITHDRAWN, f"not done within {QUICK.deadline_seconds:g} s")


def test_a_challenger_that_is_worse_is_still_rejected(mode):
    bench = Bench(mode, verdicts={25: Verdict.FAIL}).begun()
    state = bench.end()
    bench.check(state)
    assert state.phase is Phase.ROLLED_BACK
    assert bench.aliases.rejected
