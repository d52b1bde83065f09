"""What a rollout really writes passes every guard, on a real API server.

A rollout runs in a simulated cluster, and each of its patches is then written to the API server with its account, after
the status that the simulated controllers had written before.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.traffic.dry_run import planned_patches, validated
from content_arena.components.canary_rollout.traffic.kept import former
from content_arena.components.canary_rollout.traffic.mode import Aim, Goal
from content_arena.components.canary_rollout.traffic.mover import Mover
from tests.components.canary_rollout.moves import TWO, Rollout
from tests.components.canary_rollout.stand_in import knative_world, standard_world
from tests.manifests.guards import Caller, account, eventually, installed, serving_runtimes
from tests.manifests.rendering import Object, Renderer

SERVICE = "filter"
KIND = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}


@pytest.fixture(scope="module")
def callers(manifests: Renderer, namespace: str) -> Iterator[tuple[Caller, Caller]]:
    """The administrator, and the account that rolls out, behind every guard."""
    admin, rollout = Caller(namespace), Caller(namespace, account(namespace, "arena-rollout"))
    moved = {"spec": {"predictor": {"model": {"storageUri": "s3://models/content-filter/2"}}}}
    with installed(manifests, namespace):
        admin.create("inferenceservices", KIND | standard_world.service())
        image = {"spec": {"predictor": {"model": {"image": "evil"}}}}
        eventually(lambda: "a rollout may change" in rollout.patched(SERVICE, image), "the rollout's guard is active")
        eventually(lambda: "without having run" in admin.patched(SERVICE, moved), "the promotion's guard is active")
        admin.delete("inferenceservices", SERVICE)
        yield admin, rollout


class Recorded:
    """A simulated cluster, and every patch that its service got, with the status before it."""

    def __init__(self, simulated: standard_world.StandardWorld | knative_world.KnativeWorld) -> None:
        self.simulated, self.patches = simulated, list[tuple[Object, Object]]()
        self.given = simulated.service("filter")
        write = simulated.patch_service

        def written(name: str, body: Object, resource_version: str, *, dry_run: bool = False) -> Object:
            if not dry_run:
                self.patches.append((simulated.service("filter")["status"], copy.deepcopy(body)))
            return write(name, body, resource_version, dry_run=dry_run)

        simulated.patch_service = written


def promoted(rollout: Rollout) -> None:
    rollout.through(1, 25, 50, 100)
    rollout.to(Goal(Aim.PROMOTED, 100), 1000)


def rolled_back(rollout: Rollout) -> None:
    rollout.through(1, 50)
    rollout.to(Goal(Aim.ROLLED_BACK), 1000)


def rolled_back_on_a_full_node(rollout: Rollout) -> None:
    """Stable asks for fewer pods in the patch that takes the share away."""
    world = rollout.world
    rollout.through(25)
    world.room = world.pods_of("v1") + world.pods_of("v2") - 2
    world.stop_pods("v1", 2)
    world.tick(5)
    while rollout.shares().challenger:
        rollout.once(Goal(Aim.ROLLED_BACK))
    world.room = 1_000
    rollout.to(Goal(Aim.ROLLED_BACK), 1000)


def kept_and_brought_back(rollout: Rollout) -> None:
    """What served before keeps its pods and its runtime after the promotion, and takes over again."""
    before = former(rollout.stable)
    rollout.through(1, 100)
    rollout.to(Goal(Aim.PROMOTED, 100, keeps=True), 1000)
    undo = Rollout(rollout.world, before, rollout.stable)
    undo.through(100)
    undo.to(Goal(Aim.PROMOTED, 100), 1000)


STORIES = [
    ("Standard", promoted), ("Standard", rolled_back), ("Standard", rolled_back_on_a_full_node),
    ("Standard", kept_and_brought_back), ("Knative", promoted), ("Knative", rolled_back),
]  # fmt: skip


@pytest.mark.parametrize("changes_runtime", [False, True], ids=["", "to the runtime of this release"])
@pytest.mark.parametrize(("mode", "story"), STORIES)
def test_what_a_rollout_writes_is_taken(
    callers: tuple[Caller, Caller], mode: str, story: Callable[[Rollout], None], changes_runtime: bool
):
    if mode == "Standard":
        recorded = Recorded(standard_world.StandardWorld(standard_world.service(min_replicas=3)))
    else:
        recorded = Recorded(knative_world.KnativeWorld(knative_world.service()))
    story(Rollout(recorded.simulated, replace(TWO, runtime=serving_runtimes()[0] if changes_runtime else "")))
    admin, rollout = callers
    metadata = {key: recorded.given["metadata"][key] for key in ("name", "annotations")}
    admin.create("inferenceservices", KIND | {"metadata": metadata, "spec": recorded.given["spec"]})
    try:
        for status, body in recorded.patches:
            admin.merge("inferenceservices", SERVICE, {"status": None}, part="status")
            admin.merge("inferenceservices", SERVICE, {"status": status}, part="status")
            assert rollout.patched(SERVICE, body, dry_run=False) == "", body
        assert len(recorded.patches) > 3
        assert admin.get("inferenceservices", SERVICE)["spec"] == recorded.simulated.service(SERVICE)["spec"]
    finally:
        admin.delete("inferenceservices", SERVICE)


def test_a_dry_run_of_a_plan_in_knative_mode_is_taken(callers: tuple[Caller, Caller], namespace: str):
    """Each patch is checked together with those before it, and a new model may only enter without users."""
    admin, _ = callers
    given = knative_world.KnativeWorld(knative_world.service()).service(SERVICE)
    metadata = {key: given["metadata"][key] for key in ("name", "annotations")}
    admin.create("inferenceservices", KIND | {"metadata": metadata, "spec": given["spec"]})
    try:
        admin.merge("inferenceservices", SERVICE, {"status": given["status"]}, part="status")
        mover = Mover(KubernetesClient(namespace), SERVICE)
        view = mover.read()
        plan = planned_patches(mover.mode, view, mover.mode.stable(view), TWO, Parameters())
        checked = [validated(mover, view, planned) for planned in plan]
        assert [planned.objection for planned in checked] == [""] * len(checked)
        assert len(checked) == len(Parameters().path) + 1
    finally:
        admin.delete("inferenceservices", SERVICE)
