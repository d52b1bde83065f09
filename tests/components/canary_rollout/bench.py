"""Runs whole rollouts in a simulated cluster, by one simulated process after the other."""

from dataclasses import dataclass, field

from content_arena.components.canary_rollout.analysis.check import Check, Kind
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.controller.beginning import RolloutRequest
from content_arena.components.canary_rollout.controller.pace import Clock, Pace
from content_arena.components.canary_rollout.controller.record import RecordStore
from content_arena.components.canary_rollout.controller.rollout import Rollout
from content_arena.components.canary_rollout.measuring.interface import Measurement
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Phase
from content_arena.components.canary_rollout.reporting.events import Events
from content_arena.components.canary_rollout.reporting.history import History
from content_arena.components.canary_rollout.reporting.recorder import EventRecorder
from content_arena.components.canary_rollout.traffic.mover import Mover
from content_arena.components.shared.errors import InputError, RegistryError
from tests.components.canary_rollout.stand_in import knative_world, standard_world
from tests.components.canary_rollout.stand_in.api_server import ApiServer

TWO = Challenger("2", "s3://models/content-filter/2")
ONE = "s3://models/content-filter/1"
SETTLE = 5
WORLDS = {
    "Standard": lambda **how: standard_world.StandardWorld(standard_world.service(), **how),
    "Knative": lambda **how: knative_world.KnativeWorld(knative_world.service(), **how),
}
QUICK = Parameters(
    steps=(0, 25, 100), bake_seconds=4, warmup_seconds=1, min_requests=5, start_seconds=120, move_seconds=60,
    inconclusive_limit=1, deadline_seconds=5000, keep_seconds=0,
)  # fmt: skip


@dataclass
class Judge:
    """A measurer that returns a given verdict for each share, and PASS by default."""

    verdicts: dict = field(default_factory=dict)

    def measure(self, moment):
        verdict = self.verdicts.get(moment.percent, Verdict.PASS)
        check = Check(Kind.OTHER, "errors", verdict, f"errors: {verdict.value}")
        return Measurement(verdict, check.reason, 10, (check,))


@dataclass
class Aliases:
    """A registry of two aliases and a tag."""

    champion: str = "1"
    previous: str = ""
    rejected: tuple = ()
    is_away: bool = False

    def check(self, challenger, stable, override=None, *, dry_run=False):
        if self.rejected and not override:
            raise InputError(f"version {challenger} was rejected ({self.rejected[2]})")

    def gate_figures(self, version):
        return {}

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

    def is_undone(self, undone, rollout):
        return self.is_rejected(undone, rollout) and self.champion != undone

    def undo(self, restored, undone, rollout, reason):
        self.champion, self.previous = restored, ""
        self.reject(undone, restored, rollout, reason)

    def reconcile(self, serving, *, adopts=False):
        if self.champion == serving:
            return []
        if not adopts:
            return [f"{serving} serves, champion is {self.champion}"]
        self.champion = serving
        return [f"champion is {serving}"]


class Bench:
    """A simulated cluster, and the processes that run a rollout in it one after the other."""

    def __init__(self, mode, tmp_path=None, *, verdicts=None, **how):
        self.world = WORLDS[mode](**how)
        self.before = self.world.service("filter")["spec"]
        self.api, self.judge, self.aliases = ApiServer(self.world), Judge(verdicts or {}), Aliases()
        self.history = History(tmp_path / "rollout.jsonl") if tmp_path else None

    def process(self, patience=600.0, assert_leadership=lambda: None):
        """A new process, with nothing in memory."""
        mover = Mover(self.api, "filter", SETTLE, clock=lambda: self.world.now)
        clock = Clock(lambda: 1e6 + self.world.now, lambda seconds: self.world.tick())
        recorder = EventRecorder(Events(self.api), self.history, clock=clock.now)
        return Rollout(
            self.api, mover, self.judge, self.aliases, recorder, service="filter",
            assert_leadership=assert_leadership, pace=Pace(1.0, patience), clock=clock,
        )  # fmt: skip

    def begun(self, parameters=QUICK, override=None):
        self.process().begin(RolloutRequest(TWO, parameters, override))
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
        return self.records.read(self.world.service("filter")).existing

    @property
    def records(self):
        return RecordStore(self.api, "filter")

    @property
    def share(self):
        """What the gateway gives to the challenger, in percent."""
        mover = Mover(self.api, "filter", SETTLE, clock=lambda: self.world.now)
        return mover.mode.shares(mover.read(), self.state.stable, self.state.candidate).challenger

    @property
    def serves(self):
        return self.world.service("filter")["spec"]["predictor"]["model"]["storageUri"]

    def check(self, state):
        """Checks that a rollout ended without a lost request, with one model, and with the registry in agreement."""
        assert self.world.lost == 0
        assert state.phase.is_end
        spec = self.world.service("filter")["spec"]
        assert "canary" not in spec
        assert "canaryTrafficPercent" not in spec["predictor"]
        assert self.api.requests == {}
        assert state.intent is None
        if state.phase is Phase.PROMOTED:
            assert (self.serves, self.aliases.champion, self.aliases.previous) == (TWO.storage_uri, "2", "1")
            return
        assert spec == self.before
        rejected = ("2", state.rollout, state.reason) if state.phase is Phase.ROLLED_BACK else ()
        assert (self.aliases.champion, self.aliases.rejected) == ("1", rejected)


def asking(*approvals):
    return Parameters(**(QUICK.as_dict() | {"steps": QUICK.steps, "approvals": approvals}))
