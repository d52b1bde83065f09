"""The version before keeps its pods at 0 % after a promotion, and an undo needs no new ones."""

import itertools

import pytest

from content_arena.components.canary_rollout.controller.beginning import RolloutRequest
from content_arena.components.canary_rollout.controller.connection import Connection
from content_arena.components.canary_rollout.controller.keeping import keep, let_go, why_over
from content_arena.components.canary_rollout.controller.moves import RecordedMoves
from content_arena.components.canary_rollout.controller.options import RunOptions, ServiceRef
from content_arena.components.canary_rollout.controller.pace import Clock
from content_arena.components.canary_rollout.controller.reconcile import Reconciler
from content_arena.components.canary_rollout.kube.client import ClusterError
from content_arena.components.canary_rollout.launch import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Phase
from content_arena.components.canary_rollout.traffic.mode import TrafficError
from content_arena.components.canary_rollout.traffic.mover import Mover
from tests.components.canary_rollout.bench import ONE, QUICK, TWO, Bench
from tests.components.canary_rollout.controller.test_undo import PLAN, WHY
from tests.components.canary_rollout.stand_in.api_server import Killed

KEEP = Parameters(**(QUICK.as_dict() | {"steps": QUICK.steps, "keep_seconds": 600}))
THREE = Challenger("3", "s3://models/content-filter/3")
KEPT = "filter-v1-predictor"


def promoted(mode="Standard", **how):
    bench = Bench(mode, **how).begun(KEEP)
    state = bench.end()
    assert (state.phase, bench.world.lost, bench.aliases.champion) == (Phase.PROMOTED, 0, "2")
    return bench


def spec(bench):
    return bench.world.service("filter")["spec"]


def after_a_promotion_without(**how):
    """The spec that a promotion leaves where nothing is kept."""
    bench = Bench("Standard", **how).begun(QUICK)
    bench.check(bench.end())
    return spec(bench)


def mover_of(bench):
    return Mover(bench.api, "filter", 5, clock=lambda: bench.world.now)


def reconciled(bench, seconds=0.0):
    clock = Clock(lambda: 1e6 + bench.world.now + seconds, lambda _: bench.world.tick())
    return Reconciler(bench.records, mover_of(bench), bench.process(), bench.aliases, clock=clock).reconcile()


def begin(bench, challenger, plan=QUICK, **how):
    bench.process().begin(RolloutRequest(challenger, plan, **how))


def test_the_version_before_keeps_its_pods_without_traffic_and_none_restarts():
    bench = promoted()
    state = bench.state
    assert state.kept_until == state.since + 600
    (kept,) = spec(bench)["canary"]
    assert (kept["trafficPercent"], kept["predictor"]["name"], kept["predictor"]["model"]["storageUri"]) == (
        0,
        "v1",
        ONE,
    )
    bench.world.tick(120)
    assert (bench.world.pods_of("v1"), bench.world.pods_of("v2")) == (2, 2)
    assert {name: len(made) for name, made in bench.world.templates.items()} == {KEPT: 1, "filter-v2-predictor": 1}
    assert bench.world.lost == 0


def test_in_knative_mode_nothing_is_kept():
    bench = promoted("Knative")
    assert bench.state.kept_until == 0
    bench.check(bench.state)


def test_an_undo_needs_no_new_pods():
    bench = promoted()
    bench.world.room = bench.world.pods_of("v1") + bench.world.pods_of("v2")
    bench.world.tick(120)
    began = bench.world.now
    begin(bench, Challenger("1", ONE), PLAN, undo=WHY)
    state = bench.end()
    assert (state.phase, bench.serves, bench.world.lost) == (Phase.PROMOTED, ONE, 0)
    assert len(bench.world.templates[KEPT]) == 1, "its pods were not replaced"
    assert spec(bench) == bench.before
    assert state.kept_until == 0, "what was taken back is not kept"
    # The settling time and the lag of the gateway, for 0 %, 100 % and the end.
    assert bench.world.now - began <= 45


def test_it_goes_once_its_time_is_over():
    bench = promoted()
    assert reconciled(bench, 0) == []
    assert "canary" in spec(bench)
    assert reconciled(bench, 601) == ["version 1, kept at 0 % since the promotion of 2, is gone"]
    bench.world.tick(100)
    assert spec(bench) == after_a_promotion_without()
    assert (bench.world.lost, bench.state.kept_until) == (0, 0)
    assert reconciled(bench, 601) == []


def test_it_goes_at_once_if_that_is_asked_for_right_after_the_promotion():
    bench = promoted(load=4)
    moves = RecordedMoves(mover_of(bench), bench.records, lambda: None)
    let_go(moves, "a test", Clock(sleep=lambda _: bench.world.tick()))
    bench.world.tick(200)
    assert (bench.world.lost, bench.world.crowded, bench.state.kept_until) == (0, 0, 0)


def test_users_have_enough_pods_while_it_is_kept_and_afterwards():
    bench = promoted(load=5)
    bench.world.tick(600)
    reconciled(bench, 601)
    bench.world.tick(400)
    assert (bench.world.lost, bench.world.crowded) == (0, 0)


@pytest.mark.parametrize("challenger", [THREE, Challenger("1", ONE)], ids=["another", "the kept one"])
def test_a_new_rollout_ends_its_time(challenger):
    bench = promoted()
    begin(bench, challenger)
    state = bench.end()
    assert (state.phase, bench.serves, bench.world.lost) == (Phase.PROMOTED, challenger.storage_uri, 0)
    assert "canary" not in spec(bench)
    limits = {name: spec(bench)["predictor"].get(name) for name in ("minReplicas", "maxReplicas", "deploymentStrategy")}
    assert limits == {name: bench.before["predictor"].get(name) for name in limits}


@pytest.mark.parametrize("until", [Phase.STAGING, Phase.SHIFTING, Phase.BAKING])
def test_a_new_rollout_that_is_aborted_leaves_what_served_alone(until):
    bench = promoted()
    begin(bench, THREE)
    bench.end(until=lambda state: state.phase is until)
    bench.api.annotate(abort="3 by bob: not today")
    state = bench.end()
    assert (state.phase, bench.serves, bench.world.lost) == (Phase.WITHDRAWN, TWO.storage_uri, 0)
    bench.world.tick(100)
    assert spec(bench) == after_a_promotion_without()


def test_a_rollout_after_a_kept_one_keeps_its_own():
    bench = promoted()
    begin(bench, THREE, KEEP)
    state = bench.end()
    assert [one["predictor"]["name"] for one in spec(bench)["canary"]] == ["v2"]
    assert state.kept_until == state.since + 600
    assert bench.world.lost == 0


def test_a_kept_version_that_a_person_removed_is_none():
    bench = promoted()
    bench.world.stored.patch({"spec": {"canary": None}})
    bench.world.tick(20)
    assert reconciled(bench, 601) == ["version 1, kept at 0 % since the promotion of 2, is gone"]
    bench.world.tick(100)
    assert spec(bench) == after_a_promotion_without()


def test_a_kill_before_or_after_any_write_does_not_change_the_end():
    """The promotion, its hour and its end; the process is killed at one write after the other."""
    expected = after_a_promotion_without()
    for is_written in (False, True):
        for kill_at in range(10, 60, 3):
            bench = Bench("Standard")
            bench.api.kill_at, bench.api.is_written = kill_at, is_written
            was_killed = 0
            for _ in range(3):
                try:
                    if bench.api.config_maps == {}:
                        bench.begun(KEEP)
                    bench.end()
                    reconciled(bench, 601)
                    break
                except Killed:
                    was_killed += 1
            bench.world.tick(100)
            assert (bench.state.phase, bench.world.lost, bench.state.kept_until) == (Phase.PROMOTED, 0, 0)
            assert (spec(bench), bench.state.intent) == (expected, None)
            if not was_killed:
                break
        assert not was_killed, "it has more writes than that"


def test_a_kill_at_any_write_of_an_undo_does_not_change_the_end():
    for kill_at in range(0, 40, 2):
        bench = promoted()
        bench.api.writes, bench.api.kill_at = 0, kill_at
        for _ in range(2):
            try:
                if bench.state.phase is Phase.PROMOTED and not bench.state.undo:
                    begin(bench, Challenger("1", ONE), PLAN, undo=WHY)
                bench.end()
                break
            except Killed:
                continue
        assert (bench.serves, bench.world.lost, spec(bench)) == (ONE, 0, bench.before)
        if bench.api.writes <= kill_at:
            break


# When its time is over.


def ended(bench, seconds=0.0, kept=None):
    connection = Connection(ServiceRef("filter", "arena"), bench.api, mover_of(bench))
    return why_over(connection, kept or bench.state, 1e6 + bench.world.now + seconds)


def pending():
    told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: cpu"}
    return [{"metadata": {"name": "pod-a"}, "status": {"conditions": [told]}}]


def test_its_time_ends_by_the_clock_or_on_a_full_node():
    bench = promoted()
    assert ended(bench) == ""
    assert ended(bench, 601) == "its time is over"
    bench.api.crashed = pending()
    assert ended(bench) == "its room is needed: pod pod-a has no node: 0/1 nodes: cpu"


def test_its_time_is_over_for_its_watcher_once_a_new_rollout_has_begun():
    bench = promoted()
    kept = bench.state
    begin(bench, THREE)
    assert ended(bench, kept=kept) is None


def test_a_server_that_is_away_does_not_end_its_time():
    bench = promoted()
    kept, mover = bench.state, mover_of(bench)
    bench.api.away_until = bench.world.now + 30
    assert why_over(Connection(ServiceRef("filter", "arena"), bench.api, mover), kept, 0.0) == ""


def test_an_error_after_the_promotion_is_only_logged(monkeypatch, caplog):
    bench = promoted()
    connection = Connection(ServiceRef("filter", "arena"), bench.api, mover_of(bench))
    monkeypatch.setattr(Connection, "to", lambda *_: connection)

    def denies(*what, **how):
        raise ClusterError("denied")

    monkeypatch.setattr(bench.api, "patch_service", denies)
    # By the clock of this machine its time is over long ago.
    keep(connection.service_ref, bench.state, RunOptions(lambda name: None))
    assert "version 1 stays as it is" in caplog.text
    assert "denied" in caplog.text
    assert bench.state.kept_until, "reconcile can let go of it later"


def test_a_gateway_that_never_follows_is_not_waited_for_without_end():
    bench = promoted()
    seconds = itertools.count(0, 100)
    moves = RecordedMoves(mover_of(bench), bench.records, lambda: None)
    with pytest.raises(TrafficError, match="version 1 is still kept at 0 %"):
        let_go(moves, "a test", Clock(lambda: next(seconds), lambda _: None))
