import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.canary_rollout.plan.gate import Gate, GateKind, gate_before


@given(st.builds(Gate, st.sampled_from(GateKind), st.integers(0)))
def test_a_gate_is_read_back_as_written(gate):
    assert Gate.parse(str(gate)) == gate


def test_gates_are_written_as_people_type_them():
    assert str(gate_before(25)) == "step-25"
    assert [str(Gate(kind, 1)) for kind in GateKind] == [
        "step-1", "measure-1", "edit-1", "refused-1", "promote-1", "withdraw-1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "step", "step-", "step-025", "step-25 ", "stop-1", "Step-25", "step--1", "step-\u0661"]
)
def test_anything_else_is_not_a_gate(text):
    with pytest.raises(ValueError, match="not a"):
        Gate.parse(text)
