"""A whole rollout in a cluster of this process, on good days and bad ones."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.canary_rollout.analysis import Check
from content_arena.components.canary_rollout.annotations import record_of
from content_arena.components.canary_rollout.cluster import AwayError, ClusterError
from content_arena.components.canary_rollout.history import History, read
from content_arena.components.canary_rollout.measurement import Measurement
from content_arena.components.canary_rollout.move import Mover
from content_arena.components.canary_rollout.observation import Verdict
from content_arena.components.canary_rollout.parameters import Parameters
from content_arena.components.canary_rollout.rollout import Pace, Rollout
from content_arena.components.canary_rollout.state import Challenger, Phase
from content_arena.components.shared.errors import InputError, RegistryError
from tests.components.canary_rollout.stand_in import knative_world, standard_world
from tests.components.canary_rollout.stand_in.api_server import ApiServer, Killed

TWO = Challenger("2", "s3://models/content-filter/2")
ONE = "s3://models/content-filter/1"
SETTLE = 5
WORLDS = {
    "Standard": lambda **how: standard_world.StandardWorld(standard_world.service(), **how),
    "Knative": lambda **how: knative_world.KnativeWorld(knative_world.service(), **how),
}
QUICK = Parameters(
    steps=(0, 25, 100), bake_seconds=4, warmup_seconds=1, min_requests=5, start_seconds=120, move_seconds=60,
    inconclusive_limit=1, deadline_seconds=5000,
)  # fmt: skip


@dataclass
class Judge:
    """Says what it is told to, of each share or else of all."""

    verdicts: dict = field(default_factory=dict)

    def measure(self, moment):
        verdict = self.verdicts.get(moment.percent, Verdict.PASS)
        check = Check("errors", verdict, f"errors: {verdict.value}")
        return Measurement(verdict, check.reason, 10, (check,))


@dataclass
class Aliases:
    """A registry of two aliases and a tag."""

    champion: str = "1"
    previous: str = ""
    rejected: tuple = ()
    is_away: bool = False

    def check(self, challenger, stable, insist=None, *, dry_run=False):
        if self.rejected and not insist:
            raise InputError(f"version {challenger} was rejected ({self.rejected[2]})")

    def is_champion(self, challenger):
        return self.champion == challenger

    def promote(self, challenger, stable):
        if self.is_away:
            raise RegistryError("the registry does not answer")
        self.champion, self.previous = challenger, stable

    def is_rejected(self, challenger, rollout):
        return bool(self.rejected) and self.rejected[:2] == (challenger, rollout)

    def reject(self, challenger, stable, rollout, reason):
        self.rejected = (challenger, rollout, reason)

    def heal(self, serving):
        if self.champion == serving:
            return []
        self.champion = serving
        return [f"champion is {serving}"]


class Bench:
    """A world, and processes that roll out in it one after the other."""

    def __init__(self, mode, tmp_path=None, *, verdicts=None, **how):
        self.world = WORLDS[mode](**how)
        self.before = self.world.service("filter")["spec"]
        self.api, self.judge, self.aliases = ApiServer(self.world), Judge(verdicts or {}), Aliases()
        self.history = History(tmp_path / "rollout.jsonl") if tmp_path else None
        self.lines = []

    def process(self, patience=600.0, still_mine=lambda: None):
        """A new one: it remembers nothing."""
        mover = Mover(self.api, "filter", SETTLE, clock=lambda: self.world.now)
        return Rollout(
            self.api, mover, self.judge, self.aliases, service="filter", history=self.history, say=self.lines.append,
            still_mine=still_mine, pace=Pace(1.0, patience), clock=lambda: 1e6 + self.world.now,
            sleep=lambda seconds: self.world.tick(),
        )  # fmt: skip

    def begun(self, parameters=QUICK, insist=None):
        self.process().begin(TWO, parameters, insist)
        return self

    def end(self, limit=2000, until=lambda state: False):
        last = self.world.now + limit
        state = self.process().run(lambda state: until(state) or self.world.now > last)
        assert self.world.now <= last, f"not within {limit} s: {state}"
        return state

    def held(self):
        return self.end(until=lambda state: state.phase is Phase.WAITING)

    @property
    def state(self):
        return record_of(self.world.service("filter"))

    @property
    def serves(self):
        return self.world.service("filter")["spec"]["predictor"]["model"]["storageUri"]

    def check(self, state):
        """What holds at every end: nothing lost, one model serves, and the registry agrees."""
        assert self.world.lost == 0
        assert state.phase.is_end
        spec = self.world.service("filter")["spec"]
        assert "canary" not in spec
        assert "canaryTrafficPercent" not in spec["predictor"]
        annotations = self.world.service("filter")["metadata"]["annotations"]
        assert "content-arena/approve" not in annotations
        assert "content-arena/abort" not in annotations
        if state.phase is Phase.PROMOTED:
            assert (self.serves, self.aliases.champion, self.aliases.previous) == (TWO.storage_uri, "2", "1")
        else:
            assert spec == self.before
            assert (self.aliases.champion, self.aliases.rejected) == ("1", ("2", state.rollout, state.reason))


@pytest.fixture(params=WORLDS)
def mode(request):
    return request.param


def test_a_good_challenger_is_promoted_through_every_step(mode, tmp_path):
    bench = Bench(mode, tmp_path).begun()
    bench.check(bench.end())
    records = read(bench.history.path)
    assert [r.percent for r in records if r.phase == "baking" and r.event] == [0, 25, 100]
    assert [r.share for r in records if r.phase == "baking" and r.event] == [0, 25, 100]
    assert {r.phase for r in records} == {"staging", "shifting", "baking", "promoting", "promoted"}
    assert any(check.verdict is Verdict.PASS for r in records for check in r.checks)


def test_every_move_is_told_as_an_event(mode):
    bench = Bench(mode).begun()
    bench.end()
    reasons = [event["reason"] for event in bench.api.events]
    assert reasons[0] == "RolloutStarted"
    assert reasons[-1] == "RolloutPromoted"
    assert reasons.count("RolloutShifting") == 2
    assert "25 %" in " ".join(event["note"] for event in bench.api.events if event["reason"] == "RolloutMove")
    assert all(event["regarding"]["name"] == "filter" for event in bench.api.events)


@pytest.mark.parametrize("percent", QUICK.steps)
def test_a_challenger_that_fails_at_a_step_goes_back(mode, percent):
    bench = Bench(mode, verdicts={percent: Verdict.FAIL}).begun()
    state = bench.end()
    bench.check(state)
    assert (state.phase, state.percent) == (Phase.ROLLED_BACK, percent)
    assert "errors: fail" in state.reason


def test_no_data_is_never_promoted(mode):
    bench = Bench(mode, verdicts={25: Verdict.INCONCLUSIVE}).begun()
    state = bench.held()
    assert (state.gate, state.percent, bench.serves == ONE or mode == "Knative") == ("measure-1", 25, True)
    assert "errors: inconclusive" in state.reason


def crashed():
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    died = {"terminated": {"exitCode": 3}}
    container = {"name": "kserve-container", "state": waiting, "lastState": died, "restartCount": 2}
    return [{"metadata": {"name": "pod-a"}, "status": {"containerStatuses": [container]}}]


def test_a_challenger_that_stops_while_users_meet_it_goes_back_though_it_counts_as_ready(mode):
    bench = Bench(mode).begun()
    bench.end(until=lambda state: state.phase is Phase.BAKING and state.percent == 25)
    bench.api.crashed = crashed()
    state = bench.end()
    bench.check(state)
    assert state.reason.startswith("the challenger stopped: kserve-container of pod pod-a: CrashLoopBackOff")


def test_a_challenger_that_stops_as_it_is_about_to_be_promoted_goes_back(mode):
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


def test_a_challenger_that_crashes_at_load_names_its_last_words(mode):
    bench = Bench(mode, broken=[TWO.storage_uri]).begun()
    bench.api.crashed = crashed()
    state = bench.end()
    bench.check(state)
    assert "OSError: the bundle is torn" in state.reason
    assert "exit code 3" in state.reason


def test_a_challenger_that_never_starts_says_what_was_waited_for(mode):
    bench = Bench(mode, broken=[TWO.storage_uri]).begun()
    state = bench.end()
    bench.check(state)
    assert "the challenger was not ready within 120 s (" in state.reason


def test_who_takes_over_too_late_says_what_was_waited_for(mode):
    bench = Bench(mode, broken=[TWO.storage_uri]).begun()
    bench.end(until=lambda state: bench.world.now > 30)
    bench.world.tick(QUICK.start_seconds)
    reason = bench.process().turn().reason
    assert "the challenger was not ready within 120 s (" in reason
    assert "pods" in reason or "revision" in reason, reason


# Killed.


def test_killed_before_and_after_every_write_the_end_is_the_same(mode):
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


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(sorted(WORLDS)),
    st.lists(st.integers(0, 40), max_size=8),
    st.sampled_from([None, *QUICK.steps]),
)
def test_killed_at_any_moments_nothing_is_lost(mode, lives, failing):
    """Each process lives for so many turns; the last one to the end."""
    bench = Bench(mode, verdicts={} if failing is None else {failing: Verdict.FAIL}).begun()
    for turns in lives:
        process = bench.process()
        for _ in range(turns):
            process.turn()
            bench.world.tick()
    state = bench.end()
    bench.check(state)
    assert (state.phase is Phase.PROMOTED) == (failing is None)


# The API server's bad days.


@pytest.mark.parametrize("after", [0, 8, 20, 33, 45])
def test_a_server_that_is_away_for_half_a_minute_is_waited_for(mode, after):
    bench = Bench(mode).begun()
    process, start = bench.process(), bench.world.now
    process.run(lambda state: bench.world.now - start >= after)
    bench.api.away_until = bench.world.now + 30
    state = process.run()
    bench.check(state)
    assert state.phase is Phase.PROMOTED


def test_a_server_that_stays_away_is_left_in_the_end(mode):
    bench = Bench(mode).begun()
    process = bench.process(patience=20)
    bench.api.away_until = bench.world.now + 60
    with pytest.raises(AwayError, match="`arena rollout resume` goes on"):
        process.run()
    bench.world.tick(60)
    bench.check(bench.end())


FORBIDDEN = "inferenceservices filter is forbidden"


@pytest.mark.parametrize("call", ["service", "pods", "patch_service"])
def test_a_server_that_forgets_for_a_while_what_is_allowed_is_waited_for(mode, call):
    bench = Bench(mode).begun()
    allowed, until = getattr(bench.api, call), bench.world.now + 40

    def forgets(*what, **how):
        if until - 20 < bench.world.now < until:
            raise ClusterError(FORBIDDEN)
        return allowed(*what, **how)

    setattr(bench.api, call, forgets)
    state = bench.end(until=lambda state: state.gate.startswith("refused"))
    if state.gate:
        # A move that is refused is a person's, as ever.
        bench.api.annotate(approve=f"2/{state.gate} by alice")
        state = bench.end()
    bench.check(state)
    assert state.phase is Phase.PROMOTED


def test_a_right_that_is_missing_from_the_beginning_is_said_at_once(mode):
    bench = Bench(mode).begun()
    process, began = bench.process(), bench.world.now

    def forbids(*what, **how):
        raise ClusterError(FORBIDDEN)

    bench.api.service = forbids
    with pytest.raises(ClusterError, match="is forbidden"):
        process.run()
    assert bench.world.now == began


def test_a_right_that_stays_away_is_left_in_the_end(mode):
    bench = Bench(mode).begun()
    process, service, began = bench.process(patience=20), bench.api.service, bench.world.now

    def forbids(name):
        if bench.world.now > began + 5:
            raise ClusterError(FORBIDDEN)
        return service(name)

    bench.api.service = forbids
    with pytest.raises(AwayError, match=r"is forbidden for 20 s: .*`arena rollout resume` goes on"):
        process.run()


def test_what_the_server_refuses_is_held_in_its_words_and_tried_again_once_approved(mode):
    bench = Bench(mode).begun()
    bench.api.refusals = [ClusterError("admission webhook denied the request: no")]
    state = bench.held()
    assert state.gate == "refused-1"
    assert "admission webhook denied the request: no" in state.reason
    bench.api.annotate(approve="2/refused-1 by alice")
    state = bench.end()
    bench.check(state)
    assert state.approvals == ("refused-1 by alice",)


def denied(count):
    return [ClusterError("admission webhook denied the request: no")] * count


def test_a_refusal_while_it_goes_back_is_tried_again_by_itself(mode):
    bench = Bench(mode, verdicts={25: Verdict.FAIL}).begun()
    process = bench.process()
    process.run(lambda state: state.phase is Phase.ROLLING_BACK)
    bench.api.refusals = denied(1)
    state = process.run()
    bench.check(state)
    assert (state.approvals, bench.api.refusals) == ((), [])


# People.


def asking(*approvals):
    return Parameters(**(QUICK.as_dict() | {"steps": QUICK.steps, "approvals": approvals}))


def test_an_approval_opens_the_gate_of_its_version_only(mode):
    bench = Bench(mode).begun(asking(25))
    assert bench.held().gate == "step-25"
    for nonsense in ("3/step-25 by alice", "2/step-100 by alice", "yes"):
        bench.api.annotate(approve=nonsense)
        assert bench.held().percent == 0
    assert any("is for version 3, this is version 2" in line for line in bench.lines)
    bench.api.annotate(approve="2/step-25 by alice")
    state = bench.end()
    bench.check(state)
    assert state.approvals == ("step-25 by alice",)


def test_who_waits_for_long_is_not_told_so_again_and_again(mode, tmp_path):
    bench = Bench(mode, tmp_path, verdicts={25: Verdict.INCONCLUSIVE}).begun()
    bench.held()
    told = len(bench.lines), len(bench.api.events)
    process, until = bench.process(), bench.world.now + 40
    process.run(lambda state: bench.world.now > until)
    assert bench.state.window > bench.state.since
    assert (len(bench.lines), len(bench.api.events)) == told


def test_an_approval_is_used_once(mode):
    bench = Bench(mode).begun(asking(25, 100))
    bench.held()
    bench.api.annotate(approve="2/step-25 by alice")
    assert bench.end(until=lambda state: state.gate == "step-100").approvals == ("step-25 by alice",)
    assert "content-arena/approve" not in bench.world.service("filter")["metadata"]["annotations"]


def test_an_abort_goes_back_from_anywhere_and_says_why(mode):
    for phase in (Phase.STAGING, Phase.SHIFTING, Phase.BAKING):
        bench = Bench(mode).begun()
        bench.end(until=lambda state, phase=phase: state.phase is phase)
        bench.api.annotate(abort="2 by bob: complaints: many")
        state = bench.end()
        bench.check(state)
        assert state.reason == "aborted: complaints: many (bob)"


def test_an_abort_of_another_version_is_not_heard(mode):
    bench = Bench(mode).begun()
    bench.api.annotate(abort="7 by bob: complaints")
    state = bench.end()
    assert state.phase is Phase.PROMOTED
    bench.check(state)


def edit(bench, **predictor):
    bench.world.stored.patch({"spec": {"predictor": predictor}})


def test_an_edit_is_noticed_said_and_not_overwritten(mode):
    bench = Bench(mode).begun()
    process = bench.process()
    process.run(lambda state: state.phase is Phase.BAKING and state.percent == 25)
    before = bench.world.service("filter")["spec"]["predictor"]["minReplicas"]
    edit(bench, minReplicas=5)
    state = process.run(lambda state: state.phase is Phase.WAITING)
    assert state.gate == "edit-1"
    assert f"spec.predictor.minReplicas is 5 instead of {before}" in state.reason
    bench.world.tick(50)
    assert bench.held().gate == "edit-1"
    assert bench.world.service("filter")["spec"]["predictor"]["minReplicas"] == 5
    bench.api.annotate(approve="2/edit-1 by alice")
    assert bench.held().gate == "edit-1", "approved, and not undone"
    edit(bench, minReplicas=before)
    bench.check(bench.end())


def test_an_edit_that_nobody_watched_is_noticed_too(mode):
    bench = Bench(mode).begun()
    bench.end(until=lambda state: state.percent == 25)
    edit(bench, timeout=7)
    assert "not as the rollout left it" in bench.held().reason


def test_a_record_that_somebody_takes_away_is_written_again_and_asked_about(mode):
    bench = Bench(mode).begun()
    process = bench.process()
    process.run(lambda state: state.phase is Phase.BAKING and state.percent == 25)
    bench.api.annotate(rollout=None)
    state = process.run(lambda state: state.phase is Phase.WAITING)
    assert (state, state.gate) == (bench.state, "edit-1")
    assert "content-arena/rollout was gone" in state.reason
    bench.api.annotate(approve="2/edit-1 by alice")
    bench.check(bench.end())


def test_an_abort_goes_back_over_an_edit(mode):
    bench = Bench(mode).begun()
    bench.end(until=lambda state: state.phase is Phase.BAKING and state.percent == 25)
    edit(bench, timeout=7)
    bench.held()
    bench.api.annotate(abort="2 by bob: enough")
    state = bench.end()
    assert (state.phase, bench.world.lost) == (Phase.ROLLED_BACK, 0)
    assert bench.serves == ONE


def test_a_service_that_is_deleted_ends_it():
    bench = Bench("Standard").begun()

    def gone(name):
        raise InputError("namespace default has no InferenceService filter")

    process = bench.process()
    bench.api.service = gone
    with pytest.raises(InputError, match="no InferenceService"):
        process.run()


# The registry.


def test_a_registry_that_does_not_follow_is_held_with_its_words(mode):
    bench = Bench(mode).begun()
    bench.aliases.is_away = True
    state = bench.held()
    assert state.gate == "promote-1"
    assert "the registry does not answer" in state.reason
    bench.aliases.is_away = False
    bench.api.annotate(approve="2/promote-1 by alice")
    bench.check(bench.end())


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL])
def test_no_registry_is_written_before_it_is_sure_that_nobody_took_over(mode, verdict):
    bench = Bench(mode, verdicts={25: verdict}).begun()
    asked = []
    bench.aliases.promote = bench.aliases.reject = lambda *what: asked.append("written")
    process = bench.process(still_mine=lambda: asked.append("asked"))
    process.run(lambda state: asked.count("written") == 3)
    assert asked[-6:] == ["asked", "written"] * 3


# What is refused.


def test_two_rollouts_of_one_service(mode):
    bench = Bench(mode).begun()
    with pytest.raises(InputError, match=r"version 2 is under way \(staging at 0 %\)"):
        bench.begun()


def test_what_serves_already_is_not_rolled_out(mode):
    with pytest.raises(InputError, match="serves already"):
        Bench(mode).process().begin(Challenger("1", ONE), QUICK)


def test_a_version_that_was_rolled_back_comes_again_only_if_a_person_insists(mode):
    bench = Bench(mode, verdicts={25: Verdict.FAIL}).begun()
    first = bench.end()
    with pytest.raises(InputError, match="was rejected"):
        bench.begun()
    assert bench.state == first
    bench.api.annotate(approve="2/step-25 by alice", abort="2 by bob: old")
    bench.judge.verdicts.clear()
    state = bench.begun(asking(25), "fixed since").held()
    assert (state.gate, state.rollout != first.rollout) == ("step-25", True)
