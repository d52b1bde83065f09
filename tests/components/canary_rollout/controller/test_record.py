"""The record in a ConfigMap, and what version 0.1.0 recorded in annotations of the InferenceService."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.canary_rollout.controller.operator_requests import approval
from content_arena.components.canary_rollout.controller.record import RecordStore
from content_arena.components.canary_rollout.kube.client import ConflictError
from content_arena.components.canary_rollout.plan.gate import Gate, gate_before
from content_arena.components.canary_rollout.plan.observation import Abort
from content_arena.components.canary_rollout.plan.state import Phase, StateError
from content_arena.components.shared.errors import InputError
from tests.components.canary_rollout.rollouts import at, begun
from tests.components.canary_rollout.stand_in.api_server import RECORD, ApiServer
from tests.components.canary_rollout.stand_in.objects import Stored


class Still:
    """A cluster in which nothing happens."""

    def __init__(self, **annotations):
        named = {f"content-arena/{name}": value for name, value in annotations.items()}
        self.now, self.stored = 0, Stored({"metadata": {"name": "filter", "annotations": named}, "spec": {}})

    def service(self, name):
        return self.stored.read()

    def patch_service(self, name, body, resource_version, *, dry_run=False):
        return self.stored.patch(body, resource_version, dry_run=dry_run)


class Bench:
    def __init__(self, **annotations):
        self.world = Still(**annotations)
        self.api = ApiServer(self.world)
        self.store = RecordStore(self.api, "filter")

    def read(self):
        return self.store.read(self.world.service("filter"))

    def written(self, *states):
        """Records one state after the other; returns the annotations of the ConfigMap."""
        record = self.read()
        for state in states:
            record = self.store.write(record, state)
        return self.api.requests


def test_a_state_is_read_as_it_was_written_and_belongs_to_the_service():
    bench = Bench()
    bench.written(begun(), at(Phase.BAKING))
    assert bench.read().state == at(Phase.BAKING)
    (owner,) = bench.api.config_map(RECORD)["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "name": "filter", "uid": "uid-filter",
    }  # fmt: skip
    assert bench.world.service("filter")["metadata"]["annotations"] == {}, "KServe copies those to the pods"


def test_the_record_of_a_deleted_service_of_the_same_name_is_not_read():
    bench = Bench()
    bench.written(at(Phase.BAKING))
    bench.world.stored.patch({"metadata": {"uid": "another"}})
    assert bench.read().state is None
    bench.written(begun())
    assert bench.read().state == begun()


def test_without_a_rollout_the_error_names_the_command_that_begins_one():
    bench = Bench()
    assert bench.read().state is None
    with pytest.raises(InputError, match="arena rollout start --service filter"):
        assert bench.read().existing


def test_a_request_is_removed_once_it_is_fulfilled():
    waiting = at(Phase.WAITING, step=2, gate=Gate.parse("step-100"), then=Phase.SHIFTING, then_step=3)
    opened = at(Phase.SHIFTING, step=3, approvals=("step-100 by alice",))
    bench = Bench()
    bench.written(waiting)

    def left_by(after, *, before):
        bench.written(before)
        bench.api.annotate(approve="2/step-100 by alice", abort="2 by bob")
        return {name.partition("/")[2] for name in bench.written(after)}

    assert left_by(opened, before=waiting) == {"abort"}
    assert left_by(at(Phase.BAKING), before=begun()) == {"approve", "abort"}
    assert left_by(at(Phase.ROLLING_BACK), before=at(Phase.BAKING)) == {"approve", "abort"}, "an abort lasts to the end"
    assert left_by(at(Phase.ROLLED_BACK), before=at(Phase.ROLLING_BACK)) == set()
    assert left_by(replace(begun(), rollout="another"), before=at(Phase.BAKING)) == set()


def test_a_request_that_arrives_before_a_state_is_written_is_a_conflict():
    bench = Bench()
    bench.written(begun())
    record = bench.read()
    bench.api.annotate(abort="2 by bob")
    with pytest.raises(ConflictError):
        bench.store.write(record, at(Phase.BAKING))


def test_a_request_is_written_although_the_record_is_written_meanwhile():
    bench = Bench()
    bench.written(begun())
    patch, busy = bench.api.patch_config_map, 3

    def crowded(name, body, version):
        nonlocal busy
        if busy:
            busy -= 1
            bench.api.config_maps[RECORD].patch({"data": {"n": str(busy)}})
        return patch(name, body, version)

    bench.api.patch_config_map = crowded
    bench.store.request(approval("2", gate_before(25), "alice"))
    assert str(bench.read().requests().approved) == "step-25"
    busy = 99
    with pytest.raises(ConflictError):
        bench.store.request(approval("2", gate_before(25), "alice"))


# What version 0.1.0 recorded.


def test_a_rollout_under_way_is_read_from_annotations_with_its_requests():
    bench = Bench(rollout=at(Phase.BAKING).dump(), abort="2 by bob: old")
    record = bench.read()
    assert (record.state, record.requests().abort) == (at(Phase.BAKING), Abort("old (bob)"))
    assert set(record.former) == {"content-arena/rollout", "content-arena/abort"}


def test_it_is_carried_over_and_the_annotations_are_removed_in_one_patch():
    bench = Bench(rollout=at(Phase.BAKING).dump(), abort="2 by bob: old", kept="yes")
    record = bench.read()
    bench.store.write(record, record.existing)
    half = bench.read()
    assert (half.state, half.requests().abort, half.former) == (record.state, Abort("old (bob)"), record.former)
    before = int(bench.world.stored.value["metadata"]["resourceVersion"])
    bench.store.remove_former(half)
    after = bench.world.service("filter")["metadata"]
    assert (after["annotations"], int(after["resourceVersion"])) == ({"content-arena/kept": "yes"}, before + 1)
    assert (bench.read().state, bench.read().is_carried_over) == (record.state, True)


def test_a_request_carries_a_former_record_over():
    bench = Bench(rollout=at(Phase.BAKING).dump())
    bench.store.request(approval("2", gate_before(25), "alice"))
    assert str(bench.read().requests().approved) == "step-25"
    assert not bench.read().is_carried_over, "only the process that runs the rollout writes to the service"


def test_knatives_revision_that_was_being_withdrawn_is_carried_over():
    going_back = at(Phase.ROLLING_BACK)
    bench = Bench(**{"rollout": going_back.dump(), "left-revision": "00003"})
    assert bench.read().existing.stable.mode_state["left"] == "00003"


def test_a_former_rollout_that_is_over_stays_where_it_is():
    bench = Bench(rollout=at(Phase.PROMOTED).dump())
    assert (bench.read().state, bench.read().former) == (at(Phase.PROMOTED), ())
    bench.written(replace(begun(), rollout="the next", started_at=begun().started_at + 1))
    assert (bench.read().existing.rollout, bench.read().former) == ("the next", ())


def test_of_two_records_the_later_rollout_counts():
    """An older version of the arena was used again in between."""
    bench = Bench(rollout=replace(at(Phase.BAKING), rollout="later", started_at=begun().started_at + 9).dump())
    bench.written(at(Phase.PROMOTED))
    bench.api.store_state(at(Phase.PROMOTED).dump())
    assert bench.read().existing.rollout == "later"


def test_a_torn_annotation_is_an_error_only_where_nothing_else_is_recorded():
    bench = Bench(rollout="{")
    with pytest.raises(StateError):
        bench.read()
    bench.api.store_state(begun().dump())
    assert bench.read().state == begun()


def test_a_request_at_the_former_place_is_reported():
    bench = Bench(approve="2/step-25 by alice")
    bench.written(begun())
    (line,) = bench.read().requests().ignored
    assert "content-arena/approve of the InferenceService is not read: annotate configmap rollout-filter" in line


# What became of an announced patch.

versions, prints = st.sampled_from("123"), st.sampled_from("abc")


@given(versions, prints, versions)
def test_an_announced_patch_that_the_service_shows_is_adopted(version, made, later):
    state = replace(begun(), fingerprint="old").announcing(version, made, "a move")
    assert state.settled(later, made) == replace(begun(), fingerprint=made)


@given(versions, prints, versions)
def test_an_announced_patch_that_can_not_be_stored_any_more_is_forgotten(version, made, later):
    state = replace(begun(), fingerprint="old").announcing(version, made, "a move")
    assert (state.settled(later, "old").intent is None) == (later != version)
    assert state.settled(later, "old").fingerprint == "old"


@given(versions, prints, versions)
def test_an_edit_that_follows_an_announced_patch_is_still_an_edit(version, made, later):
    state = replace(begun(), fingerprint="old").announcing(version, made, "a move")
    assert state.settled(later, "edited") == state
    assert state.settled(later, "edited").settled(later, made).fingerprint == made, "once the edit is undone"


@given(prints, prints)
def test_two_patches_announced_on_one_version_may_each_be_the_one_that_was_stored(one, other):
    state = replace(begun(), fingerprint="old").announcing("1", one, "a move").announcing("1", other, "another")
    assert state.settled("2", one).fingerprint == one
    assert state.settled("2", other).fingerprint == other
    assert state.announcing("2", "c", "a third").intent.fingerprints == ("c",)


@given(st.sampled_from(Phase), versions, prints)
def test_an_intent_is_recorded(phase, version, made):
    state = at(phase, cause="a test").announcing(version, made, "a move")
    bench = Bench()
    bench.written(state)
    assert bench.read().state == state
