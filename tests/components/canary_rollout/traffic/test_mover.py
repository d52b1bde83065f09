"""How patches are written: announced first, tried again after a conflict, and stored whole."""

import pytest

from content_arena.components.canary_rollout.kube.client import ClusterError, ConflictError
from content_arena.components.canary_rollout.traffic.mode import Aim, Goal, Patch
from content_arena.components.canary_rollout.traffic.mover import fingerprint
from tests.components.canary_rollout.moves import TWO, Rollout
from tests.components.canary_rollout.stand_in.standard_world import StandardWorld, service


def test_a_patch_is_announced_with_the_fingerprint_that_it_leads_to():
    world = StandardWorld(service())
    rollout = Rollout(world)
    before, announced = rollout.mover.read(), []
    step = rollout.mover.step(before, Goal(Aim.STAGED), rollout.stable, TWO, announced.append)
    assert isinstance(step, Patch)
    (made,) = announced
    assert (made.patch, made.fingerprint) == (step, fingerprint(world.service("filter")))
    assert made.version == before.service["metadata"]["resourceVersion"]


def test_a_patch_whose_announcement_fails_is_not_written():
    world = StandardWorld(service())
    rollout = Rollout(world)
    before = rollout.mover.read()

    def fails(announcement):
        raise ConflictError("the record was written")

    with pytest.raises(ConflictError):
        rollout.mover.step(before, Goal(Aim.STAGED), rollout.stable, TWO, fails)
    assert world.service("filter") == before.service


def test_a_conflict_with_a_status_is_tried_again():
    world = StandardWorld(service())
    rollout = Rollout(world)
    view = rollout.mover.read()
    world.stored.patch({"status": {"url": "http://changed"}})
    assert isinstance(rollout.mover.step(view, Goal(Aim.STAGED), rollout.stable, TWO), Patch)


def test_a_conflict_with_an_edit_of_the_spec_is_not():
    world = StandardWorld(service())
    rollout = Rollout(world)
    view = rollout.mover.read()
    world.stored.patch({"spec": {"predictor": {"minReplicas": 4}}})
    assert "written by others" in rollout.mover.step(view, Goal(Aim.STAGED), rollout.stable, TWO).why
    assert world.stored.value["spec"]["predictor"]["minReplicas"] == 4


def test_a_dry_run_that_lacks_what_was_sent_is_an_error():
    world = StandardWorld(service())
    rollout = Rollout(world)
    rollout.once(Goal(Aim.STAGED))
    world.tick(10)
    patch_service = world.patch_service

    def prunes(name, body, version, *, dry_run=False):
        return patch_service(name, {"spec": {"predictor": body["spec"].get("predictor")}}, version, dry_run=dry_run)

    world.patch_service = prunes
    with pytest.raises(ClusterError, match=r"would not store spec\.canary of InferenceService filter"):
        rollout.once(Goal(Aim.STAGED))
