"""A challenger that needs the runtime of another release: it moves with the bundle, in both modes, and back with it."""

import copy
import json

import pytest

from content_arena.components.canary_rollout.traffic.mode import Aim, Goal
from tests.components.canary_rollout.moves import NEXT, STEPS, Rollout
from tests.components.canary_rollout.stand_in import knative_world, standard_world

WORLDS = [
    (standard_world.StandardWorld, standard_world.service),
    (knative_world.KnativeWorld, knative_world.service),
]
both_modes = pytest.mark.parametrize(("make_world", "service"), WORLDS, ids=["Standard", "Knative"])


def runtimes(world):
    """The runtime that each bundle's pods have run by, one after the other."""
    found = {}
    if isinstance(world, standard_world.StandardWorld):
        models = [json.loads(one)[0]["model"] for templates in world.templates.values() for one in templates]
    else:
        models = [template["model"] for template in world._templates]
    for model in models:
        found.setdefault(model["storageUri"].rpartition("/")[2], []).append(model["runtime"])
    return found


@both_modes
def test_the_runtime_goes_with_the_bundle_and_what_serves_keeps_its_own(make_world, service):
    given = service()
    world = make_world(copy.deepcopy(given))
    rollout = Rollout(world, NEXT)
    rollout.through(*STEPS)
    assert set(runtimes(world)["1"]) == {"content-arena"}
    rollout.to(Goal(Aim.PROMOTED, 100))
    world.tick(20)
    assert world.stored.value["spec"]["predictor"]["model"]["runtime"] == "next"
    assert (runtimes(world), world.lost) == ({"1": ["content-arena"], "2": ["next"]}, 0)


@both_modes
@pytest.mark.parametrize("reached", range(len(STEPS) + 1))
def test_a_rollback_returns_to_the_runtime_before_wherever_it_begins(make_world, service, reached):
    given = service()
    world = make_world(copy.deepcopy(given))
    rollout = Rollout(world, NEXT)
    rollout.through(*STEPS[:reached])
    rollout.kill()
    rollout.to(Goal(Aim.ROLLED_BACK))
    world.tick(20)
    assert world.stored.value["spec"] == given["spec"]
    assert (set(runtimes(world)["1"]), set(runtimes(world)["2"])) == ({"content-arena"}, {"next"})
    assert world.lost == 0


@both_modes
def test_a_bundle_that_needs_no_other_one_has_none_written(make_world, service):
    world = make_world(service())
    written = []
    write = world.patch_service
    world.patch_service = lambda name, body, *args, **how: written.append(body) or write(name, body, *args, **how)
    rollout = Rollout(world)
    rollout.through(*STEPS)
    rollout.to(Goal(Aim.PROMOTED, 100))
    assert len(written) > 3
    assert "runtime" not in json.dumps(written)


def test_the_version_before_is_kept_with_its_own_runtime():
    """Its entry would have stable's otherwise, which is another one since the promotion: its pods would restart."""
    world = standard_world.StandardWorld(standard_world.service())
    rollout = Rollout(world, NEXT)
    rollout.through(*STEPS)
    rollout.to(Goal(Aim.PROMOTED, 100, keeps=True))
    world.tick(100)
    (kept,) = world.stored.value["spec"]["canary"]
    assert kept["predictor"]["model"]["runtime"] == "content-arena"
    assert runtimes(world) == {"1": ["content-arena"], "2": ["next"]}
    rollout.to(Goal(Aim.ALONE))
    world.tick(100)
    assert ("canary" in world.stored.value["spec"], world.lost) == (False, 0)
