import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.canary_rollout.plan.gate import Gate, GateKind, gate_before
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.canary_rollout.plan.state import Challenger, Phase, Stable, State, StateError, load, start
from content_arena.components.shared.errors import InputError
from tests.components.canary_rollout.rollouts import PARAMETERS, STABLE, begun

finite = st.floats(allow_nan=False, allow_infinity=False)
states = st.builds(
    State,
    rollout=st.text(),
    challenger=st.text(),
    storage_uri=st.text(),
    stable=st.builds(
        Stable, st.text(), st.text(), st.fixed_dictionaries({"name": st.text(), "pods": st.none() | st.integers()})
    ),
    parameters=st.just(PARAMETERS) | st.just(Parameters(steps=(0, 50))),
    started_at=finite,
    since=finite,
    window=finite,
    phase=st.sampled_from(Phase),
    step=st.integers(0, 2),
    waited=finite,
    failures=st.integers(0),
    inconclusives=st.integers(0),
    holds=st.integers(0),
    gate=st.none() | st.builds(Gate, st.sampled_from(GateKind), st.integers(0)),
    then=st.none() | st.sampled_from(Phase),
    then_step=st.integers(0, 2),
    reason=st.text(),
    approvals=st.lists(st.text()).map(tuple),
    fingerprint=st.text(),
    cause=st.text(min_size=1),
    stopped=st.booleans(),
    bounds=st.dictionaries(st.text(), finite),
    measuring=st.dictionaries(st.text(), st.text() | finite | st.dictionaries(st.text(), finite)),
)


@given(states)
def test_read_back_as_written(state):
    assert load(state.dump()) == state


def test_a_record_is_small_and_has_its_schema():
    written = begun().enter(Phase.WAITING, 0, "x" * 10_000, approvals=("step-100 by somebody",) * 20).dump()
    assert len(written) < 4_000
    assert json.loads(written)["schema"] == 1


def test_texts_of_others_are_cut_in_every_field():
    state = replace(begun(), reason="x" * 10_000, approvals=("step-100 by " + "y" * 10_000,) * 20)
    assert len(state.reason) == 600
    assert state.approvals[0].startswith("step-100 by yyy")
    assert len(state.dump()) < 8_000
    assert load(state.dump()) == state


def test_default_measuring_is_not_recorded_and_older_records_are_read():
    assert "measuring" not in json.loads(begun().dump())
    assert load(begun().dump()).measuring == {}


def _with(**changes):
    return json.dumps(json.loads(begun().dump()) | changes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "can not be read"),
        ("[]", "can not be read"),
        ("{}", "can not be read"),
        (_with(schema=2), "schema 2"),
        (_with(phase="dancing"), "dancing"),
        (_with(step=9), "can not be read"),
        (_with(more=1), "other fields"),
        (_with(measuring=3), "can not be read"),
        (_with(stable={}), "can not be read"),
        (_with(parameters={"steps": [0, 0]}), "rise"),
    ],
)
def test_anything_else_is_refused(text, says):
    with pytest.raises(StateError, match=says):
        load(text)


def test_the_version_that_serves_is_not_rolled_out():
    with pytest.raises(InputError, match="serves already"):
        start("r", Challenger("1", "s3://elsewhere"), STABLE, PARAMETERS, 0.0)
    with pytest.raises(InputError, match="serves already"):
        start("r", Challenger("2", STABLE.storage_uri), STABLE, PARAMETERS, 0.0)


def test_the_digest_of_the_challenger_is_recorded_where_it_is_known():
    known = Challenger("2", "s3://models/content-filter/2", "a" * 64)
    assert load(start("r", known, STABLE, PARAMETERS, 0.0).dump()).candidate == known
    assert "sha256" not in json.loads(begun().dump())


@pytest.mark.parametrize("phase", ["rolling_back", "waiting", "rolled_back"])
def test_the_cause_in_the_reason_of_an_older_record_is_read(phase):
    then = "rolling_back" if phase == "waiting" else None
    reason = "withdraw-1 approved by ann; it goes back because: failed at 25 %: 5xx"
    assert load(_with(phase=phase, then=then, reason=reason)).cause == "failed at 25 %: 5xx"
    assert load(_with(phase=phase, then=then, reason="aborted: enough")).cause == "aborted: enough"


def test_a_rollout_on_its_way_up_has_no_cause_and_its_record_is_as_before():
    assert load(_with(phase="baking", reason="the challenger has 25 %")).cause == ""
    assert not {"cause", "stopped", "bounds"} & set(json.loads(begun().dump()))


def test_a_record_of_the_release_before_is_read():
    """It has no bounds, and its plan has no limit of a window."""
    values = json.loads(begun().dump())
    del values["parameters"]["window_seconds"]
    state = load(json.dumps(values))
    assert (state.bounds, state.parameters.window_seconds) == ({}, Parameters.window_seconds)


def test_a_gate_is_recorded_as_people_write_it():
    waiting = begun().enter(Phase.WAITING, 0, "a test", gate=gate_before(25), then=Phase.SHIFTING)
    assert json.loads(waiting.dump())["gate"] == "step-25"
    assert json.loads(begun().dump())["gate"] == ""
    with pytest.raises(StateError, match="stop-25"):
        load(_with(gate="stop-25"))
