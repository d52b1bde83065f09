import math

import pytest

from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.shared.errors import InputError


def test_the_default_steps_begin_at_0_and_end_at_100():
    assert Parameters().path == (0, 1, 5, 25, 50, 100)


def test_blue_green_is_two_steps():
    plan = Parameters(steps=(0, 100))
    assert plan.path == (0, 100)
    assert not plan.needs_approval(100)


def test_a_plan_that_ends_below_100_needs_an_approval_for_the_rest():
    plan = Parameters(steps=(0, 50))
    assert plan.path == (0, 50, 100)
    assert plan.needs_approval(100)
    assert not plan.needs_approval(50)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"steps": (1, 100)}, "from 0"),
        ({"steps": (0,)}, "from 0"),
        ({"steps": (0, 101)}, "at most 100"),
        ({"steps": (0, 50, 25)}, "rise"),
        ({"steps": (0, 50, 50)}, "rise"),
        ({"steps": (0, 2.5, 100)}, "whole"),
        ({"steps": (0, True)}, "whole"),
        ({"approvals": (30,)}, "30"),
        ({"approvals": (0,)}, "approval"),
        ({"bake_seconds": math.nan}, "bake_seconds"),
        ({"bake_seconds": -1}, "bake_seconds"),
        ({"min_requests": "many"}, "min_requests"),
        ({"failure_limit": True}, "failure_limit"),
        ({"move_seconds": 0}, "move_seconds"),
        ({"deadline_seconds": math.inf}, "deadline_seconds"),
        ({"bake_seconds": 4000}, "deadline"),
    ],
)
def test_an_invalid_plan_is_refused_and_the_value_named(given, says):
    with pytest.raises(InputError, match=says):
        Parameters(**given)


def test_read_back_as_written():
    plan = Parameters(steps=(0, 50), approvals=(50,))
    assert Parameters.from_dict(plan.as_dict()) == plan


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="bake_minutes"):
        Parameters.from_dict({"bake_minutes": 5})
