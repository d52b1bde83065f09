import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.canary_rollout.controller.operator_requests import (
    abort_request,
    approval,
    operator_requests,
)
from content_arena.components.canary_rollout.plan.gate import Gate, GateKind
from content_arena.components.canary_rollout.plan.observation import Abort, AbortKind

names = st.text(st.characters(whitelist_categories=("L", "N")), min_size=1)
words = st.text(st.characters(whitelist_categories=("L", "N", "P")), min_size=1).map(lambda text: f"{text} {text}")


def annotations(**values):
    return {f"content-arena/{key}": value for key, value in values.items()}


@given(names, st.builds(Gate, st.sampled_from(GateKind), st.integers(0)), words)
def test_an_approval_is_read_as_it_was_written(version, gate, who):
    found = operator_requests(approval(version, gate, who), version)
    assert (found.approved, found.approver, found.ignored) == (gate, who, ())


@given(names, names, words, st.sampled_from(AbortKind))
def test_an_abort_is_read_as_it_was_written(version, who, why, kind):
    assert operator_requests(abort_request(version, who, why, kind), version).abort == Abort(f"{why} ({who})", kind)


def test_requests_are_for_one_version():
    found = operator_requests(annotations(approve="3/step-25 by alice", abort="3"), "2")
    assert (found.approved, found.abort) == (None, None)
    assert len(found.ignored) == 2
    assert all("is for version 3, this is version 2" in line for line in found.ignored)


@pytest.mark.parametrize("text", ["", "yes", "2", "2 step-25", "2/", "2/stop-25", "2/step-025", "2/step"])
def test_what_can_not_be_read_opens_nothing_and_is_reported(text):
    found = operator_requests(annotations(approve=text), "2")
    assert (found.approved, len(found.ignored)) == (None, 1)
    assert "wanted VERSION/GATE by WHO" in found.ignored[0]


def test_short_forms_are_read():
    found = operator_requests(annotations(approve="2/step-25", abort="2"), "2")
    assert (str(found.approved), found.approver) == ("step-25", "")
    assert found.abort == Abort("no reason given (somebody)")
    rejected = operator_requests(annotations(abort="2 rejected: rude"), "2").abort
    assert rejected == Abort("rude (somebody)", AbortKind.REJECT)
