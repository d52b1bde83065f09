"""A rollout to the runtime of another release: its record, kills, an undo, and what it refuses."""

import json
import re
from dataclasses import replace

import pytest

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.controller.beginning import RolloutRequest
from content_arena.components.canary_rollout.controller.undo import with_own_runtime
from content_arena.components.canary_rollout.kube.client import ClusterError
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Phase
from content_arena.components.shared.errors import InputError
from tests.components.canary_rollout.bench import ONE, QUICK, TWO, Bench
from tests.components.canary_rollout.controller.test_undo import PLAN, WHY
from tests.components.canary_rollout.stand_in.api_server import Killed

NEXT = replace(TWO, runtime="next")
KEEP = Parameters(**(QUICK.as_dict() | {"steps": QUICK.steps, "keep_seconds": 600}))


def begin(bench, challenger=NEXT, plan=QUICK, **how):
    bench.process().begin(RolloutRequest(challenger, plan, **how))


def runtime(bench):
    return bench.world.service("filter")["spec"]["predictor"]["model"].get("runtime")


def check(bench, state):
    """``Bench.check`` also compares the whole spec of a rollback with the one before."""
    bench.check(state)
    assert runtime(bench) == ("next" if state.phase is Phase.PROMOTED else "content-arena")


@pytest.mark.parametrize("verdicts", [{}, {25: Verdict.FAIL}], ids=["promoted", "rolled back"])
def test_a_kill_before_or_after_any_write_does_not_change_the_end(mode, verdicts):
    for is_written in (False, True):
        for kill_at in range(1, 60, 7):
            bench = Bench(mode, verdicts=verdicts)
            bench.api.kill_at, bench.api.is_written = kill_at, is_written
            try:
                begin(bench)
                state = bench.end()
            except Killed:
                state = bench.end()
            else:
                break
            check(bench, state)
        check(bench, state)


@pytest.mark.parametrize("plan", [QUICK, KEEP], ids=["nothing kept", "kept"])
def test_an_undo_returns_to_the_runtime_before(mode, plan):
    bench = Bench(mode)
    begin(bench, NEXT, plan)
    assert bench.state.candidate == NEXT
    assert (bench.end().phase, runtime(bench)) == (Phase.PROMOTED, "next")
    # By its number, as the registry knows it: without a runtime.
    previous = with_own_runtime(Challenger("1", ONE), bench.state)
    assert previous.runtime == "content-arena"
    begin(bench, previous, PLAN, undo=WHY)
    assert (bench.end().phase, bench.world.lost) == (Phase.PROMOTED, 0)
    assert bench.world.service("filter")["spec"] == bench.before


def test_the_record_knows_the_runtime_of_the_challenger_too(mode):
    bench = Bench(mode, verdicts={25: Verdict.FAIL})
    begin(bench)
    bench.end()
    assert with_own_runtime(TWO, bench.state).runtime == "next"
    bench = Bench(mode, verdicts={25: Verdict.FAIL})
    begin(bench, TWO)
    bench.end()
    assert with_own_runtime(TWO, bench.state).runtime == "content-arena", "that of the version beside it"


def test_an_undo_works_where_the_service_names_no_runtime_any_more_and_kserve_has_chosen_that_of_before(mode):
    bench = Bench(mode)
    begin(bench, TWO)
    bench.end()
    changed(bench, None, "content-arena")
    begin(bench, Challenger("1", ONE, runtime="content-arena"), PLAN, undo=WHY)
    assert (bench.end().phase, bench.serves, bench.world.lost) == (Phase.PROMOTED, ONE, 0)


def test_an_undo_from_a_runtime_that_the_service_does_not_name_says_what_to_do(mode):
    bench = Bench(mode)
    begin(bench)
    bench.end()
    previous = with_own_runtime(Challenger("1", ONE), bench.state)
    changed(bench, None, "next")
    with pytest.raises(InputError) as refused:
        begin(bench, previous, PLAN, undo=WHY)
    assert "--runtime" not in str(refused.value), "an undo has no such option"
    (patch,) = re.findall(r"--type=merge --patch '(.*)'`", str(refused.value))
    bench.world.stored.patch(json.loads(patch))
    bench.world.tick(20)
    begin(bench, previous, PLAN, undo=WHY)
    assert (bench.end().phase, bench.serves, runtime(bench)) == (Phase.PROMOTED, ONE, "content-arena")


def changed(bench, named, chosen):
    """Somebody changes the runtime in the spec, and KServe says which one it has chosen."""
    bench.world.stored.patch({"spec": {"predictor": {"model": {"runtime": named}}}})
    bench.world.tick(20)
    read = bench.api.service

    def service(name):
        found = read(name)
        return found | {"status": found["status"] | {"servingRuntimeName": chosen}}

    bench.api.service = service


def test_a_runtime_that_does_not_exist_is_refused_and_what_there_is_is_named(mode):
    bench = Bench(mode)
    bench.api.runtimes = {"namespace": ["content-arena"], "cluster": ["shared"]}
    with pytest.raises(InputError, match=r"no ServingRuntime .*: there is content-arena, shared$"):
        begin(bench)
    assert (bench.api.config_maps, bench.api.writes) == ({}, 0)
    bench.api.runtimes["cluster"].append("next")
    begin(bench)
    check(bench, bench.end())


def test_a_runtime_that_may_not_be_looked_for_is_taken(mode, caplog):
    bench = Bench(mode)

    def forbidden(*, of_cluster=False):
        raise ClusterError('servingruntimes is forbidden: User "me" cannot list resource "servingruntimes"')

    bench.api.serving_runtimes = forbidden
    begin(bench)
    assert "whether there is a runtime next can not be told: servingruntimes is forbidden" in caplog.text
    check(bench, bench.end())


def test_a_version_that_did_not_serve_before_comes_back_with_what_it_is_given(mode):
    bench = Bench(mode)
    begin(bench)
    bench.end()
    other = Challenger("0", "s3://models/content-filter/0")
    assert with_own_runtime(other, bench.state) == other
    assert with_own_runtime(Challenger("1", ONE), None) == Challenger("1", ONE)
    assert with_own_runtime(Challenger("1", ONE, runtime="third"), bench.state).runtime == "third"


def test_a_kept_version_that_is_rolled_out_by_another_runtime_gets_new_pods():
    bench = Bench("Standard")
    begin(bench, NEXT, KEEP)
    bench.end()
    begin(bench, Challenger("1", ONE, runtime="next"))
    assert bench.state.runtime == "", "that of what serves by now"
    assert (bench.end().phase, bench.serves, runtime(bench), bench.world.lost) == (Phase.PROMOTED, ONE, "next", 0)


def test_the_runtime_of_what_serves_is_no_other_one(mode):
    bench = Bench(mode)
    begin(bench, replace(TWO, runtime="content-arena"))
    assert bench.state.runtime == ""
    assert '"runtime":""' not in bench.state.dump()
    bench.check(bench.end())


def test_a_service_without_a_runtime_has_none_to_return_to(mode):
    bench = Bench(mode)
    bench.world.stored.patch({"spec": {"predictor": {"model": {"runtime": None}}}})
    bench.world.tick(20)
    with pytest.raises(InputError, match=r"names none that a rollback could return to.*leave --runtime"):
        begin(bench)
    assert bench.api.config_maps == {}
    begin(bench, TWO)
    assert (bench.end().phase, runtime(bench)) == (Phase.PROMOTED, None)
