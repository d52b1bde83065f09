"""Drives the moves of one rollout, without a plan, in a simulated cluster."""

from dataclasses import replace

from content_arena.components.canary_rollout.plan.state import Challenger
from content_arena.components.canary_rollout.traffic.mode import Aim, Done, Goal
from content_arena.components.canary_rollout.traffic.mover import Mover
from tests.components.canary_rollout.stand_in.api_server import ApiServer

TWO = Challenger("2", "s3://models/content-filter/2")
#: The same, by the runtime of another release.
NEXT = replace(TWO, runtime="next")
STEPS = (1, 25, 50, 100)
SETTLE = 5


class Rollout:
    """Takes one step a second; ``kill`` replaces the process by one with nothing in memory."""

    def __init__(self, world, challenger=TWO, before=None):
        """``before``: what served before the last promotion, if that kept it."""
        self.world, self.challenger = world, challenger
        self.kill()
        self.stable = self.mover.mode.stable(self.mover.read(), before)

    def kill(self):
        self.mover = Mover(ApiServer(self.world), "filter", SETTLE, clock=lambda: self.world.now)

    def once(self, goal):
        step = self.mover.step(self.mover.read(), goal, self.stable, self.challenger, self.remember)
        self.world.tick()
        return step

    def remember(self, announcement):
        """Records what the mode needs to know later, before the patch is written."""
        mode_state = {**self.stable.mode_state, **announcement.patch.mode_state}
        self.stable = replace(self.stable, mode_state=mode_state)

    def to(self, goal, limit=200):
        for _ in range(limit):
            step = self.once(goal)
            if isinstance(step, Done):
                return
        raise AssertionError(f"{goal} not within {limit} s: {step}")

    def through(self, *percents):
        self.to(Goal(Aim.STAGED))
        for percent in percents:
            self.to(Goal(Aim.SHIFTED, percent))

    def shares(self):
        return self.mover.mode.shares(self.mover.read(), self.stable, self.challenger)


def naive(world, *patches):
    """Patches a world's service with one body after the other, without a look at the cluster; returns the world."""
    for body in patches:
        world.stored.patch(body)
        world.tick(20)
    return world


def entry(percent):
    """A patch that gives version 2 a share as a canary."""
    model = {"name": "kserve-container", "storageUri": TWO.storage_uri}
    return {"spec": {"canary": [{"trafficPercent": percent, "predictor": {"name": "v2", "model": model}}]}}
