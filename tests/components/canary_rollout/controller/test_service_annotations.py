import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.canary_rollout.controller import service_annotations
from content_arena.components.canary_rollout.controller.service_annotations import (
    abort_patch,
    approval,
    operator_requests,
    record,
    record_of,
    recorded,
)
from content_arena.components.canary_rollout.kube.client import ConflictError
from content_arena.components.canary_rollout.plan.gate import Gate, GateKind, gate_before
from content_arena.components.canary_rollout.plan.state import Phase
from content_arena.components.shared.errors import InputError
from tests.components.canary_rollout.rollouts import at, begun
from tests.components.canary_rollout.stand_in.objects import Stored

names = st.text(st.characters(whitelist_categories=("L", "N")), min_size=1)
words = st.text(st.characters(whitelist_categories=("L", "N", "P")), min_size=1).map(lambda text: f"{text} {text}")


def service(**values):
    return {"metadata": {"name": "filter", "annotations": {f"content-arena/{key}": v for key, v in values.items()}}}


@given(names, st.builds(Gate, st.sampled_from(GateKind), st.integers(0)), words)
def test_an_approval_is_read_as_it_was_written(version, gate, who):
    found = operator_requests(approval(version, gate, who), version)
    assert (found.approved, found.approver, found.ignored) == (gate, who, ())


@given(names, names, words)
def test_an_abort_is_read_as_it_was_written(version, who, why):
    assert operator_requests(abort_patch(version, who, why), version).abort == f"{why} ({who})"


def test_requests_are_for_one_version():
    found = operator_requests(service(approve="3/step-25 by alice", abort="3"), "2")
    assert (found.approved, found.abort) == (None, None)
    assert len(found.ignored) == 2
    assert all("is for version 3, this is version 2" in line for line in found.ignored)


@pytest.mark.parametrize("text", ["", "yes", "2", "2 step-25", "2/", "2/stop-25", "2/step-025", "2/step"])
def test_what_can_not_be_read_opens_nothing_and_is_reported(text):
    found = operator_requests(service(approve=text), "2")
    assert (found.approved, len(found.ignored)) == (None, 1)
    assert "wanted VERSION/GATE by WHO" in found.ignored[0]


def test_short_forms_are_read():
    found = operator_requests(service(approve="2/step-25", abort="2"), "2")
    assert (str(found.approved), found.approver, found.abort) == ("step-25", "", "no reason given (somebody)")


def test_without_a_rollout_the_error_names_the_command_that_begins_one():
    assert recorded(service()) is None
    with pytest.raises(InputError, match="arena rollout start --service filter"):
        record_of(service())


def written(before, after):
    return record(before, after)["metadata"]["annotations"]


def test_a_request_is_removed_once_it_is_fulfilled():
    waiting = at(Phase.WAITING, step=2, gate=Gate.parse("step-100"), then=Phase.SHIFTING, then_step=3)
    opened = at(Phase.SHIFTING, step=3, approvals=("step-100 by alice",))
    assert written(waiting, opened)[service_annotations.APPROVE] is None
    assert set(written(begun(), at(Phase.BAKING))) == {service_annotations.ROLLOUT}
    assert set(written(at(Phase.BAKING), at(Phase.ROLLING_BACK))) == {service_annotations.ROLLOUT}, (
        "an abort lasts to the end"
    )
    for edge in (written(None, begun()), written(at(Phase.ROLLING_BACK), at(Phase.ROLLED_BACK))):
        assert (edge[service_annotations.APPROVE], edge[service_annotations.ABORT]) == (None, None)


class Busy:
    """The service is written by others between the first reads and writes."""

    def __init__(self, times):
        self.stored, self.times = Stored({"metadata": {"name": "filter"}, "spec": {}}), times

    def service(self, name):
        found = self.stored.read()
        if self.times:
            self.times -= 1
            self.stored.patch({"status": {"n": self.times}})
        return found

    def patch_service(self, name, body, resource_version):
        return self.stored.patch(body, resource_version)


def test_a_request_is_written_although_others_write_meanwhile():
    busy = Busy(3)
    service_annotations.annotate(busy, "filter", approval("2", gate_before(25), "alice"))
    assert str(operator_requests(busy.stored.read(), "2").approved) == "step-25"
    with pytest.raises(ConflictError):
        service_annotations.annotate(Busy(99), "filter", approval("2", gate_before(25), "alice"))
