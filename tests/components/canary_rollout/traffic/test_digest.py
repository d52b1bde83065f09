"""The digest of a bundle in the service's spec, in both modes."""

import copy
from dataclasses import replace

import pytest

from content_arena.components.canary_rollout.traffic.mode import Aim, Goal
from tests.components.canary_rollout.moves import STEPS, TWO, Rollout
from tests.components.canary_rollout.stand_in import knative_world, standard_world


@pytest.mark.parametrize(
    ("make_world", "service"),
    [
        (standard_world.StandardWorld, standard_world.service),
        (knative_world.KnativeWorld, knative_world.service),
    ],
    ids=["Standard", "Knative"],
)
def test_the_digest_goes_with_the_bundle_and_comes_back_with_it(make_world, service):
    given = service()
    given["spec"]["predictor"]["model"]["env"].append({"name": "CONTENT_ARENA_EXPECTED_SHA256", "value": "1" * 64})
    for aim, digest in ((Aim.PROMOTED, "2" * 64), (Aim.ROLLED_BACK, "1" * 64)):
        world = make_world(copy.deepcopy(given))
        rollout = Rollout(world, replace(TWO, sha256="2" * 64))
        rollout.through(*STEPS)
        rollout.to(Goal(aim))
        world.tick(20)
        predictor = world.stored.value["spec"]["predictor"]
        assert [one["value"] for one in predictor["model"]["env"] if "SHA256" in one["name"]] == [digest]
    assert world.stored.value["spec"] == given["spec"]
