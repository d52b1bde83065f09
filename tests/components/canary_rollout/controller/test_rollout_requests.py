"""Approvals, aborts and edits during a rollout."""

import logging
from dataclasses import replace

import pytest

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.log import LOG
from content_arena.components.canary_rollout.plan.state import Phase
from content_arena.components.shared.errors import InputError
from tests.components.canary_rollout.bench import ONE, Bench, asking
from tests.components.canary_rollout.rollouts import at
from tests.components.canary_rollout.stand_in.api_server import RECORD


def test_an_approval_opens_the_gate_of_its_version_only(mode, caplog):
    bench = Bench(mode).begun(asking(25))
    assert str(bench.held().gate) == "step-25"
    for nonsense in ("3/step-25 by alice", "2/step-100 by alice", "yes"):
        bench.api.annotate(approve=nonsense)
        assert bench.held().percent == 0
    assert any("is for version 3, this is version 2" in line for line in caplog.messages)
    bench.api.annotate(approve="2/step-25 by alice")
    state = bench.end()
    bench.check(state)
    assert state.approvals == ("step-25 by alice",)


def test_a_rollout_that_waits_for_long_does_not_log_it_again_and_again(mode, tmp_path, caplog):
    caplog.set_level(logging.INFO, LOG.name)
    bench = Bench(mode, tmp_path, verdicts={25: Verdict.INCONCLUSIVE}).begun()
    bench.held()
    assert caplog.messages
    before = len(caplog.messages), len(bench.api.events)
    process, until = bench.process(), bench.world.now + 40
    process.run(lambda state: bench.world.now > until)
    assert bench.state.window > bench.state.since
    assert (len(caplog.messages), len(bench.api.events)) == before


def test_an_approval_is_used_once(mode):
    bench = Bench(mode).begun(asking(25, 100))
    bench.held()
    bench.api.annotate(approve="2/step-25 by alice")
    assert bench.end(until=lambda state: str(state.gate) == "step-100").approvals == ("step-25 by alice",)
    assert bench.api.requests == {}


def test_an_abort_rolls_back_from_anywhere_and_records_why(mode):
    for phase in (Phase.STAGING, Phase.SHIFTING, Phase.BAKING):
        bench = Bench(mode).begun()
        bench.end(until=lambda state, phase=phase: state.phase is phase)
        bench.api.annotate(abort="2 by bob: complaints: many")
        state = bench.end()
        bench.check(state)
        assert (state.phase, state.reason) == (Phase.WITHDRAWN, "aborted: complaints: many (bob)")


def test_an_abort_rejects_the_version_if_it_says_so(mode):
    bench = Bench(mode).begun()
    bench.api.annotate(abort="2 rejected by bob: rude")
    state = bench.end()
    bench.check(state)
    assert (state.phase, state.reason) == (Phase.ROLLED_BACK, "aborted: rude (bob)")


def test_an_abort_of_another_version_is_ignored(mode):
    bench = Bench(mode).begun()
    bench.api.annotate(abort="7 by bob: complaints")
    state = bench.end()
    assert state.phase is Phase.PROMOTED
    bench.check(state)


def edit(bench, **predictor):
    bench.world.stored.patch({"spec": {"predictor": predictor}})


def test_an_edit_is_noticed_named_and_not_overwritten(mode):
    bench = Bench(mode).begun()
    process = bench.process()
    process.run(lambda state: state.phase is Phase.BAKING and state.percent == 25)
    before = bench.world.service("filter")["spec"]["predictor"]["minReplicas"]
    edit(bench, minReplicas=5)
    state = process.run(lambda state: state.phase is Phase.WAITING)
    assert str(state.gate) == "edit-1"
    assert f"spec.predictor.minReplicas is 5 instead of {before}" in state.reason
    bench.world.tick(50)
    assert str(bench.held().gate) == "edit-1"
    assert bench.world.service("filter")["spec"]["predictor"]["minReplicas"] == 5
    bench.api.annotate(approve="2/edit-1 by alice")
    assert str(bench.held().gate) == "edit-1", "approved, and not undone"
    edit(bench, minReplicas=before)
    bench.check(bench.end())


def test_an_edit_while_no_process_runs_is_noticed_too(mode):
    bench = Bench(mode).begun()
    bench.end(until=lambda state: state.percent == 25)
    edit(bench, timeout=7)
    assert "not as the rollout wrote it" in bench.held().reason


def baking_at_25(bench):
    process = bench.process()
    process.run(lambda state: state.phase is Phase.BAKING and state.percent == 25)
    return process


def test_a_record_that_was_removed_is_written_again_and_closes_a_gate(mode):
    bench = Bench(mode).begun()
    process = baking_at_25(bench)
    bench.api.store_state(None)
    state = process.run(lambda state: state.phase is Phase.WAITING)
    assert (state, str(state.gate)) == (bench.state, "edit-1")
    assert "the record in the ConfigMap rollout-filter was removed" in state.reason
    bench.api.annotate(approve="2/edit-1 by alice")
    bench.check(bench.end())


def test_a_removed_record_is_not_taken_for_that_of_an_earlier_rollout(mode):
    """Version 0.1.0 recorded rollouts in an annotation of the service, which stays there after its end."""
    bench = Bench(mode)
    former = at(Phase.PROMOTED).dump()
    bench.world.stored.patch({"metadata": {"annotations": {"content-arena/rollout": former}}})
    process = baking_at_25(bench.begun())
    del bench.api.config_maps[RECORD]
    assert bench.state.rollout == "r1", "of the earlier rollout"
    state = process.run(lambda state: state.phase is Phase.WAITING)
    assert (state, str(state.gate), bench.share) == (bench.state, "edit-1", 25)
    assert "the record in the ConfigMap rollout-filter was removed" in state.reason
    bench.api.annotate(approve="2/edit-1 by alice")
    end = process.run()
    assert end.rollout == state.rollout
    bench.check(end)


def test_the_record_of_a_later_rollout_is_not_overwritten():
    bench = Bench("Standard").begun()
    process = baking_at_25(bench)
    later = replace(bench.state, rollout="later", started_at=bench.state.started_at + 1)
    bench.api.store_state(later.dump())
    assert process.reconcile_once().rollout == "later"
    assert bench.state.rollout == "later"


def test_an_abort_works_although_the_record_was_removed(mode):
    bench = Bench(mode).begun()
    process = baking_at_25(bench)
    bench.api.store_state(None)
    bench.api.annotate(abort="2 by alice: broken")
    state = process.run()
    bench.check(state)
    assert state.reason == "aborted: broken (alice)"


def test_a_record_that_is_removed_right_after_a_move_does_not_turn_the_move_into_an_edit(mode):
    bench = Bench(mode).begun()
    process, patch_service = bench.process(), bench.api.patch_service

    def stripped(name, body, version, *, dry_run=False):
        written = patch_service(name, body, version, dry_run=dry_run)
        if not dry_run and "spec" in body:
            bench.api.store_state(None)
        return written

    bench.api.patch_service = stripped
    state = process.run(lambda state: state.phase is Phase.WAITING)
    bench.api.patch_service = patch_service
    bench.api.annotate(approve=f"2/{state.gate} by alice")
    bench.check(process.run())


def test_a_record_that_is_removed_again_and_again_is_reported_once(mode):
    bench = Bench(mode).begun()
    process = baking_at_25(bench)
    bench.api.store_state(None)
    process.reconcile_once()
    before = len(bench.api.events)
    for _ in range(5):
        bench.api.store_state(None)
        process.reconcile_once()
    assert (str(bench.state.gate), len(bench.api.events)) == ("edit-1", before)


def test_a_record_that_is_removed_does_not_stop_a_rollback(mode):
    bench = Bench(mode, verdicts={25: Verdict.FAIL}).begun()
    process = bench.process()
    process.run(lambda state: state.phase is Phase.ROLLING_BACK)
    bench.api.store_state(None)
    state = process.run()
    bench.check(state)
    assert state.phase is Phase.ROLLED_BACK


def test_an_abort_rolls_back_despite_an_edit(mode):
    bench = Bench(mode).begun()
    bench.end(until=lambda state: state.phase is Phase.BAKING and state.percent == 25)
    edit(bench, timeout=7)
    bench.held()
    bench.api.annotate(abort="2 by bob: enough")
    state = bench.end()
    assert (state.phase, bench.world.lost) == (Phase.WITHDRAWN, 0)
    assert bench.serves == ONE


def test_a_deleted_service_ends_the_process():
    bench = Bench("Standard").begun()

    def gone(name):
        raise InputError("namespace default has no InferenceService filter")

    process = bench.process()
    bench.api.service = gone
    with pytest.raises(InputError, match="no InferenceService"):
        process.run()
