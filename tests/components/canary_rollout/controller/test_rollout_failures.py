"""A rollout whose process is killed, or whose API server is unavailable or refuses."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.kube.client import AwayError, ClusterError, ConflictError
from content_arena.components.canary_rollout.plan.gate import GateKind
from content_arena.components.canary_rollout.plan.state import Phase
from tests.components.canary_rollout.bench import QUICK, WORLDS, Bench
from tests.components.canary_rollout.stand_in.api_server import Killed


def is_held_at(state, kind):
    return state.gate is not None and state.gate.kind is kind


# Killed.


def test_a_kill_before_or_after_any_write_does_not_change_the_end(mode):
    for is_written in (False, True):
        for kill_at in range(100):
            bench = Bench(mode)
            bench.api.kill_at, bench.api.is_written = kill_at, is_written
            try:
                bench.begun()
                state = bench.end()
            except Killed:
                bench.world.tick(kill_at % 7)
                if kill_at == 0 and not is_written:
                    bench.begun()
                state = bench.end()
            else:
                assert kill_at > 8, "a rollout has more writes than that"
                break
            bench.check(state)
            assert state.phase is Phase.PROMOTED
        bench.check(state)


@settings(max_examples=25)
@given(
    st.sampled_from(sorted(WORLDS)),
    st.lists(st.integers(0, 40), max_size=8),
    st.sampled_from([None, *QUICK.steps]),
)
def test_no_request_is_lost_by_kills_at_any_moments(mode, lifetimes, failing):
    """Each process is killed after a number of iterations; the last one runs to the end."""
    bench = Bench(mode, verdicts={} if failing is None else {failing: Verdict.FAIL}).begun()
    for iterations in lifetimes:
        process = bench.process()
        for _ in range(iterations):
            process.reconcile_once()
            bench.world.tick()
    state = bench.end()
    bench.check(state)
    assert (state.phase is Phase.PROMOTED) == (failing is None)


@settings(max_examples=40)
@given(st.sampled_from(sorted(WORLDS)), st.integers(1, 24), st.integers(0, 3), st.sampled_from([None, *QUICK.steps]))
def test_a_write_that_arrives_after_its_process_was_killed_does_not_change_the_end(mode, kill_at, later, failing):
    """The next process may have decided already when it arrives."""
    bench = Bench(mode, verdicts={} if failing is None else {failing: Verdict.FAIL})
    bench.api.kill_at = kill_at
    try:
        bench.begun()
        bench.end()
    except Killed:
        process = bench.process()
        for _ in range(later):
            with contextlib.suppress(ConflictError):
                process.reconcile_once()
        bench.api.arrive()
    state = bench.end()
    bench.check(state)
    assert (state.phase is Phase.PROMOTED) == (failing is None)


# An API server that is unavailable or refuses.


@pytest.mark.parametrize("after", [0, 8, 20, 33, 45])
def test_a_server_that_is_unavailable_for_half_a_minute_is_waited_for(mode, after):
    bench = Bench(mode).begun()
    process, start = bench.process(), bench.world.now
    process.run(lambda state: bench.world.now - start >= after)
    bench.api.away_until = bench.world.now + 30
    state = process.run()
    bench.check(state)
    assert state.phase is Phase.PROMOTED


def test_the_process_ends_if_the_server_stays_unavailable(mode):
    bench = Bench(mode).begun()
    process = bench.process(patience=20)
    bench.api.away_until = bench.world.now + 60
    with pytest.raises(AwayError, match="`arena rollout resume` goes on"):
        process.run()
    bench.world.tick(60)
    bench.check(bench.end())


FORBIDDEN = "inferenceservices filter is forbidden"


@pytest.mark.parametrize("call", ["service", "pods", "patch_service", "config_map", "patch_config_map"])
def test_a_server_that_refuses_for_a_while_is_waited_for(mode, call):
    bench = Bench(mode).begun()
    allowed, until = getattr(bench.api, call), bench.world.now + 40

    def forgets(*what, **how):
        if until - 20 < bench.world.now < until:
            raise ClusterError(FORBIDDEN)
        return allowed(*what, **how)

    setattr(bench.api, call, forgets)
    state = bench.end(until=lambda state: is_held_at(state, GateKind.REFUSED))
    if state.gate:
        # A move that was refused needs a person's approval, once the server allows it again.
        bench.world.tick(40)
        bench.api.annotate(approve=f"2/{state.gate} by alice")
        state = bench.end()
    bench.check(state)
    assert state.phase is Phase.PROMOTED


def test_a_right_that_is_missing_from_the_beginning_is_an_error_at_once(mode):
    bench = Bench(mode).begun()
    process, began = bench.process(), bench.world.now

    def forbids(*what, **how):
        raise ClusterError(FORBIDDEN)

    bench.api.service = forbids
    with pytest.raises(ClusterError, match="is forbidden"):
        process.run()
    assert bench.world.now == began


def test_the_process_ends_if_a_right_stays_missing(mode):
    bench = Bench(mode).begun()
    process, service, began = bench.process(patience=20), bench.api.service, bench.world.now

    def forbids(name):
        if bench.world.now > began + 5:
            raise ClusterError(FORBIDDEN)
        return service(name)

    bench.api.service = forbids
    with pytest.raises(AwayError, match=r"is forbidden for 20 s: .*`arena rollout resume` goes on"):
        process.run()


def test_a_refusal_closes_a_gate_with_the_servers_message_and_is_tried_again_once_approved(mode):
    bench = Bench(mode).begun()
    bench.api.refusals = [ClusterError("admission webhook denied the request: no")]
    state = bench.held()
    assert str(state.gate) == "refused-1"
    assert "admission webhook denied the request: no" in state.reason
    bench.api.annotate(approve="2/refused-1 by alice")
    state = bench.end()
    bench.check(state)
    assert state.approvals == ("refused-1 by alice",)


def denied(count):
    return [ClusterError("admission webhook denied the request: no")] * count


def test_a_refusal_during_a_rollback_is_tried_again_without_an_approval(mode):
    bench = Bench(mode, verdicts={25: Verdict.FAIL}).begun()
    process = bench.process()
    process.run(lambda state: state.phase is Phase.ROLLING_BACK)
    bench.api.refusals = denied(1)
    state = process.run()
    bench.check(state)
    assert (state.approvals, bench.api.refusals) == ((), [])


def test_after_a_long_refusal_the_registry_still_names_the_cause_of_the_rollback(mode):
    bench = Bench(mode, verdicts={25: Verdict.FAIL}).begun()
    bench.end(until=lambda state: state.phase is Phase.ROLLING_BACK)
    patch_service = bench.api.patch_service

    def denies(name, body, *what, **how):
        if "spec" in body:
            raise ClusterError("admission webhook denied the request: " + "no, " * 1_000)
        return patch_service(name, body, *what, **how)

    bench.api.patch_service = denies
    state = bench.held()
    assert is_held_at(state, GateKind.REFUSED)
    assert (len(state.reason), state.cause) == (600, "failed at 25 %: errors: fail")
    assert state.reason.startswith("refused: admission webhook denied")
    assert state.reason.endswith("it goes back because: failed at 25 %: errors: fail"), "the reason shows both"
    bench.api.patch_service = patch_service
    bench.api.annotate(approve=f"2/{state.gate} by alice")
    state = bench.end()
    bench.check(state)
    assert bench.aliases.rejected == ("2", state.rollout, "failed at 25 %: errors: fail")
