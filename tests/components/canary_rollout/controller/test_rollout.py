"""Whole rollouts in a simulated cluster: good challengers, bad ones, and starts that are refused."""

import pytest

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.controller.beginning import RolloutRequest
from content_arena.components.canary_rollout.plan.state import Challenger, Phase
from content_arena.components.canary_rollout.reporting.history import read
from content_arena.components.shared.errors import InputError
from tests.components.canary_rollout.bench import ONE, QUICK, TWO, Bench, asking
from tests.components.canary_rollout.controller.test_reconcile import reconciled
from tests.components.canary_rollout.stand_in.api_server import RECORD, Killed


def test_a_good_challenger_is_promoted_through_every_step(mode, tmp_path):
    bench = Bench(mode, tmp_path).begun()
    bench.check(bench.end())
    records = read(bench.history.path)
    assert [r.percent for r in records if r.phase == "baking" and r.event] == [0, 25, 100]
    assert [r.share for r in records if r.phase == "baking" and r.event] == [0, 25, 100]
    assert {r.phase for r in records} == {"staging", "shifting", "baking", "promoting", "promoted"}
    assert any(check.verdict is Verdict.PASS for r in records for check in r.checks)


def test_every_move_is_an_event(mode):
    bench = Bench(mode).begun()
    bench.end()
    reasons = [event["reason"] for event in bench.api.events]
    assert reasons[0] == "RolloutStarted"
    assert reasons[-1] == "RolloutPromoted"
    assert reasons.count("RolloutShifting") == 2
    assert "25 %" in " ".join(event["note"] for event in bench.api.events if event["reason"] == "RolloutMove")
    assert all(event["regarding"]["name"] == "filter" for event in bench.api.events)


@pytest.mark.parametrize("percent", QUICK.steps)
def test_a_challenger_that_fails_at_a_step_is_rolled_back(mode, percent):
    bench = Bench(mode, verdicts={percent: Verdict.FAIL}).begun()
    state = bench.end()
    bench.check(state)
    assert (state.phase, state.percent) == (Phase.ROLLED_BACK, percent)
    assert "errors: fail" in state.reason


def test_no_data_is_never_promoted(mode):
    bench = Bench(mode, verdicts={25: Verdict.INCONCLUSIVE}).begun()
    state = bench.held()
    assert (str(state.gate), state.percent, bench.aliases.champion) == ("measure-1", 25, "1")
    assert bench.share == 25, "stable serves the rest"
    assert "errors: inconclusive" in state.reason


def crashed():
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    died = {"terminated": {"exitCode": 3}}
    container = {"name": "kserve-container", "state": waiting, "lastState": died, "restartCount": 2}
    return [{"metadata": {"name": "pod-a"}, "status": {"containerStatuses": [container]}}]


def test_a_ready_challenger_whose_pods_stop_while_it_has_traffic_is_rolled_back(mode):
    bench = Bench(mode).begun()
    bench.end(until=lambda state: state.phase is Phase.BAKING and state.percent == 25)
    bench.api.crashed = crashed()
    state = bench.end()
    bench.check(state)
    assert state.reason.startswith("the challenger stopped: kserve-container of pod pod-a: CrashLoopBackOff")


def test_a_challenger_whose_pods_stop_before_its_promotion_is_rolled_back(mode):
    bench = Bench(mode).begun()
    bench.end(until=lambda state: state.phase is Phase.BAKING and state.percent == 100)
    patch_service = bench.api.patch_service

    def dies(*what, **how):
        if bench.state.phase is Phase.PROMOTING:
            raise Killed
        return patch_service(*what, **how)

    bench.api.patch_service = dies
    with pytest.raises(Killed):
        bench.end()
    bench.api.patch_service = patch_service
    bench.api.crashed = crashed()
    state = bench.end()
    bench.check(state)
    assert state.reason.startswith("the challenger stopped: ")


def test_a_challenger_that_crashes_at_load_quotes_its_previous_logs(mode):
    bench = Bench(mode, broken=[TWO.storage_uri]).begun()
    bench.api.crashed = crashed()
    state = bench.end()
    bench.check(state)
    assert "OSError: the bundle is torn" in state.reason
    assert "exit code 3" in state.reason


def test_a_challenger_that_never_starts_is_withdrawn_and_named_is_what_was_waited_for(mode):
    bench = Bench(mode, broken=[TWO.storage_uri]).begun()
    state = bench.end()
    bench.check(state)
    assert state.phase is Phase.WITHDRAWN
    assert "the challenger was not ready within 120 s (" in state.reason


def test_a_process_that_takes_over_too_late_names_what_was_waited_for(mode):
    bench = Bench(mode, broken=[TWO.storage_uri]).begun()
    bench.end(until=lambda state: bench.world.now > 30)
    bench.world.tick(QUICK.start_seconds)
    reason = bench.process().reconcile_once().reason
    assert "the challenger was not ready within 120 s (" in reason
    assert "pods" in reason or "revision" in reason, reason


# The registry.


def test_an_unavailable_registry_closes_a_gate_with_its_error(mode):
    bench = Bench(mode).begun()
    bench.aliases.is_away = True
    state = bench.held()
    assert str(state.gate) == "promote-1"
    assert "the registry does not answer" in state.reason
    bench.aliases.is_away = False
    bench.api.annotate(approve="2/promote-1 by alice")
    bench.check(bench.end())


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL])
def test_no_registry_is_written_before_leadership_is_asserted(mode, verdict):
    bench = Bench(mode, verdicts={25: verdict}).begun()
    calls = []
    bench.aliases.promote = bench.aliases.reject = lambda *what: calls.append("written")
    process = bench.process(assert_leadership=lambda: calls.append("asserted"))
    process.run(lambda state: calls.count("written") == 3)
    assert calls[-6:] == ["asserted", "written"] * 3


# Starts that are refused.


def test_a_second_rollout_of_a_service_is_refused(mode):
    bench = Bench(mode).begun()
    with pytest.raises(InputError, match=r"version 2 is under way \(staging at 0 %\)"):
        bench.begun()


def test_the_version_that_serves_is_not_rolled_out(mode):
    with pytest.raises(InputError, match="serves already"):
        Bench(mode).process().begin(RolloutRequest(Challenger("1", ONE), QUICK))


def test_a_version_that_was_rolled_back_needs_an_override(mode):
    bench = Bench(mode, verdicts={25: Verdict.FAIL}).begun()
    first = bench.end()
    with pytest.raises(InputError, match="was rejected"):
        bench.begun()
    assert bench.state == first
    bench.api.annotate(approve="2/step-25 by alice", abort="2 by bob: old")
    bench.judge.verdicts.clear()
    state = bench.begun(asking(25), "fixed since").held()
    assert (str(state.gate), state.rollout != first.rollout) == ("step-25", True)


# What a rollout leaves of stable.


def test_a_promotion_makes_one_replica_set_and_restarts_none():
    bench = Bench("Standard").begun(asking(25))
    bench.held()
    bench.api.annotate(approve="2/step-25 by alice")
    bench.check(bench.end())
    assert {name: len(made) for name, made in bench.world.templates.items()} == {
        "filter-v1-predictor": 1, "filter-v2-predictor": 1,
    }  # fmt: skip


def test_a_promotion_makes_one_revision():
    bench = Bench("Knative").begun(asking(25))
    bench.held()
    bench.api.annotate(approve="2/step-25 by alice")
    bench.check(bench.end())
    assert bench.world.revisions == 2


def test_a_rollback_makes_no_more_than_a_revision_of_stables_model(mode):
    bench = Bench(mode, verdicts={25: Verdict.FAIL}).begun()
    bench.check(bench.end())
    if mode == "Standard":
        assert {len(made) for made in bench.world.templates.values()} == {1}
    else:
        assert bench.world.revisions == 3, "stable's, the challenger's, and stable's again"


def test_nothing_is_written_to_the_metadata_of_the_service(mode):
    for verdicts in ({}, {25: Verdict.FAIL}):
        bench = Bench(mode, verdicts=verdicts)
        before = bench.world.service("filter")["metadata"]
        bench.begun().end()
        after = bench.world.service("filter")["metadata"]
        for field in ("annotations", "labels"):
            assert after.get(field) == before.get(field)


def test_an_annotation_of_the_service_would_restart_stable():
    """The simulated cluster does what a real one does to a record in annotations of the InferenceService."""
    for mode, count in (("Standard", lambda world: len(world.templates["filter-v1-predictor"])),
                        ("Knative", lambda world: world.revisions)):  # fmt: skip
        world = Bench(mode).world
        for turn in range(3):
            world.stored.patch({"metadata": {"annotations": {"content-arena/rollout": str(turn)}}})
            world.tick(20)
        assert count(world) == 4


# A rollout that version 0.1.0 began: its record is in annotations of the InferenceService.


def recorded_as_before(bench):
    """Moves the record to where version 0.1.0 had it."""
    text = bench.api.config_maps.pop(RECORD).value["data"]["state"]
    bench.world.stored.patch({"metadata": {"annotations": {"content-arena/rollout": text}}})
    bench.world.tick(30)


def changes(world):
    """How often the template of stable's pods has changed; in Knative mode the number of revisions."""
    return len(world.templates["filter-v1-predictor"]) if hasattr(world, "templates") else world.revisions


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.SHIFTING, Phase.BAKING, Phase.PROMOTING])
@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL])
def test_a_rollout_under_way_is_carried_over_from_annotations(mode, phase, verdict):
    bench = Bench(mode).begun()
    bench.end(until=lambda state: state.phase is phase)
    recorded_as_before(bench)
    bench.judge.verdicts[100] = verdict
    if mode == "Standard" and phase is not Phase.PROMOTING:
        before = changes(bench.world)
        bench.end(until=lambda state: state.phase is Phase.BAKING and state.percent == 25)
        assert changes(bench.world) == before + 1, "the annotation was removed in one patch"
    state = bench.end()
    bench.check(state)
    assert "content-arena/rollout" not in bench.world.service("filter")["metadata"]["annotations"]
    assert (state.phase is Phase.PROMOTED) == (verdict is Verdict.PASS or phase is Phase.PROMOTING)


def test_a_rollback_under_way_is_carried_over_from_annotations(mode):
    bench = Bench(mode, verdicts={25: Verdict.FAIL}).begun()
    process = bench.process()
    process.run(lambda state: state.phase is Phase.ROLLING_BACK and bench.serves == ONE)
    recorded_as_before(bench)
    bench.check(bench.end())


def test_a_kill_while_a_rollout_is_carried_over_does_not_change_the_end(mode):
    for kill_at in range(3):
        for is_written in (False, True):
            bench = Bench(mode).begun()
            bench.end(until=lambda state: state.phase is Phase.BAKING and state.percent == 25)
            recorded_as_before(bench)
            bench.api.writes, bench.api.kill_at, bench.api.is_written = 0, kill_at, is_written
            with pytest.raises(Killed):
                bench.end()
            state = bench.end()
            bench.check(state)
            assert state.phase is Phase.PROMOTED


# A cluster in which a canary gets no share.


def test_a_share_that_the_route_does_not_show_ends_withdrawn_and_not_rejected():
    bench = Bench("Standard", has_route_weights=False).begun()
    state = bench.end()
    assert (state.phase, state.reason) == (Phase.WITHDRAWN, "the HTTPRoute did not show 25 % within 30 s")
    bench.check(state)
    assert reconciled(bench) == []
