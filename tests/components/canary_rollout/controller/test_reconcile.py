"""Reconciling makes registry, spec and traffic agree, and does nothing the second time."""

import pytest

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.controller.reconcile import Reconciler
from content_arena.components.canary_rollout.kube.client import ClusterError
from content_arena.components.canary_rollout.kube.lease import HeldError
from content_arena.components.canary_rollout.plan.state import Phase
from content_arena.components.canary_rollout.traffic.mode import TrafficError
from content_arena.components.canary_rollout.traffic.mover import Mover
from tests.components.canary_rollout.bench import ONE, QUICK, TWO, Bench, asking


def reconciled(bench, **how):
    mover = Mover(bench.api, "filter", 5, clock=lambda: bench.world.now)
    return Reconciler(bench.records, mover, bench.process(), bench.aliases, user=bench.api.user).reconcile(**how)


def left_at(mode, phase, **how):
    bench = Bench(mode, **how).begun()
    bench.end(until=lambda state: state.phase is phase)
    return bench


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.SHIFTING, Phase.BAKING])
def test_a_rollout_before_its_promotion_is_withdrawn_and_not_rejected(mode, phase):
    bench = left_at(mode, phase)
    done = reconciled(bench)
    assert f"was left {phase.value}" in done[0]
    assert "it is withdrawn: aborted: no process ran it any more (reconcile)" in done[0]
    bench.check(bench.state)
    assert bench.state.is_abandoned
    assert reconciled(bench) == []


def test_a_promotion_is_finished(mode):
    bench = left_at(mode, Phase.PROMOTING)
    assert "it is promoted" in reconciled(bench)[0]
    bench.check(bench.state)
    assert reconciled(bench) == []


def test_a_rollback_is_finished(mode):
    bench = left_at(mode, Phase.ROLLING_BACK, verdicts={25: Verdict.FAIL})
    assert "it is rolled_back: failed at 25 %" in reconciled(bench)[0]
    bench.check(bench.state)
    assert reconciled(bench) == []


def test_a_rollout_that_waits_for_a_persons_decision_goes_on_waiting(mode):
    bench = Bench(mode).begun(asking(25))
    state = bench.held()
    done = reconciled(bench)
    assert len(done) == 1
    assert done[0].startswith("the rollout of version 2 goes on waiting for step-25 at 0 %: ")
    assert bench.state == state


def test_an_abort_is_carried_out_while_the_rollout_waits(mode):
    for verdicts, parameters in (({}, asking(25)), ({25: Verdict.INCONCLUSIVE}, QUICK)):
        bench = Bench(mode, verdicts=verdicts).begun(parameters)
        bench.held()
        bench.api.annotate(abort="2 by bob: not today")
        assert "it is withdrawn: aborted: not today (bob)" in reconciled(bench)[0]
        bench.check(bench.state)
        assert reconciled(bench) == []


def test_an_abort_over_an_edit_is_carried_out(mode):
    bench = left_at(mode, Phase.BAKING)
    bench.world.stored.patch({"spec": {"predictor": {"timeout": 7}}})
    assert str(bench.held().gate) == "edit-1"
    bench.api.annotate(abort="2 by bob: not today")
    assert "it is withdrawn: aborted: not today (bob)" in reconciled(bench)[0]
    assert bench.serves == ONE


def test_a_registry_that_is_available_again_is_updated(mode):
    bench = Bench(mode).begun()
    bench.aliases.is_away = True
    assert str(bench.held().gate) == "promote-1"
    bench.aliases.is_away = False
    assert "it is promoted" in reconciled(bench)[0]
    bench.check(bench.state)
    assert reconciled(bench) == []


def test_an_action_that_was_refused_too_long_is_tried_again(mode):
    bench = left_at(mode, Phase.ROLLING_BACK, verdicts={25: Verdict.FAIL})
    patch_service = bench.api.patch_service

    def denies(name, body, *what, **how):
        if "spec" in body:
            raise ClusterError("denied")
        return patch_service(name, body, *what, **how)

    bench.api.patch_service = denies
    assert str(bench.held().gate) == "refused-1"
    bench.api.patch_service = patch_service
    assert "it is rolled_back" in reconciled(bench)[0]
    bench.check(bench.state)
    assert "failed at 25 %: errors: fail" in bench.state.reason
    # The manifests' approval guard refuses any other name.
    assert bench.state.approvals[-1].endswith(" by alice@example.com")
    assert reconciled(bench) == []


@pytest.mark.parametrize("ended", [None, Verdict.PASS, Verdict.FAIL])
def test_a_champion_that_does_not_serve_is_named_and_demoted_only_on_request(mode, ended):
    bench = Bench(mode, verdicts={25: ended} if ended else {})
    if ended:
        bench.begun().end()
    serves = bench.aliases.champion
    bench.aliases.champion, bench.aliases.rejected = "9", ()
    for _ in range(2):
        assert reconciled(bench) == [f"{serves} serves, champion is 9"]
    assert (bench.aliases.champion, bench.aliases.rejected) == ("9", ())
    assert reconciled(bench, adopts=True) == [f"champion is {serves}"]
    assert reconciled(bench) == []


def test_no_alias_is_moved_after_leadership_is_lost(mode):
    bench = Bench(mode)
    bench.aliases.champion = "9"

    def lost():
        raise HeldError("another process runs this rollout by now")

    mover = Mover(bench.api, "filter", 5, clock=lambda: bench.world.now)
    with pytest.raises(HeldError):
        Reconciler(bench.records, mover, bench.process(), bench.aliases, lost).reconcile(adopts=True)
    assert bench.aliases.champion == "9"


def test_a_canary_of_no_rollout_is_not_changed_and_named():
    bench = Bench("Standard")
    model = {"name": "kserve-container", "storageUri": TWO.storage_uri}
    canary = [{"trafficPercent": 10, "predictor": {"name": "v7", "model": model}}]
    bench.world.stored.patch({"spec": {"canary": canary}})
    with pytest.raises(TrafficError, match="a canary of no rollout"):
        reconciled(bench)
    assert bench.world.service("filter")["spec"]["canary"] == canary
