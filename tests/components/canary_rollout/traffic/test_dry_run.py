"""The patches of a dry run are those that a rollout makes."""

import pytest

from content_arena.components.canary_rollout.kube.client import ClusterError
from content_arena.components.canary_rollout.traffic.dry_run import planned_patches, validated
from content_arena.components.canary_rollout.traffic.mode import Aim
from content_arena.components.canary_rollout.traffic.mover import Mover
from tests.components.canary_rollout.bench import QUICK, TWO, WORLDS, Bench


@pytest.mark.parametrize("mode", WORLDS)
def test_a_rollout_makes_the_patches_of_its_dry_run(mode):
    bench = Bench(mode)
    mover = Mover(bench.api, "filter", 5, clock=lambda: bench.world.now)
    view = mover.read()
    stable = mover.mode.stable(view)
    planned = [validated(mover, view, patch) for patch in planned_patches(mover.mode, view, stable, TWO, QUICK)]
    assert bench.world.service("filter")["spec"] == bench.before, "a dry run changes nothing"
    bench.begun().end()
    made = [event["note"] for event in bench.api.events if event["reason"] == "RolloutMove"]
    assert [patch.patch.why for patch in planned] == made


@pytest.mark.parametrize("mode", WORLDS)
def test_a_refused_patch_is_an_error_unless_it_is_the_promotion(mode):
    bench = Bench(mode)
    mover = Mover(bench.api, "filter", 5, clock=lambda: bench.world.now)
    view = mover.read()

    def refuse(*arguments, **options):
        raise ClusterError("denied")

    bench.api.patch_service = refuse
    for patch in planned_patches(mover.mode, view, mover.mode.stable(view), TWO, QUICK):
        if patch.goal.aim is Aim.PROMOTED:
            assert validated(mover, view, patch).objection == "denied"
        else:
            with pytest.raises(ClusterError, match="denied"):
                validated(mover, view, patch)


def test_a_plan_may_need_more_pods_than_stables_minimum():
    """The server refuses a canary with more pods than stable's minimum, which an earlier patch has raised by then."""
    bench = Bench("Standard", load=6)
    bench.world.tick(10)
    mover = Mover(bench.api, "filter", 5, clock=lambda: bench.world.now)
    view = mover.read()
    patch_service = bench.api.patch_service

    def webhook(name, body, version, *, dry_run=False):
        would = patch_service(name, body, version, dry_run=True)["spec"]
        if any(one["predictor"]["minReplicas"] > would["predictor"]["minReplicas"] for one in would.get("canary", [])):
            raise ClusterError("minReplicas of a canary exceeds stable's")
        return patch_service(name, body, version, dry_run=dry_run)

    bench.api.patch_service = webhook
    planned = [
        validated(mover, view, patch)
        for patch in planned_patches(mover.mode, view, mover.mode.stable(view), TWO, QUICK)
    ]
    bench.begun().end()
    made = [event["note"] for event in bench.api.events if event["reason"] == "RolloutMove"]
    assert [patch.patch.why for patch in planned] == made
    assert bench.world.crowded == 0
