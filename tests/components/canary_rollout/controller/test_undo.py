"""A promotion that is taken back: the version before it serves again, without analysis and without a lost request."""

import pytest

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.controller.beginning import RolloutRequest
from content_arena.components.canary_rollout.controller.undo import UndoRequest
from content_arena.components.canary_rollout.launch import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Phase
from content_arena.components.shared.errors import InputError
from tests.components.canary_rollout.bench import ONE, QUICK, Bench
from tests.components.canary_rollout.controller.test_reconcile import reconciled
from tests.components.canary_rollout.stand_in.api_server import Killed

WHY = "complaints (alice)"
PLAN = Parameters(
    steps=(0, 100), bake_seconds=0.0, warmup_seconds=0.0, min_requests=0, inconclusive_limit=0, start_seconds=120,
    move_seconds=60,
)  # fmt: skip


@pytest.fixture
def bench(mode):
    return promoted(mode)


def promoted(mode):
    """Version 2 has been promoted, and whatever is measured now is bad."""
    bench = Bench(mode).begun()
    bench.check(bench.end())
    bench.judge.verdicts = dict.fromkeys((0, 25, 100), Verdict.FAIL)
    bench.api.writes = 0
    return bench


def begin(bench):
    bench.process().begin(RolloutRequest(Challenger("1", ONE), PLAN, undo=WHY))


def check(bench, state):
    assert (state.phase, bench.serves, bench.world.lost) == (Phase.PROMOTED, ONE, 0)
    spec = bench.world.service("filter")["spec"]
    assert spec == bench.before
    assert (bench.aliases.champion, bench.aliases.previous) == ("1", "")
    assert bench.aliases.rejected == ("2", state.rollout, WHY)


def test_the_version_before_serves_again_and_the_other_is_rejected(bench):
    begin(bench)
    assert bench.state.reason == f"takes version 2 back: {WHY}"
    check(bench, bench.end())


def test_it_takes_no_longer_than_its_pods_and_the_gateway(bench):
    began = bench.world.now
    begin(bench)
    bench.end()
    # Pods start in 3 s, for stable and for the version before it, at 0 % and at 100 %; each move of the gateway takes
    # the settling time and its lag.
    assert bench.world.now - began <= 60


def test_a_rejection_of_the_version_before_is_no_obstacle(bench):
    bench.aliases.rejected = ("1", "r0", "old")
    begin(bench)
    check(bench, bench.end())


def test_the_version_before_is_not_brought_back_if_its_pods_crash(mode):
    bench = promoted(mode)
    bench.world._broken.add(ONE)
    begin(bench)
    state = bench.end()
    assert (state.phase, bench.serves, bench.world.lost) == (Phase.WITHDRAWN, "s3://models/content-filter/2", 0)
    assert bench.aliases.champion == "2"


def test_an_abort_keeps_what_serves(bench):
    begin(bench)
    bench.api.annotate(abort="1 by bob: it was the gateway")
    state = bench.end()
    assert (state.phase, bench.aliases.champion, bench.aliases.rejected) == (Phase.WITHDRAWN, "2", ())


def test_a_kill_before_or_after_any_write_does_not_change_the_end(mode):
    for is_written in (False, True):
        for kill_at in range(0, 40, 3):
            bench = promoted(mode)
            bench.api.kill_at, bench.api.is_written = kill_at, is_written
            try:
                begin(bench)
                state = bench.end()
            except Killed:
                if kill_at == 0 and not is_written:
                    begin(bench)
                state = bench.end()
            else:
                break
            check(bench, state)
        check(bench, state)


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.SHIFTING, Phase.PROMOTING])
def test_an_undo_that_no_process_runs_is_finished_by_reconcile(bench, phase):
    begin(bench)
    bench.end(until=lambda state: state.phase is phase)
    assert "it is promoted" in reconciled(bench)[0]
    check(bench, bench.state)
    assert reconciled(bench) == []


def test_an_undo_during_a_rollout_is_refused(mode):
    bench = Bench(mode).begun(QUICK)
    with pytest.raises(InputError, match="a rollout of version 2 is under way"):
        begin(bench)


@pytest.mark.parametrize("reason", ["", " "])
def test_a_reason_is_required(reason):
    with pytest.raises(InputError, match="an undo needs a reason"):
        UndoRequest(reason)
